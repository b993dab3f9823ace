"""What the first start makes: the admin, the workspace `default`, the local SDK configuration."""

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from studio.accounts.actions import add_workspace, find_token, make_token
from studio.accounts.models import Scope, User, Workspace
from studio.compute.actions import ensure_local_target

ADMIN = "admin"
DEFAULT_WORKSPACE = "default"


@dataclass(frozen=True, slots=True)
class FirstStart:
    """`password` is empty unless it was generated just now; `config_path` None without an open
    workspace."""

    user: str
    password: str
    config_path: Path | None


def prepare() -> FirstStart:
    """Make what is missing; a second start changes nothing."""
    admin, password = ensure_admin()
    workspace = ensure_workspace(admin)
    ensure_local_target()
    config_path = ensure_config(admin, workspace) if workspace else None
    return FirstStart(ADMIN, password, config_path)


def ensure_workspace(admin: User) -> Workspace | None:
    """`default`, made where there is no workspace at all; once somebody closed or deleted it, the
    first of the open ones, or none (at most 3 queries besides making it)."""
    if not Workspace.objects.exists():
        return add_workspace(DEFAULT_WORKSPACE, owner=admin)
    rooms = Workspace.objects.open()
    return rooms.filter(name=DEFAULT_WORKSPACE).first() or rooms.first()


def ensure_admin() -> tuple[User, str]:
    """The admin and, when the password was generated, the password (never stored in clear)."""
    found = User.objects.filter(username=ADMIN).first()
    if found is not None:
        return found, ""
    given = os.environ.get("STUDIO_ADMIN_PASSWORD", "")
    password = given or secrets.token_urlsafe(12)
    admin = User.objects.create_superuser(ADMIN, password=password)
    return admin, "" if given else password


def ensure_config(admin: User, workspace: Workspace) -> Path:
    """Write .studio/config.json (mode 0600) unless it already opens this studio."""
    path = Path.cwd() / ".studio" / "config.json"
    if _still_works(path, workspace):
        return path
    _, secret = make_token(admin, name="this machine", scope=Scope.ADMIN, workspace=workspace)
    path.parent.mkdir(exist_ok=True, mode=0o700)
    text = json.dumps(
        {"url": settings.STUDIO_BASE_URL, "workspace": workspace.name, "token": secret}, indent=2
    )
    # Made with its mode, never readable by others in between.
    draft = path.with_suffix(".tmp")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(text + "\n")
    draft.replace(path)
    return path


def _still_works(path: Path, workspace: Workspace) -> bool:
    try:
        config = json.loads(path.read_text())
    except (OSError, ValueError):
        return False
    if not isinstance(config, dict) or config.get("url") != settings.STUDIO_BASE_URL:
        return False
    token = find_token(str(config.get("token", "")))
    return config.get("workspace") == workspace.name and token is not None

"""What the frame around every page shows: the workspaces to switch to, who is signed in."""

from dataclasses import dataclass
from typing import Any

from studio.accounts.models import User, Workspace
from studio.accounts.permissions import Permission
from studio.web.access import Request

MAX_WORKSPACES = 100


@dataclass(frozen=True, slots=True)
class Place:
    """A workspace in the switcher; `slug` is its part of the address."""

    slug: str
    name: str


@dataclass(frozen=True, slots=True)
class Person:
    username: str
    display_name: str
    initials: str


@dataclass(frozen=True, slots=True)
class Shell:
    """`section` is the entry of the rail that is current; `q` fills the search box."""

    workspace: Place
    workspaces: list[Place]
    section: str
    user: Person
    n_runs: int | None = None
    q: str = ""


def person(user: User) -> Person:
    name = user.get_full_name() or user.get_username()
    parts = name.split() or ["?"]
    initials = parts[0][0] + (parts[-1][0] if len(parts) > 1 else parts[0][1:2])
    return Person(user.get_username(), name, initials.upper())


def frame(request: Request, *, active: str, q: str = "") -> dict[str, Any]:
    """Context for base.html (1 query). `may` answers permissions by name, never roles."""
    visible = Workspace.objects.visible_to(request.user).order_by("name")[:MAX_WORKSPACES]
    here = request.workspace.name
    return {
        "workspace": request.workspace,
        "shell": Shell(
            workspace=Place(here, here),
            workspaces=[Place(found.name, found.name) for found in visible],
            section=active,
            user=person(request.user),
            q=q,
        ),
        "may": {permission.value: permission in request.permissions for permission in Permission},
    }

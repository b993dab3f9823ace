"""Where the studio is: `.studio/config.json` in a folder or its parents, else the environment."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from studio.sdk import credentials
from studio.sdk.errors import UserErrorException, WorkspaceException

FOLDERS = (".studio", ".azureml")
DEFAULT_WORKSPACE = "default"
USUAL_PORTS = {"http": ":80", "https": ":443"}


@dataclass(frozen=True)
class Config:
    """A studio's address, workspace and token, and the experiment a folder is attached to."""

    url: str
    workspace: str = DEFAULT_WORKSPACE
    token: str = ""
    experiment: str | None = None


def find(path: str | os.PathLike[str] | None = None, file_name: str | None = None) -> Config:
    """The configuration for a start folder or file; WorkspaceException naming what was searched.

    Walks from `path` (default: the current folder) up to the root; a file without a URL takes it,
    and the token, from STUDIO_URL and STUDIO_TOKEN, or from the last `studio login`. A file with a
    URL gets STUDIO_TOKEN only where STUDIO_URL is that address: a folder may come from others.
    Without any file the environment decides.
    """
    start = Path(path or ".").absolute()
    file = start if start.is_file() else _search(start, file_name or "config.json")
    if file is not None:
        return _read(file)
    if config := from_environment():
        return config
    names = " or ".join(f"{folder}/{file_name or 'config.json'}" for folder in FOLDERS)
    raise WorkspaceException(
        f"No studio is configured: there is no {names} in {start} or a folder above it, and "
        "STUDIO_URL is not set. Run `studio login URL` and `studio folder attach`, or set "
        "STUDIO_URL, STUDIO_WORKSPACE and STUDIO_TOKEN."
    )


def from_environment() -> Config | None:
    """The configuration of STUDIO_URL, STUDIO_WORKSPACE and STUDIO_TOKEN (or of the login at that
    address), if there is one."""
    url = os.environ.get("STUDIO_URL", "")
    workspace = os.environ.get("STUDIO_WORKSPACE") or DEFAULT_WORKSPACE
    return Config(url, workspace, token_for(url)) if url else None


def token_for(url: str, *, is_of_file: bool = False) -> str:
    """STUDIO_TOKEN where it is for this address, else the token of the login there, else "".

    It is for the address of STUDIO_URL; without that for any a person gave, never for one that a
    file of a folder names (`is_of_file`).
    """
    home = os.environ.get("STUDIO_URL", "")
    is_for_it = is_same_address(home, url) if home else not is_of_file
    return (is_for_it and os.environ.get("STUDIO_TOKEN")) or credentials.token_of(url)


def is_same_address(one: str, other: str) -> bool:
    """Whether two addresses are of one studio, however their scheme and host are written."""
    return _address(one) == _address(other)


def why_no_token(url: str) -> str:
    """Why STUDIO_TOKEN, which is set, does not count for an address: a sentence with a blank before
    it; "" when it is not set."""
    if not os.environ.get("STUDIO_TOKEN"):
        return ""
    home = os.environ.get("STUDIO_URL")
    if not home:
        return (
            " STUDIO_TOKEN is not sent to an address that a file names: set STUDIO_URL to it, too."
        )
    return "" if is_same_address(home, url) else f" STUDIO_TOKEN is for STUDIO_URL, {home}, alone."


def _address(url: str) -> tuple[str, str, str]:
    parts = urlsplit(url.strip())
    scheme = parts.scheme.lower()
    host = parts.netloc.lower().removesuffix(USUAL_PORTS.get(scheme, "-"))
    return scheme, host, f"{parts.path.rstrip('/')}?{parts.query}#{parts.fragment}"


def token_here(url: str) -> str:
    """The token that a configuration in or above this folder has for it, else `token_for`."""
    try:
        found = find()
    except UserErrorException:
        return token_for(url)
    return found.token if found.url.rstrip("/") == url and found.token else token_for(url)


def _last_login() -> str:
    """Where the original's own files lead, which name no address."""
    return next((login.url for login in credentials.logins()), "")


def write(folder: Path, config: Config, file_name: str = "config.json") -> Path:
    """Write `.studio/config.json` below the folder, readable by its owner only."""
    target = folder / FOLDERS[0] / file_name
    target.parent.mkdir(parents=True, exist_ok=True)
    content = {key: value for key, value in vars(config).items() if value not in (None, "")}
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.fchmod(descriptor, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(json.dumps(content, indent=2) + "\n")
    return target


def _search(start: Path, file_name: str) -> Path | None:
    for folder in (start, *start.parents):
        for name in FOLDERS:
            if (file := folder / name / file_name).is_file():
                return file
    return None


def _read(file: Path) -> Config:
    try:
        content: Any = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserErrorException(f"{file} cannot be read as JSON: {error}") from None
    if not isinstance(content, dict):
        raise UserErrorException(f"{file} must hold a JSON object with url, workspace and token")
    environment = from_environment() or Config("")
    url = content.get("url") or environment.url or _last_login()
    if not url:
        raise WorkspaceException(
            f'{file} names no studio: run `studio login URL`, add "url", or set STUDIO_URL'
        )
    workspace = content.get("workspace") or content.get("workspace_name") or environment.workspace
    token = content.get("token") or token_for(str(url), is_of_file=bool(content.get("url")))
    return Config(str(url), str(workspace), str(token), content.get("experiment"))

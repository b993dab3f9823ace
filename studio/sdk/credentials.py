"""Tokens that `studio login` keeps for this person: a file of mode 0600 in their home.

It is `$XDG_CONFIG_HOME/studio/credentials.json`, by default in ~/.config. A token is used only for
the address it was stored with.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from studio.sdk.errors import UserErrorException


@dataclass(frozen=True)
class Login:
    """A studio somebody logged in to."""

    url: str
    token: str
    user: str = ""
    workspace: str = ""


def path() -> Path:
    """Where the tokens are kept."""
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return Path(home) / "studio" / "credentials.json"


def logins() -> list[Login]:
    """All that are kept, the last one first; [] without a file. Raises UserErrorException when the
    file is broken."""
    file = path()
    try:
        content: Any = json.loads(file.read_text(encoding="utf-8"))
        return [Login(**{k: str(v) for k, v in item.items()}) for item in content["logins"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as problem:
        text = f"{file} cannot be read ({problem}). Remove it and log in again: studio login URL"
        raise UserErrorException(text) from None


def login_of(url: str) -> Login | None:
    """What is kept for an address."""
    return next((login for login in logins() if login.url == url.rstrip("/")), None)


def token_of(url: str) -> str:
    """The token for an address, or ""."""
    login = login_of(url)
    return login.token if login else ""


def remember(login: Login) -> None:
    """Keep a login in front of all others; an earlier one of the same address is replaced."""
    _write([login, *(other for other in logins() if other.url != login.url)])


def forget(url: str) -> bool:
    """Drop the login of an address; whether there was one."""
    found = logins()
    left = [login for login in found if login.url != url.rstrip("/")]
    if len(left) < len(found):
        _write(left)
    return len(left) < len(found)


def _write(content: list[Login]) -> None:
    file = path()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(json.dumps({"logins": [asdict(login) for login in content]}, indent=2) + "\n")
    part.replace(file)

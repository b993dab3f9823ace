"""Which studio, workspace and experiment a command speaks of.

Options come first, then `.studio/config.json` of the folder or one above it, then STUDIO_URL and
its like, then the last `studio login`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from studio.cli.failures import REFUSED, Failure

if TYPE_CHECKING:
    from studio.sdk.client import Client
    from studio.sdk.config import Config

LOCAL = ("localhost", "127.", "[::1]")
RETRY_S = 3.0
RETRY_WHILE_FOLLOWING_S = 60.0


def address_of(url: str) -> str:
    """The address with its scheme and without a path's last slash."""
    url = url.strip().rstrip("/")
    if "://" not in url:
        url = ("http://" if url.startswith(LOCAL) else "https://") + url
    scheme, _, host = url.partition("://")
    if scheme not in ("http", "https") or not host:
        raise click.UsageError(f"{url!r} is no address of a studio: http://… or https://….")
    return url


@dataclass
class Call:
    """The options that every command takes, as they were given."""

    output: str = "json"
    output_is_given: bool = False
    query: Any = None
    url: str | None = None
    workspace: str | None = None
    path: str = "."

    def config(self) -> Config:
        """The studio, workspace, token and experiment meant. Raises WorkspaceException when
        nothing says which studio."""
        from dataclasses import replace

        from studio.sdk import config, credentials
        from studio.sdk.errors import WorkspaceException

        try:
            found = config.find(self.path)
        except WorkspaceException:
            known = credentials.logins()
            if not (self.url or known):
                raise
            url, room = (known[0].url, known[0].workspace) if known else ("", "")
            token = config.token_for(url)
            found = config.Config(url, room or config.DEFAULT_WORKSPACE, token)
        url = address_of(self.url) if self.url else found.url
        if url != found.url.rstrip("/"):
            login = credentials.login_of(url)
            room = (login and login.workspace) or found.workspace
            found = config.Config(url, room, config.token_for(url))
        elif self.url and found.token in ("", credentials.token_of(url)):
            # A person gave the address that the folder names, too.
            found = replace(found, token=config.token_for(url))
        if self.workspace and self.workspace != found.workspace:
            found = replace(found, workspace=self.workspace, experiment=None)
        return found

    def client(self, *, retry_s: float = RETRY_S) -> Client:
        """The way to the workspace; no request is made."""
        from studio.sdk import config
        from studio.sdk.client import Client

        found = self.config()
        if not found.token:
            text = f"There is no token for {found.url}. Log in: studio login {found.url}."
            text += config.why_no_token(found.url)
            raise Failure(text, REFUSED)
        return Client(found.url, found.workspace, found.token, retry_total_s=retry_s)

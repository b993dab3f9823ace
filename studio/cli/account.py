"""Who I am at which studio: login, logout, whoami."""

from __future__ import annotations

import sys
from typing import Any

import click

from studio.cli.command import Command
from studio.cli.connection import RETRY_S, Call, address_of
from studio.cli.failures import Failure
from studio.cli.output import note, remark

TOKENS_PAGE = "/account#account-token"


@click.command(
    cls=Command,
    connects=False,
    example="""
    studio login https://studio.example.org
    studio login http://127.0.0.1:8000 < token.txt
    """,
)
@click.argument("url", required=False)
@click.option("--token", metavar="TOKEN", help="The token, instead of being asked for it.")
@click.option("--browser/--no-browser", default=True, help="Open the page where tokens are made.")
@click.pass_obj
def login(call: Call, url: str | None, token: str | None, browser: bool) -> dict[str, Any]:
    """Keep a token for a studio, in a file that only you can read.

    On a terminal it opens the page where tokens are made and asks for one; otherwise it reads one
    from standard input. URL: default that of the folder, or of the last login.
    """
    from studio.sdk import credentials

    address = address_of(url or call.config().url)
    token = (token or _asked_for(address, browser=browser)).strip()
    if not token.isascii() or not token.isprintable() or not token or " " in token:
        raise Failure("This is no token: it is one word that begins with studio_.")
    told = _whoami(address, token)
    workspace = told["workspace"] or ""
    credentials.remember(credentials.Login(address, token, told["user"], workspace))
    return {
        "url": address,
        "user": told["user"],
        "scope": told["scope"],
        "workspace_name": workspace,
    }


@click.command(cls=Command, connects=False, example="studio logout https://studio.example.org")
@click.argument("url", required=False)
@click.pass_obj
def logout(call: Call, url: str | None) -> dict[str, Any]:
    """Forget the token for a studio (default: that of the folder, or of the last login)."""
    from studio.sdk import credentials

    address = address_of(url or call.config().url)
    if not credentials.forget(address):
        raise Failure(f"There is no login for {address} to forget.")
    note(f"the token opens the studio until it is revoked: {address}/account")
    return {"url": address, "forgotten": True}


@click.command(cls=Command, example="studio whoami --output table")
@click.pass_obj
def whoami(call: Call) -> dict[str, Any]:
    """The person, workspace and rights that commands in this folder act with."""
    client = call.client()
    told = client.get("/api/v1/whoami")
    room = client.get("")
    return {
        "url": client.url,
        "user": told["user"],
        "workspace_name": room["name"],
        "role": room["role"],
        "scope": told["scope"],
        "experiment_name": call.config().experiment,
        "version": told["version"],
    }


def _asked_for(address: str, *, browser: bool) -> str:
    """The token, pasted without being shown, or a line of standard input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline()
    page = address + TOKENS_PAGE
    remark(f"Create a token on {page} and paste it here.")
    if browser:
        click.launch(page)
    found: str = click.prompt("Token", hide_input=True, err=True)
    return found


def _whoami(address: str, token: str) -> dict[str, Any]:
    """What the studio says of the token; Failure when it does not take it."""
    from studio.sdk.client import Client
    from studio.sdk.errors import AuthenticationException

    try:
        told = Client(address, "", token, retry_total_s=RETRY_S).get("/api/v1/whoami")
    except AuthenticationException:
        page = address + TOKENS_PAGE
        raise Failure(f"{address} does not take this token. Create one on {page}") from None
    if not isinstance(told, dict) or "user" not in told:
        raise Failure(f"{address} is not a studio.")
    return told

"""What people write on runs: update, tag."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from studio.cli.command import Command, Pair, run_option
from studio.cli.command import unused_experiment_option as unused
from studio.cli.connection import Call
from studio.cli.failures import Failure
from studio.cli.records import run_object

Pairs = tuple[tuple[str, str | None], ...]


@click.command(
    "update",
    cls=Command,
    example="""
    studio run update -r ID --add-tag quality="fantastic run" --add-tag reviewed
    studio run update -r ID --remove-tag quality --display-name "first try"
    studio run update -r ID --description @notes.md
    """,
)
@run_option
@unused
@click.option("--add-tag", "add", type=Pair(), multiple=True, help="A tag to set; repeatable.")
@click.option("--remove-tag", "remove", multiple=True, metavar="KEY", help="A tag to remove.")
@click.option("--display-name", metavar="NAME", help="Another name.")
@click.option("--description", metavar="TEXT", help="Markdown, or @FILE, or @- for standard input.")
@click.pass_obj
def update_run(call: Call, /, run_id: str, **asked: Any) -> dict[str, Any]:
    """Change the tags, the name or the description of a run; other tags stay."""
    described = {"display_name": asked["display_name"], "description": asked["description"]}
    described = {name: value for name, value in described.items() if value is not None}
    if not (described or asked["add"] or asked["remove"]):
        raise click.UsageError("Say what to change, for example --add-tag quality=good.")
    if "description" in described:
        described["description"] = _text_of(described["description"])
    client, record = call.client(), {}
    if described:
        record = client.request("PATCH", f"/runs/{run_id}", body=described).json()
    if asked["add"] or asked["remove"]:
        record = _tagged(call, run_id, asked["add"], asked["remove"])
    return run_object(record)


@click.command(
    "tag",
    cls=Command,
    example="""
    studio run tag -r ID quality=good reviewed
    studio run tag -r ID --remove reviewed
    """,
)
@run_option
@unused
@click.option("--remove", multiple=True, metavar="KEY", help="A tag to remove; repeatable.")
@click.argument("tags", type=Pair(), nargs=-1)
@click.pass_obj
def tag_run(call: Call, run_id: str, remove: tuple[str, ...], tags: Pairs) -> dict[str, Any]:
    """Set TAGS (key=value, or key alone) of a run, and remove others."""
    if not (tags or remove):
        raise click.UsageError("Give tags: key=value, key alone, or --remove KEY.")
    return run_object(_tagged(call, run_id, tags, remove))


def _tagged(call: Call, run_id: str, add: Pairs, remove: tuple[str, ...]) -> dict[str, Any]:
    body = {"set": dict(add), "remove": list(remove)}
    record: dict[str, Any] = call.client().post(f"/runs/{run_id}/tags", body)
    return record


def _text_of(given: str) -> str:
    """A text as it stands, or what `@file` or `@-` holds."""
    if not given.startswith("@"):
        return given
    try:
        if given == "@-":
            return sys.stdin.read()
        return Path(given[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        reason = getattr(problem, "strerror", None) or "it is no UTF-8 text"
        raise Failure(f"{given[1:]} cannot be read: {reason}.") from None


COMMANDS = (update_run, tag_run)

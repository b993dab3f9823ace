"""The root command, its families, and how it ends."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from studio.cli.command import WIDTH
from studio.cli.failures import told

# Where each command lives: loaded when it is asked for.
COMMANDS = {
    "login": "account",
    "logout": "account",
    "whoami": "account",
    "folder": "folder",
    "run": "run",
    "experiment": "experiment",
    "sync": "spool",
    "completion": "completion",
}


class Root(click.Group):
    """`studio`: finds commands lazily, and ends each with an exit code and at most one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order in which people need them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command of that name, from its module."""
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"studio.cli.{COMMANDS[name]}")
        found: click.Command = getattr(module, name)
        return found

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> NoReturn:
        """Run the command line; ends by SystemExit."""
        sys.exit(self._code(args, prog_name, extra))

    def _code(
        self, args: Sequence[str] | None, prog_name: str | None, extra: dict[str, Any]
    ) -> int:
        extra["standalone_mode"] = False
        try:
            code = super().main(args, prog_name or "studio", **extra)
            sys.stdout.flush()
            return int(code or 0)
        except (BrokenPipeError, SystemExit):
            # `studio run list | head`: the reader has seen enough. Click makes it a SystemExit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            return 0
        except Exception as problem:
            code, text = told(problem)
            click.echo(f"studio: {text}", err=True)
            return code


def _tell_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib import metadata

        try:
            version = metadata.version("studio")
        except metadata.PackageNotFoundError:
            version = "(run from its source folder)"
        click.echo(f"studio {version}")
        ctx.exit()


@click.group(
    cls=Root,
    context_settings={"max_content_width": WIDTH, "help_option_names": ["-h", "--help"]},
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_tell_version,
    help="Show the version and exit.",
)  # fmt: skip
def cli() -> None:
    """Watch and manage training runs of a studio.

    \b
    Examples:
      studio login https://studio.example.org
      studio folder attach -w lab -e explore-runs
      studio run submit-script train.py --lr 0.1
      studio run list --last 5 --output table
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """The entry point of the program `studio`."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(
            stream, "reconfigure"
        ):  # a terminal that can't show a letter still gets the rest
            stream.reconfigure(errors="backslashreplace")
    cli.main(arguments)

"""The command line, run in this process."""

from typing import Any, NamedTuple

from click.testing import CliRunner

from studio.cli.main import cli


class Done(NamedTuple):
    code: int
    out: str
    err: str


def studio(*words: str, input: str | None = None, **environment: str) -> Done:
    """What `studio <words>` ends with, on a screen 100 wide that is no terminal."""
    made = CliRunner(env={"COLUMNS": "100", **environment}).invoke(
        cli, list(words), input=input, prog_name="studio"
    )
    return Done(made.exit_code, made.stdout, made.stderr)


def commands(group: Any = cli, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """(words, command) of every command that is no group."""
    found = []
    for name in group.list_commands(None):
        command, words = group.get_command(None, name), (*path, name)
        found += commands(command, words) if hasattr(command, "commands") else [(words, command)]
    return found

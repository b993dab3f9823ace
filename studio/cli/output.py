"""What a command found, as JSON, YAML, table or tab-separated values on standard output."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Sequence
from typing import Any, TextIO

import click

from studio.cli import tables

CONTROL = re.compile(r"[\x7f-\x9f]")
FORMATS = ("json", "yaml", "table", "tsv")


def in_colour(stream: TextIO) -> bool:
    """Whether colours may be written: only to a terminal, and not when NO_COLOR is set."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def note(text: str) -> None:
    """A remark on standard error, which no program has to read."""
    remark(f"note: {text}")


def remark(text: str, *, dim: bool = False) -> None:
    """One line on standard error; whoever wrote the text can't move or colour the terminal."""
    clean = one_line(text)
    click.echo(click.style(clean, dim=True) if dim else clean, err=True)


def one_line(text: str) -> str:
    """One line without control characters, whoever wrote the text."""
    return "".join(c for c in " ".join(text.split()) if c.isprintable())


def chosen(value: Any, expression: Any) -> Any:
    """What a compiled JMESPath expression selects of a value; all of it without one."""
    if expression is None:
        return value
    from jmespath.exceptions import JMESPathError

    try:
        return expression.search(value)
    except JMESPathError as problem:
        text = str(problem).splitlines()[0]
        raise click.UsageError(f"--query cannot be used on this output: {text}.") from None


def show(value: Any, output: str, columns: Sequence[str] | None) -> None:
    """Write a value in a format. `columns`: the fields of a table, where not all are wanted."""
    text = _rendered(value, output, columns)
    if text:
        click.echo(text)


def _rendered(value: Any, output: str, columns: Sequence[str] | None) -> str:
    if output == "yaml":
        import yaml

        text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
        return text.removesuffix("\n").removesuffix("\n...")
    if output == "tsv":
        return tables.tab_separated(value, columns)
    if output == "table":
        is_terminal = sys.stdout.isatty()
        width = os.get_terminal_size(sys.stdout.fileno()).columns if is_terminal else None
        return tables.drawn(value, columns, width=width, colour=in_colour(sys.stdout))
    text = json.dumps(value, indent=2, ensure_ascii=False)
    # JSON leaves them as they are, and a terminal may obey them.
    return CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)

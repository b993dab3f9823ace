"""Rows of delimited text and of JSON Lines. Pure: bytes in, cells out."""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

MAX_ROWS = 500
MAX_COLUMNS = 200
MAX_CELL = 200
MAX_CELL_READ = 131_072
# A page of this many cells still scrolls.
MAX_CELLS = 20_000
DELIMITERS = ",\t;|"
_QUOTED = re.compile(r'"[^"]*"')


class NoTable(Exception):
    """It does not read as a table; the words say why."""


@dataclass(frozen=True, slots=True)
class Table:
    """Some rows of a file. first: the number of the first one, from 0; n_columns: of the file, more
    than `columns` when some are left out; n_rows: of the file, None when not all were read;
    has_more: rows that can be asked for."""

    columns: list[str]
    rows: list[list[str]]
    first: int = 0
    n_columns: int = 0
    n_rows: int | None = None
    has_more: bool = False
    facts: list[tuple[str, str]] = field(default_factory=list)


def delimiter_of(text: str) -> str:
    """The delimiter that the first lines have most alike; a comma when none fits."""
    # What stands in quotes separates nothing.
    bare = _QUOTED.sub("", text[:100_000])
    lines = [line for line in islice(bare.splitlines(), 20) if line]

    def fit(mark: str) -> tuple[bool, int]:
        counts = [line.count(mark) for line in lines]
        return (bool(counts) and counts[0] > 0 and len(set(counts)) == 1, sum(counts))

    return max(DELIMITERS, key=fit)


def read_delimited(text: str, *, first: int, is_whole: bool, delimiter: str = "") -> Table:
    """Rows `first`… below the line of names. `text` is the beginning of a file when not
    `is_whole`: its last line is then left out. Raises NoTable."""
    reader = csv.reader(
        whole_lines(text, is_whole=is_whole), delimiter=delimiter or delimiter_of(text)
    )
    rows = _with_short_cells(reader)
    try:
        names = next(rows, [])
        if not names:
            raise NoTable("There is no line of names.")
        return page_of(names, (row for row in rows if row), first=first, is_whole=is_whole)
    except csv.Error:
        raise NoTable("It does not read as a table: a cell is too long, or not closed.") from None


def _with_short_cells(rows: Iterable[list[str]]) -> Iterator[list[str]]:
    # The reader's own limit is one for the whole process, and an import raises it.
    for row in rows:
        if any(len(cell) > MAX_CELL_READ for cell in row):
            raise csv.Error("a cell is too long")
        yield row


def whole_lines(text: str, *, is_whole: bool) -> Iterator[str]:
    """The lines with one line end each, made while they are read; without the last one when the
    text is cut there."""
    for line in io.StringIO(text, newline="\n"):
        if line.endswith("\n") or is_whole:
            # A carriage return alone is no line end of the reader.
            yield line.removesuffix("\n").rstrip("\r").replace("\r", " ") + "\n"


def read_json_lines(text: str, *, first: int, is_whole: bool) -> Table:
    """Rows `first`…, one for each line; the columns are the names in the first rows of the page.
    Raises NoTable when a line is not a JSON object."""
    lines = (line for line in whole_lines(text, is_whole=is_whole) if line.strip())
    found = [as_object(line) for line in islice(lines, first, first + MAX_ROWS)]
    names = list(dict.fromkeys(name for row in found for name in row))
    if not names:
        raise NoTable("No line is a JSON object.")
    shown = names[:MAX_COLUMNS]
    cells = ([as_cell(row[name]) if name in row else "" for name in shown] for row in found)
    table = page_of(shown, cells, first=0, is_whole=True)
    more = table.has_more or next(lines, None) is not None
    total = first + len(found) if is_whole and not more else None
    return Table(table.columns, table.rows, first, len(names), n_rows=total, has_more=more)


def as_object(line: str) -> dict[str, object]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise NoTable("Not every line is a JSON object.")
    return value


def as_cell(value: object) -> str:
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return "…"


def page_of(names: list[str], rows: Iterable[list[str]], *, first: int, is_whole: bool) -> Table:
    """A page of the rows, as many as there is room for."""
    columns = [cut(name) for name in names[:MAX_COLUMNS]]
    most = max(20, min(MAX_ROWS, MAX_CELLS // len(columns)))
    left: Iterator[list[str]] = islice(rows, first, None)
    shown = [[cut(cell) for cell in row[: len(columns)]] for row in islice(left, most)]
    more = next(left, None) is not None
    total = first + len(shown) if is_whole and not more else None
    return Table(columns, shown, first, len(names), n_rows=total, has_more=more)


def cut(text: str) -> str:
    return text if len(text) <= MAX_CELL else text[:MAX_CELL] + "…"

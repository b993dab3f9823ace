"""A table as CSV (RFC 4180, UTF-8 without a mark) in which no cell is a formula."""

import csv
import io
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence

from studio.exports.json_lines import json_value, number_name
from studio.exports.table import Table
from studio.search.column_values import Cell
from studio.search.printer import quote

# What spreadsheets take for the beginning of a formula, also in its full-width forms.
_FORMULA = frozenset("=+-@＝＋－＠−﹢﹣﹦﹫\t\r\n")
# A parameter is a text; one that is a number can't be a formula, and stays one for a program.
_NUMBER = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|inf|infinity|nan)", re.I | re.A)
_PAIR_MARKS = re.compile(r'[;:"\n]')


def write_csv(table: Table) -> Iterator[bytes]:
    """The head, then a piece for each block."""
    yield _lines([[str(column) for column in table.columns]])
    for rows in table.blocks():
        yield _lines([[csv_text(value) for value in row] for row in rows])


def csv_lines(rows: Iterable[Sequence[Cell]]) -> bytes:
    """The rows of a small table, all at once."""
    return _lines([[csv_text(value) for value in row] for row in rows])


def _lines(rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8", "replace")


def csv_text(value: Cell) -> str:
    """What a cell holds: times in UTC, durations in seconds, `key: value; key` for tags.

    A text that a spreadsheet could run gets an apostrophe in front.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value) if math.isfinite(value) else number_name(value)
    plain = json_value(value)
    return _safe(_pairs(plain) if isinstance(plain, dict) else plain)


def _pairs(held: Mapping[str, str | int | None]) -> str:
    """Pairs that can be read back: a key or value with a mark of this list in it is quoted."""
    parts = []
    for key, value in held.items():
        text = _quoted(key)
        parts.append(text if value is None else f"{text}: {_quoted(str(value))}")
    return "; ".join(parts)


def _quoted(text: str) -> str:
    return quote(text) if _PAIR_MARKS.search(text) else text


def _safe(text: str) -> str:
    if _NUMBER.fullmatch(text):
        return text
    # Some spreadsheets skip blanks and invisible characters before they look for a formula.
    shown = next((sign for sign in text if sign in _FORMULA or not _is_invisible(sign)), "")
    return f"'{text}" if shown in _FORMULA else text


def _is_invisible(sign: str) -> bool:
    return unicodedata.category(sign)[0] in "ZC"

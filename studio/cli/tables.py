"""Values as a table for people, and as tab-separated values for other programs."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

GAP = "  "
LEAST_WIDTH = 8
TIME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?(?:Z|\+00:00)")
COLOURS = {"Completed": "32", "Failed": "31", "Running": "34", "Canceled": "33"}
COLOURS |= dict.fromkeys(("CancelRequested", "NotResponding"), "33")

Rows = list[list[Any]]


def tab_separated(value: Any, columns: Sequence[str] | None) -> str:
    """A line for each item, without names; tabs, line breaks and backslashes are escaped."""
    if isinstance(value, dict):
        value = [value]
    _, rows = _table_of(value, columns)
    return "\n".join("\t".join(_tsv_cell(cell) for cell in row) for row in rows)


def drawn(value: Any, columns: Sequence[str] | None, *, width: int | None, colour: bool) -> str:
    """A table with a line of names; an object alone is a line for each field. With a `width` the
    widest columns are cut to it. Control characters are shown, not obeyed."""
    if isinstance(value, dict):
        names: list[str] = []
        rows: Rows = [[key, cell] for key, cell in value.items()]
    else:
        names, rows = _table_of(value, columns)
    cells = [[_shown(cell) for cell in row] for row in rows]
    head = [[_shown(name) for name in names]] if names else []
    widths = _widths(head + cells, width)
    rule = [["-" * width_of_column for width_of_column in widths]] if names else []
    lines = [_line(row, widths, colour=colour) for row in head + rule + cells]
    return "\n".join(lines)


def _table_of(value: Any, columns: Sequence[str] | None) -> tuple[list[str], Rows]:
    """(names, rows) of any value: of objects their fields, of lists their places."""
    items = value if isinstance(value, list) else [] if value is None else [value]
    if items and all(isinstance(item, dict) for item in items):
        names = list(columns or dict.fromkeys(key for item in items for key in item))
        return names, [[item.get(name) for name in names] for item in items]
    if items and all(isinstance(item, list) for item in items):
        most = max(map(len, items))
        return [f"column{i + 1}" for i in range(most)], [
            [*item, *[None] * (most - len(item))] for item in items
        ]
    return list(columns or ["result"]), [[item] for item in items]


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, dict | list):
        return json.dumps(cell, ensure_ascii=False, separators=(", ", ": ")) if cell else ""
    return str(cell)


def _tsv_cell(cell: Any) -> str:
    text = _text(cell).replace("\\", "\\\\").replace("\t", "\\t")
    return _harmless(text.replace("\r", "\\r").replace("\n", "\\n"))


def _shown(cell: Any) -> str:
    """A cell for people's eyes: pairs as `key=value`, times to the second, numbers to three
    digits, one line."""
    if isinstance(cell, dict):
        cell = ", ".join(k if v in (None, "") else f"{k}={_text(v)}" for k, v in cell.items())
    elif isinstance(cell, list) and all(isinstance(item, str) for item in cell):
        cell = " ".join(cell)
    elif isinstance(cell, float):
        cell = f"{cell:.0f}" if abs(cell) >= 1000 else f"{cell:.3g}"
    return _harmless(TIME.sub(r"\1 \2", _text(cell)))


def _harmless(text: str) -> str:
    """A text in which control characters are shown as `\\x1b`."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def _width_of(text: str) -> int:
    """How many places of a terminal a text takes."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(bool(unicodedata.combining(c)) for c in text)


def _widths(rows: list[list[str]], most: int | None) -> list[int]:
    widths = [max(map(_width_of, column)) for column in zip(*rows, strict=True)]
    while most and sum(widths) + len(GAP) * (len(widths) - 1) > most:
        widest = max(range(len(widths)), key=widths.__getitem__)
        if widths[widest] <= LEAST_WIDTH:
            break
        widths[widest] -= 1
    return widths


def _line(row: list[str], widths: list[int], *, colour: bool) -> str:
    cells = [_padded(text, width) for text, width in zip(row, widths, strict=True)]
    if colour:
        cells = [
            f"\x1b[{COLOURS[text]}m{cell}\x1b[0m" if text in COLOURS else cell
            for text, cell in zip(row, cells, strict=True)
        ]
    return GAP.join(cells).rstrip()


def _padded(text: str, width: int) -> str:
    if _width_of(text) > width:
        while _width_of(text) > width - 1:
            text = text[:-1]
        text += "…"
    return text + " " * (width - _width_of(text))

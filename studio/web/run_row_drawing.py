"""Rows of a table of runs as HTML, each drawn once for as long as it looks the same.

Drawing fifty rows is most of the work of a list, and a list is asked for again and again: by its
readers, after each step of a search, while runs go on. What a row looks like follows from what
`looks` puts into words, and from nothing else.
"""

from collections import OrderedDict
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING

from markupsafe import Markup

from studio.web.formats import ago
from studio.web.jinja import part

if TYPE_CHECKING:
    from studio.web.run_rows import Row

# About 4 KB each.
MAX_KEPT = 2_000


class Kept:
    """The rows drawn last, by their looks; threads share it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._rows: OrderedDict[str, Markup] = OrderedDict()
        self._lock = Lock()

    def get(self, looks: str) -> Markup | None:
        with self._lock:
            if looks in self._rows:
                self._rows.move_to_end(looks)
            return self._rows.get(looks)

    def put(self, looks: str, html: Markup) -> None:
        with self._lock:
            self._rows[looks] = html
            while len(self._rows) > self._most:
                self._rows.popitem(last=False)


KEPT = Kept(MAX_KEPT)


def drawn(row: "Row", *, is_oob: bool = False) -> Markup:
    """The row as templates/runs/_row.html draws it; `is_oob` as a replacement of its like."""
    known = looks(row, is_oob=is_oob)
    html = KEPT.get(known)
    if html is None:
        html = part("runs/_row.html", {"row": row, "is_oob": is_oob})
        KEPT.put(known, html)
    return html


def looks(row: "Row", *, is_oob: bool) -> str:
    """Everything that the template reads of a row; two rows of the same looks are drawn alike."""
    run = row.run
    # Its place says the workspace. How long ago a moment was changes without it.
    facts = (
        run.page_path,
        run.display_name,
        run.is_terminal,
        run.started_at and run.started_at.isoformat(),
        row.depth,
        row.is_chosen,
        row.is_open,
        row.toggle_url,
        row.is_deepest,
        row.can_edit,
        row.rollup,
        is_oob,
    )
    cells = [
        (cell.shown.text, cell.value.isoformat(), ago(cell.value))
        if isinstance(cell.value, datetime)
        else (cell.shown.text, cell.value)
        for cell in row.cells
    ]
    return repr((facts, cells))

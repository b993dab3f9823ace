"""Keyset paging over (created_at, id): as quick on page 1,000 as on page 1, and no run is shown
twice or missed while others are being added."""

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import Q

from studio.runs.models import Run
from studio.runs.querysets import RunQuerySet

EXACT_UP_TO = 10_000


@dataclass(frozen=True, slots=True)
class Page:
    """`newer` and `older` are cursors, empty when there is nothing there."""

    runs: list[Run]
    newer: str
    older: str


def cursor_of(run: Run) -> str:
    text = f"{run.created_at.timestamp():.6f}/{run.pk}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> tuple[datetime, int] | None:
    """The place a cursor names, None when somebody made it up."""
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        moment, pk = text.split("/")
        return datetime.fromtimestamp(float(moment), UTC), int(pk)
    except (ValueError, OverflowError, binascii.Error, OSError):
        return None


def older_than(place: tuple[datetime, int]) -> Q:
    at, pk = place
    return Q(created_at__lt=at) | Q(created_at=at, pk__lt=pk)


def newer_than(place: tuple[datetime, int]) -> Q:
    at, pk = place
    return Q(created_at__gt=at) | Q(created_at=at, pk__gt=pk)


def page_of(runs: RunQuerySet, *, size: int, after: str, before: str) -> Page:
    """One page, newest first; 1 query (+ those of `for_list`). A bad cursor gives page 1."""
    below = read_cursor(after) if after else None
    above = read_cursor(before) if before else None
    if above:
        rows = list(runs.filter(newer_than(above)).order_by("created_at", "id")[: size + 1])
        more_above, shown = len(rows) > size, rows[:size][::-1]
        return Page(
            shown,
            newer=cursor_of(shown[0]) if shown and more_above else "",
            older=cursor_of(shown[-1]) if shown else "",
        )
    if below:
        runs = runs.filter(older_than(below))
    rows = list(runs.newest()[: size + 1])
    shown = rows[:size]
    return Page(
        shown,
        newer=cursor_of(shown[0]) if shown and below else "",
        older=cursor_of(shown[-1]) if len(rows) > size else "",
    )


def count_of(runs: RunQuerySet) -> tuple[int, bool]:
    """How many match, and whether that is exact (up to 10,000; more are not counted)."""
    n = runs.order_by()[: EXACT_UP_TO + 1].count()
    return min(n, EXACT_UP_TO), n <= EXACT_UP_TO

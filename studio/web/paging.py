"""How many runs a list has, and which are newer than its first row."""

import base64
import binascii
from datetime import UTC, datetime

from django.db.models import Q

from studio.runs.models import Run
from studio.runs.querysets import RunQuerySet

EXACT_UP_TO = 10_000


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


def newer_than(place: tuple[datetime, int]) -> Q:
    at, pk = place
    return Q(created_at__gt=at) | Q(created_at=at, pk__gt=pk)


def count_of(runs: RunQuerySet) -> tuple[int, bool]:
    """How many match, and whether that is exact (up to 10,000; more are not counted)."""
    n = runs.shortlisted().order_by()[: EXACT_UP_TO + 1].count()
    return min(n, EXACT_UP_TO), n <= EXACT_UP_TO

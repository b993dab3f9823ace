"""Which tags the runs of a selection carry: all of them, some, with one value or several."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Max, Min

from studio.accounts.models import User, Workspace
from studio.bulk import selection as selecting
from studio.bulk.selection import Selection
from studio.runs.machine_tags import OF_MACHINES
from studio.runs.models import Tag
from studio.runs.querysets import RunQuerySet

MAX_LOOKED_AT = 10_000
MAX_KEYS = 50


@dataclass(frozen=True, slots=True)
class TagState:
    """One tag key among the runs that were looked at: `n` of `n_runs` carry it, `n_bare` without a
    value. `value`: the one that all who carry it have, None for no value or several."""

    key: str
    n: int
    n_runs: int
    n_bare: int
    has_several: bool
    value: str | None

    @property
    def is_on_all(self) -> bool:
        return self.n == self.n_runs


@dataclass(frozen=True, slots=True)
class TagStates:
    """The commonest keys first; `n_more` others are left out. `n_runs` were looked at, which is
    not every one of the selection unless `is_whole`."""

    states: tuple[TagState, ...]
    n_runs: int
    n_more: int
    is_whole: bool


@dataclass(slots=True)
class _Key:
    n: int = 0
    n_bare: int = 0
    least: str | None = None
    most: str | None = None

    def add(self, row: dict[str, Any]) -> None:
        self.n += row["n"]
        self.n_bare += row["n"] - row["n_valued"]
        given = [text for text in (self.least, row["least"]) if text is not None]
        self.least = min(given, default=None)
        given = [text for text in (self.most, row["most"]) if text is not None]
        self.most = max(given, default=None)


def tag_states(selection: Selection, workspace: Workspace, *, user: User | None) -> TagStates:
    """The tags of a selection that was `checked`.

    However many match, at most MAX_LOOKED_AT runs are looked at (the newest, of a query).
    Queries: two for a query; for ids, two for each 500 of them. Raises SearchSyntaxError.
    """
    found: dict[str, _Key] = {}
    n_runs, is_whole = 0, True
    for runs in _looked_at(selection, workspace, user=user):
        n = runs.count()
        n_runs += min(n, MAX_LOOKED_AT)
        is_whole = is_whole and n <= MAX_LOOKED_AT
        for row in _rows(runs[:MAX_LOOKED_AT]):
            found.setdefault(row["key"], _Key()).add(row)
    order = Counter({key: one.n for key, one in sorted(found.items())}).most_common()
    states = tuple(_state(key, found[key], n_runs) for key, _ in order[:MAX_KEYS])
    return TagStates(states, n_runs, max(0, len(order) - MAX_KEYS), is_whole)


def _looked_at(
    selection: Selection, workspace: Workspace, *, user: User | None
) -> list[RunQuerySet]:
    """Each cut where it becomes too many, so that even counting it ends."""
    return [
        runs.order_by("-pk")[: MAX_LOOKED_AT + 1]
        for runs in selecting.parts(selection, workspace, user=user)
    ]


def _rows(runs: Any) -> Any:
    tags = Tag.objects.filter(run__in=runs.values("pk")).exclude(OF_MACHINES).order_by()
    return tags.values("key").annotate(
        n=Count("pk"), n_valued=Count("value"), least=Min("value"), most=Max("value")
    )


def _state(key: str, seen: _Key, n_runs: int) -> TagState:
    # Some have it with a value and others without one: that is several, too.
    is_mixed = seen.least != seen.most or 0 < seen.n_bare < seen.n
    value = None if is_mixed else seen.least
    return TagState(key, seen.n, n_runs, seen.n_bare, is_mixed, value)

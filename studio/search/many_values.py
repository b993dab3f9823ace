"""What thousands of runs have in a few columns, as lists: no object for each run or cell.

`column_values` makes a dictionary for each run of a page; for a chart of 5,000 that takes too long.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from studio.metrics.models import Metric
from studio.metrics.points_at import values_at_best
from studio.queries.ids import Ids
from studio.runs.querysets import RunQuerySet
from studio.search.column_values import LABELS, POINTING, Cell
from studio.search.columns import Column

# Family -> the fields of a run that it is made of.
_OWN: dict[str, tuple[str, ...]] = {
    "name": ("display_name",),
    "status": ("status",),
    "submitted": ("created_at",),
    "started": ("started_at",),
    "ended": ("ended_at",),
    "duration": ("duration_s", "started_at"),
    "type": ("type",),
    "number": ("number",),
    "uid": ("uid",),
    **{family: (attribute,) for family, (_, attribute, _) in POINTING.items()},
}


@dataclass(frozen=True, slots=True)
class Many:
    """Lists of one length, in the order of the runs; None where a run has no such value."""

    ids: Sequence[int]
    uids: Sequence[str]
    names: Sequence[str]
    statuses: Sequence[str]
    values: dict[Column, Sequence[Cell]]

    def __len__(self) -> int:
        return len(self.ids)

    def part(self, places: Sequence[int]) -> "Many":
        """The runs at these places, in this order."""

        def some(cells: Sequence[Any]) -> list[Any]:
            return [cells[place] for place in places]

        values: dict[Column, Sequence[Cell]] = {c: some(v) for c, v in self.values.items()}
        return Many(some(self.ids), some(self.uids), some(self.names), some(self.statuses), values)


def many_values(runs: RunQuerySet, columns: Sequence[Column]) -> Many:
    """The values of the runs, in their order; what has no place on an axis (tags, star, child runs,
    description) is None. Queries: one, and one for each family of columns that is no field of a
    run, 8 at most."""
    wanted = {name: None for column in columns for name in _OWN.get(column.family, ())}
    fields = ["pk", "uid", "display_name", "status", *wanted]
    rows = list(runs.values_list(*fields))
    held: dict[str, Sequence[Any]] = dict(
        zip(fields, list(zip(*rows, strict=True)) or [()] * len(fields), strict=True)
    )
    ids = held["pk"]
    values: dict[Column, Sequence[Cell]] = {column: [None] * len(ids) for column in columns}
    for family in dict.fromkeys(column.family for column in columns) if rows else ():
        some = [column for column in columns if column.family == family]
        values |= _READERS.get(family, _nothing)(held, some)
    return Many(ids, held["uid"], held["display_name"], held["status"], values)


Held = dict[str, Sequence[Any]]
Read = dict[Column, Sequence[Cell]]


def _nothing(held: Held, columns: list[Column]) -> Read:
    return {}


def _own(held: Held, columns: list[Column]) -> Read:
    return {column: held[_OWN[column.family][0]] for column in columns}


def _durations(held: Held, columns: list[Column]) -> Read:
    now = timezone.now()
    found = [
        seconds if seconds is not None or start is None else max(0.0, (now - start).total_seconds())
        for seconds, start in zip(held["duration_s"], held["started_at"], strict=True)
    ]
    return dict.fromkeys(columns, found)


def _pointing(held: Held, columns: list[Column]) -> Read:
    found: Read = {}
    for column in columns:
        model, attribute, name = POINTING[column.family]
        ids = set(held[attribute]) - {None}
        names = dict(model._default_manager.filter(pk__in=ids).values_list("pk", name))
        found[column] = list(map(names.get, held[attribute]))
    return found


def _labels(held: Held, columns: list[Column]) -> Read:
    """A tag without a value is ""."""
    keys = [column.name for column in columns]
    rows = LABELS[columns[0].family]._default_manager.filter(run__in=Ids(held["pk"]), key__in=keys)
    by_key: dict[str, dict[int, str]] = {key: {} for key in keys}
    for pk, key, value in rows.values_list("run_id", "key", "value"):
        by_key[key][pk] = value or ""
    return {column: list(map(by_key[column.name].get, held["pk"])) for column in columns}


def _metrics(held: Held, columns: list[Column]) -> Read:
    plain = [column for column in columns if not column.of]
    names, stats = {c.name for c in plain}, list({c.stat or "last" for c in plain})
    by_column: dict[Column, dict[int, Any]] = {column: {} for column in columns}
    rows = Metric.objects.filter(run__in=Ids(held["pk"]), name__in=names)
    wanted = [(c.name, 2 + stats.index(c.stat or "last"), by_column[c]) for c in plain]
    for row in rows.values_list("run_id", "name", *stats) if plain else ():
        for name, place, cells in wanted:
            if row[1] == name:
                cells[row[0]] = row[place]
    at_best = {(c.name, c.of, c.stat == "at-max"): c for c in columns if c.of}
    if at_best:
        for pk, asked, value in values_at_best(held["pk"], at_best):
            by_column[at_best[asked]][pk] = value
    return {column: list(map(cells.get, held["pk"])) for column, cells in by_column.items()}


_READERS: dict[str, Callable[[Held, list[Column]], Read]] = {
    **dict.fromkeys(_OWN, _own),
    "duration": _durations,
    **dict.fromkeys(POINTING, _pointing),
    **dict.fromkeys(LABELS, _labels),
    "metric": _metrics,
}

"""Pages of runs in MLflow's orders, cut by value: page 1,000 takes no longer than page 1.

Where the first key's values stand in an index, that is walked: the start of the runs, a metric, a
parameter, a tag. Runs of few, and by other keys, are sorted.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, Subquery
from django.db.models.lookups import GreaterThanOrEqual, LessThanOrEqual

from studio.mlflow_api.run_orders import Key, Lane, lacks_row
from studio.runs.models import Experiment, Run
from studio.runs.querysets import RunQuerySet
from studio.search.choosing import is_better_sorted
from studio.search.cursors import Place

# Of so few runs all values are read and sorted; of more, an index is walked.
FEW = 1_000


@dataclass(frozen=True, slots=True)
class Walk:
    """The runs of a search in its order. experiment_ids: those it was asked for, the one with most
    runs first."""

    runs: RunQuerySet
    keys: tuple[Key, ...]
    experiment_ids: tuple[int, ...]

    def page(self, place: Place | None, n: int) -> list[Place]:
        """The next `n` runs behind `place`, from the beginning without one: a place holds rank and
        value of each key, then the run's uid. Queries: bounded by the keys, not by the runs."""
        if not self.keys[0].lanes:
            return self._walked(self.runs, 0, place, n)
        ids = list(self.runs.shortlisted().values_list("pk", flat=True)[: FEW + 1])
        if len(ids) <= FEW:
            few = Run.objects.filter(pk__in=ids)
            return self._read(few, 0, None, place, n)
        listed = self.runs.shortlist
        if listed is not None and is_better_sorted(listed, n=n):
            return self._read(self.runs.shortlisted(), 0, None, place, n)
        return self._walked(self.runs, 0, place, n)

    def _walked(self, runs: RunQuerySet, index: int, place: Place | None, n: int) -> list[Place]:
        """The next runs by key `index` and those behind it, lane by lane."""
        key = self.keys[index]
        if key.sorting.key == "start_time":
            runs = self._within(runs, index, place, n)
        elif not key.lanes:
            runs = runs.shortlisted()
        if not key.lanes:
            return self._read(runs, index, None, place, n)
        start = place.values[2 * index] if place else 0
        found: list[Place] = []
        for lane in key.lanes:
            if lane.rank < start or len(found) == n:
                continue
            at = place if lane.rank == start else None
            found += self._lane(runs, index, lane, at, n - len(found))
        if len(found) < n:
            at = place if key.missing == start else None
            without = runs.filter(lacks_row(key))
            found += self._behind(without, index, key.missing, at, n - len(found))
        return found

    def _lane(
        self, runs: RunQuerySet, index: int, lane: Lane, place: Place | None, n: int
    ) -> list[Place]:
        if lane.column:
            return self._driven(runs, index, lane, place, n)
        inside, is_empty = Q(), True
        for rows in lane.all_rows:
            ids = list(rows.order_by().values_list("run_id", flat=True)[: FEW + 1])
            is_few = len(ids) <= FEW
            inside |= Q(pk__in=ids) if is_few else Q(Exists(rows.filter(run=OuterRef("pk"))))
            is_empty = is_empty and not ids
        if is_empty:
            return []
        return self._behind(runs.filter(inside), index, lane.rank, place, n)

    def _behind(
        self, runs: RunQuerySet, index: int, rank: int, place: Place | None, n: int
    ) -> list[Place]:
        """The next of runs that key `index` does not tell apart."""
        found = self._walked(runs, index + 1, place, n)
        own = (rank, self.keys[index].zero)
        cut = 2 * index
        return [Place(p.values[:cut] + own + p.values[cut + 2 :], p.pk) for p in found]

    def _driven(
        self, runs: RunQuerySet, index: int, lane: Lane, place: Place | None, n: int
    ) -> list[Place]:
        """The next along the index of a lane: of each row is asked whether its run is searched."""
        rows = lane.rows.filter(Exists(runs.order_by().filter(pk=OuterRef("run_id"))))
        if runs.shortlist is not None and not runs.shortlist.is_begun:
            rows = rows.filter(runs.shortlist.test("run_id"))
        return self._read(rows, index, lane, place, n)

    def _within(self, runs: RunQuerySet, index: int, place: Place | None, n: int) -> RunQuerySet:
        """Those of several experiments that may be among the next `n`: each experiment has its own
        index by start, and of none more than `n` are taken (2 queries: where those of the largest
        end, there the others need not be read further)."""
        if len(self.experiment_ids) < 2:
            return runs
        key = self.keys[index]
        started = runs.annotate(started=key.value(""))
        if place is not None:
            bound = {f"started__{'lt' if key.descending else 'gt'}": place.values[2 * index + 1]}
            started = started.filter(**bound)
        in_order = started.order_by(f"{'-' if key.descending else ''}started")
        largest, *others = self.experiment_ids
        first = in_order.filter(experiment=largest).values_list("started", flat=True)[n - 1 : n]
        ends = list(first)
        if ends:
            in_order = in_order.filter(_reaching(key, ends[0]))
        own = in_order.filter(experiment=OuterRef("pk")).values("started")[n - 1 : n]
        rows = Experiment.objects.filter(pk__in=others).order_by()
        ends += [end for end in rows.values_list(Subquery(own), flat=True) if end is not None]
        if not ends:
            return runs
        return runs.filter(_reaching(key, max(ends) if key.descending else min(ends)))

    def _read(
        self, rows: Any, index: int, lane: Lane | None, place: Place | None, n: int
    ) -> list[Place]:
        """The next `n` places of rows in the order of key `index` and those behind it; with a lane,
        rows are its own and the first key stands in a column of theirs (1 query)."""
        to = "" if lane is None else "run__"
        names: dict[str, Any] = {}
        for i, key in enumerate(self.keys[index:], index):
            if i == index and lane is not None:
                names[f"value{i}"] = F(lane.column)
                continue
            if key.rank is not None:
                names[f"rank{i}"] = key.rank(to)
            names[f"value{i}"] = key.value(to)
        uid = f"{to}uid"
        rows = rows.annotate(**names)
        if place is not None:
            rows = rows.filter(self._beyond(place, names, uid))
        id_column = "pk" if lane is None else "run_id"
        found = rows.order_by(*self._by(names), uid).values_list(id_column, uid, *names)[:n]
        return [self._place(row, names, index, lane) for row in found]

    def _by(self, names: dict[str, Any]) -> list[Any]:
        by = []
        for name in names:
            index, is_value = divmod(_slot(name), 2)
            down = is_value and self.keys[index].descending
            by.append(F(name).desc() if down else F(name).asc())
        return by

    def _beyond(self, place: Place, names: dict[str, Any], uid: str) -> Q:
        """What follows `place`, by the named values and the uid."""
        beyond = Q(**{f"{uid}__gt": place.values[-1]})
        for name in reversed(names):
            i, is_value = divmod(_slot(name), 2)
            sign = "lt" if is_value and self.keys[i].descending else "gt"
            value = place.values[_slot(name)]
            # The first part says nothing new, but an index can begin there.
            bound = Q(**{f"{name}__{sign}e": value})
            beyond = bound & (Q(**{f"{name}__{sign}": value}) | beyond)
        return beyond

    def _place(
        self, row: tuple[Any, ...], names: Iterable[str], index: int, lane: Lane | None
    ) -> Place:
        pk, uid, *held = row
        values: list[Any] = []
        for key in self.keys:
            values += [0, key.zero]
        for name, value in zip(names, held, strict=True):
            values[_slot(name)] = value
        if lane is not None:
            values[2 * index] = lane.rank
        return Place((*values, uid), pk)


def _reaching(key: Key, end: datetime) -> Q:
    """Runs that do not come after a start, in the order of the key."""
    reaches = GreaterThanOrEqual if key.descending else LessThanOrEqual
    return Q(reaches(key.value(""), end))


def _slot(name: str) -> int:
    """Where a place holds what a query calls rank3 or value3."""
    is_value = name.startswith("value")
    return 2 * int(name[5 if is_value else 4 :]) + is_value

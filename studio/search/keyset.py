"""Pages of runs in any order, cut by value and not by number: as quick on page 1,000 as on page 1,
and no run is shown twice or missed while others are being added.

A page is filled in stages: runs with a value in the first lane, in the order of its index; then
those without one but with a value in the second; … ; then those without any. So
each query walks one index from one place and stops when the page is full.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any

from django.db import connection
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from studio.queries.ids import Ids, any_of
from studio.runs.models import Experiment, Run
from studio.runs.querysets import RunQuerySet, Shortlist
from studio.search.blocks import Block, Shared, blocks
from studio.search.choosing import first_steps, is_better_sorted, likely_list, share_of
from studio.search.cursors import Place, read_cursor, write_cursor
from studio.search.lanes import SHARED
from studio.search.order import NEWEST, SUBMITTED, Order, Step, print_order

# Of so few runs all values are read and sorted; of more, an index is walked. To learn that there
# are 1,000 costs a filter of several conditions most of what finding 3,000 does.
FEW = 3_000
# Of so many rows with one tag value, say, the next key's index is walked instead of sorting them.
BIG = 10_000
MAX_BLOCKS = 8
# Of so many runs at most all are sorted by a column with few values.
BLOCKS_FROM = 20_000


Load = Callable[[RunQuerySet], RunQuerySet]


@dataclass(frozen=True, slots=True)
class Page:
    """`newer` and `older` are cursors of the pages above and below, empty when there is none."""

    runs: list[Run]
    newer: str
    older: str


def page(
    queryset: RunQuerySet,
    order: Order,
    *,
    size: int,
    after: str = "",
    before: str = "",
    load: Load = RunQuerySet.all,
) -> Page:
    """One page of the runs in the order: below the cursor `after`, or above `before`, or the
    first; a made-up cursor gives the first.

    load: makes of the runs of a page those with what the caller needs of them. Queries: those of
    one load, and unless the order is NEWEST one for each lane of the order and two more, at most;
    on PostgreSQL also one for each condition and one more, and two for each some hundred runs that
    are passed by; whatever the depth.
    """
    walk, name = _Walk.of(queryset, order, load), print_order(order.keys)
    if before and (place := read_cursor(before, name)):
        above = walk.take(place, size + 1, back=True)
        if above:
            shown = above[:size][::-1]
            newer = write_cursor(shown[0], name) if len(above) > size else ""
            return Page(walk.load(shown), newer, write_cursor(shown[-1], name))
    below = read_cursor(after, name) if after and not before else None
    found = walk.take(below, size + 1)
    shown = found[:size]
    older = write_cursor(shown[-1], name) if len(found) > size else ""
    newer = "" if below is None else write_cursor(shown[0] if shown else below, name)
    return Page(walk.load(shown), newer, older)


def is_cursor(text: str, order: Order) -> bool:
    """Whether a text is a cursor of pages in this order."""
    return read_cursor(text, print_order(order.keys)) is not None


@dataclass(frozen=True, slots=True)
class _Walk:
    """The runs of a list, and how their places are found."""

    runs: RunQuerySet
    order: Order
    loaded: Load
    are_few: bool = False
    # The runs themselves, where they were found already.
    ids: Sequence[int] = ()

    @classmethod
    def of(cls, queryset: RunQuerySet, order: Order, load: Load) -> "_Walk":
        """Asks whether there are few runs, unless the order begins as usual (1 query)."""
        if order.keys == NEWEST:
            return _Newest(load(queryset.order_by()), order, load)
        runs = queryset.select_related(None).prefetch_related(None).order_by()
        if order.keys[:1] == NEWEST:
            return cls(runs, order, load)
        listed = runs.shortlist
        if listed is not None and listed.n > FEW:
            if order.keys[0].column.family in SHARED:
                is_sorted = listed.n <= BLOCKS_FROM
            else:
                is_sorted = is_better_sorted(listed, share_of(runs, listed))
            return cls(runs.shortlisted() if is_sorted else runs, order, load, is_sorted)
        if order.steps[0].lane.rows is not None:
            experiments = Experiment.objects.of(order.workspace)
            likely = likely_list(runs, experiments, more_than=FEW)
            if likely is not None and not is_better_sorted(likely):
                return _Along(runs, order, load, among=likely)
        ids = list(runs.shortlisted().values_list("pk", flat=True)[: FEW + 1])
        if len(ids) > FEW:
            return cls(runs, order, load)
        return cls(Run.objects.filter(any_of(ids)), order, load, True, ids)

    def load(self, places: list[Place]) -> list[Run]:
        """The runs of these places; one that was deleted meanwhile is left out. What else a
        search asks of them was asked a moment ago, and may take as long as all the rest."""
        ids = [place.pk for place in places]
        found = Run.objects.filter(any_of(ids), deleted_at=None)
        by_id = {run.pk: run for run in self.loaded(found)}
        return [by_id[pk] for pk in ids if pk in by_id]

    @property
    def steps(self) -> list[Step]:
        return self.order.steps

    def take(self, place: Place | None, n: int, *, back: bool = False) -> list[Place]:
        """The `n` places next to `place`, nearest first; from the beginning without one."""
        last = next((i for i, s in enumerate(self.steps) if s.lane.never_empty), len(self.steps))
        # Backwards the beginning is behind everything: runs without any value.
        start = place.stage if place else last if back else 0
        stages = range(start, -1, -1) if back else range(start, last + 1)
        found: list[Place] = []
        for stage in stages:
            if len(found) < n:
                at = place if stage == start else None
                found += self._stage(stage, at, n - len(found), back=back)
        return found

    def _stage(self, index: int, place: Place | None, n: int, *, back: bool) -> list[Place]:
        """The next `n` runs whose first value is in lane `index` (1 query, and 4 for each block of
        very many equal values)."""
        shared = self.steps[index].lane.shared if index < len(self.steps) else None
        if shared and not self.are_few:
            return self._shared(shared, index, place, n, back=back)
        stage = self._prepared(index, back=back)
        found: list[Place] = []
        for value in self._big_blocks(stage, place):
            found += self._block(index, value, place, n - len(found), back=back)
            if len(found) == n:
                return found
            place, stage = None, stage.past(value)
        return found + self._sorted(stage, place, n - len(found))

    def _shared(
        self, shared: Shared, index: int, place: Place | None, n: int, *, back: bool
    ) -> list[Place]:
        """The next `n` runs with a value in lane `index`, which has few: one value after the
        other (3 queries for each value met)."""
        own, runs = self.steps[index], self._without(index)
        start = place.values[index] if place else None
        found: list[Place] = []
        for one in blocks(shared, runs, start=start, descending=own.descending != back):
            at = place if one.value == start else None
            inside = self._below(index, self._walkable(runs, one, index))
            found += self._placed(inside, index, one.value, at, n - len(found), back=back)
            if len(found) == n:
                break
        return found

    def _walkable(self, runs: RunQuerySet, block: Block, index: int) -> RunQuerySet:
        """The runs of a block. Of many that are sorted by more than their time, the index of the
        next key is walked."""
        by_time = self.steps[index + 1].key.column == SUBMITTED
        rows = Run.objects.filter(block.runs).order_by()
        if by_time or rows[: BIG + 1].count() <= BIG:
            return runs.filter(block.runs)
        return runs.filter(block.tested)

    def _without(self, index: int) -> RunQuerySet:
        """The runs that have no value in the lanes before `index`."""
        runs = self.runs
        for earlier in self.steps[:index]:
            runs = runs.filter(~earlier.lane.present)
        return runs

    def _block(
        self, index: int, value: str, place: Place | None, n: int, *, back: bool
    ) -> list[Place]:
        return self._placed(self._inside(index, value), index, value, place, n, back=back)

    def _placed(
        self, inside: "_Walk", index: int, value: str, place: Place | None, n: int, *, back: bool
    ) -> list[Place]:
        """The next `n` runs of those with one value in lane `index`, with their whole places."""
        tail = Place(place.values[-len(inside.steps) :], place.pk) if place else None
        before = (None,) * index + (value,)
        skipped = (None,) * (len(self.steps) - len(inside.steps) - index - 1)
        return [
            Place(before + skipped + held.values, held.pk)
            for held in inside.take(tail, n, back=back)
        ]

    def _big_blocks(self, stage: "_Stage", place: Place | None) -> Iterator[str]:
        """The first values in the way, as long as each is that of very many rows."""
        if stage.id == "pk" or self.are_few or len(stage.lanes) < 2:
            return
        lane, name, step = stage.lanes[0]
        if step.key.column.family == "metric" or not isinstance(step.lane.rows, QuerySet):
            return
        ordering, rows = stage.ordering()[0], step.lane.rows.annotate(**{name: F(step.lane.column)})
        value = (
            place.values[lane]
            if place
            else rows.order_by(ordering).values_list(name, flat=True).first()
        )
        for _ in range(MAX_BLOCKS):
            if value is None or rows.filter(**{name: value}).order_by()[: BIG + 1].count() <= BIG:
                return
            yield value
            further = rows.filter(**{f"{name}__{stage.sign(step)}": value})
            value = further.order_by(ordering).values_list(name, flat=True).first()

    def _inside(self, index: int, value: str) -> "_Walk":
        """The runs with one value in lane `index`, in the order of the keys behind."""
        lane, runs = self.steps[index].lane, self._without(index)
        if lane.rows is not None:
            rows = lane.rows.filter(**{lane.column: value})
            runs = runs.filter(Exists(rows.filter(run=OuterRef("pk"))))
        return self._below(index, runs)

    def _below(self, index: int, runs: RunQuerySet) -> "_Walk":
        """Some runs in the order of the keys behind that of lane `index`."""
        keys = self.order.all_keys
        keys = keys[keys.index(self.steps[index].key) + 1 :]
        return _Walk(runs, replace(self.order, keys=keys), self.loaded)

    def _sorted(self, stage: "_Stage", place: Place | None, n: int) -> list[Place]:
        rows = stage.rows if place is None else stage.rows.filter(stage.beyond(place))
        names = [name for _, name, _ in stage.lanes]
        found = rows.order_by(*stage.ordering()).values_list(stage.id, *names)[:n]
        places = []
        for pk, *held in found:
            values: list[Any] = [None] * len(self.steps)
            for (lane, _, _), value in zip(stage.lanes, held, strict=True):
                values[lane] = value
            places.append(Place(tuple(values), pk))
        return places

    def _among(self, rows: "QuerySet[Any]", runs: RunQuerySet) -> "QuerySet[Any]":
        """Those rows of an index that is walked whose run is one of `runs`."""
        found = rows.filter(Exists(runs.filter(pk=OuterRef("run_id"))))
        if runs.shortlist is None:
            return found
        return found.filter(runs.shortlist.test("run_id"))

    def _prepared(self, index: int, *, back: bool) -> "_Stage":
        """A stage reads the table whose index holds its values and asks of each row whether its
        run is in the list, or of few runs what they have there; without such a table it reads the
        runs themselves."""
        runs, newest_first = self._without(index), self.order.newest_first != back
        if index == len(self.steps):
            return _Stage(runs, [], back, newest_first)
        own = self.steps[index]
        later = [(i, s) for i, s in enumerate(self.steps) if i > index and s.key is not own.key]
        lanes = [(i, f"lane{i}", step) for i, step in [(index, own), *later]]
        rows: QuerySet[Any] = runs if own.lane.never_empty else runs.filter(own.lane.present)
        # SQLite would walk the index of the values and look for each among the ids.
        is_known = bool(self.ids) and index == 0 and connection.vendor == "postgresql"
        driven = own.lane.rows is not None and (is_known or not self.are_few)
        if own.lane.rows is not None and is_known:
            rows = own.lane.rows.filter(run__in=Ids(self.ids))
        elif own.lane.rows is not None and driven:
            rows = self._among(own.lane.rows, runs)
        values = {name: step.lane.value("run__" if driven else "") for _, name, step in lanes}
        if driven:
            values[f"lane{index}"] = F(own.lane.column)
        return _Stage(
            rows.annotate(**values), lanes, back, newest_first, "run_id" if driven else "pk"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Along(_Walk):
    """The index of the order is walked for the runs of a list, some hundred at once, and those are
    asked for the rest. In one question PostgreSQL would find a way of its own, which now and then
    takes five times as long."""

    among: Shortlist

    def _among(self, rows: "QuerySet[Any]", runs: RunQuerySet) -> "QuerySet[Any]":
        return rows.filter(self.among.test("run_id"))

    def _sorted(self, stage: "_Stage", place: Place | None, n: int) -> list[Place]:
        """2 queries for some hundred, from which follows how many more are walked, or that the
        whole list is better sorted."""
        if stage.id == "pk":
            return _Walk._sorted(self, stage, place, n)
        index = stage.lanes[0][0]
        runs, size = self._without(index), first_steps(self.among)
        found: list[Place] = []
        n_seen = 0
        while len(found) < n:
            listed = _Walk._sorted(self, stage, place, size)
            asked = runs.filter(any_of([one.pk for one in listed]))
            met = set(asked.values_list("pk", flat=True))
            found += [one for one in listed if one.pk in met]
            if len(listed) < size:
                break
            place, n_seen, missing = listed[-1], n_seen + size, n - len(found)
            share = max(1, len(found)) / n_seen
            if missing > 0 and is_better_sorted(self.among, share, n=missing):
                return found + self._read()._stage(index, place, missing, back=stage.back)
            # A quarter more: where a page falls just short, there is a further turn.
            size = ceil(1.25 * missing / share)
        return found[:n]

    def _read(self) -> _Walk:
        """The same runs, all of them read (1 query)."""
        ids = list(self.runs.values_list("pk", flat=True))
        return _Walk(Run.objects.filter(any_of(ids)), self.order, self.loaded, True, ids)


@dataclass(frozen=True, slots=True)
class _Newest(_Walk):
    """The usual order needs no second look: its places are read with the runs."""

    seen: dict[int, Run] = field(default_factory=dict)

    def _stage(self, index: int, place: Place | None, n: int, *, back: bool) -> list[Place]:
        stage = self._prepared(index, back=back)
        rows = stage.rows if place is None else stage.rows.filter(stage.beyond(place))
        found = list(rows.order_by(*stage.ordering())[:n])
        self.seen.update({run.pk: run for run in found})
        return [Place((run.created_at,), run.pk) for run in found]

    def load(self, places: list[Place]) -> list[Run]:
        return [self.seen[place.pk] for place in places]


@dataclass(frozen=True, slots=True)
class _Stage:
    """One query's part of a page: rows with annotated lanes (index, name, step), the first of them
    the one that is never empty here; `back`: walked from the end; `newest_first`: equal values."""

    rows: "QuerySet[Any]"
    lanes: list[tuple[int, str, Step]]
    back: bool
    newest_first: bool
    id: str = "pk"

    def ordering(self) -> list[Any]:
        """Plain on the first lane, which has no empty values: so that an index serves it."""
        found: list[Any] = []
        for position, (_, name, step) in enumerate(self.lanes):
            nulls = {} if position == 0 else {f"nulls_{'first' if self.back else 'last'}": True}
            down = step.descending != self.back
            found.append(F(name).desc(**nulls) if down else F(name).asc(**nulls))
        return [*found, f"-{self.id}" if self.newest_first else self.id]

    def past(self, value: Any) -> "_Stage":
        """The stage without what comes up to a value of its first lane."""
        _, name, step = self.lanes[0]
        return replace(self, rows=self.rows.filter(**{f"{name}__{self.sign(step)}": value}))

    def beyond(self, place: Place) -> Q:
        """What follows `place` in the stage, in the direction of the walk."""
        beyond = Q(**{f"{self.id}__{'lt' if self.newest_first else 'gt'}": place.pk})
        for lane, name, step in reversed(self.lanes[1:]):
            beyond = self._after(name, step, place.values[lane], beyond)
        if not self.lanes:
            return beyond
        lane, name, step = self.lanes[0]
        value, sign = place.values[lane], self.sign(step)
        # The first part says nothing new, but an index can begin there.
        bound = Q(**{f"{name}__{sign}e": value})
        return bound & (Q(**{f"{name}__{sign}": value}) | (Q(**{name: value}) & beyond))

    def _after(self, name: str, step: Step, value: Any, beyond: Q) -> Q:
        """Beyond `value`, or equal and `beyond` in the rest; without a value is the end."""
        empty = Q(**{f"{name}__isnull": True})
        if value is None:
            return (empty & beyond) | ~empty if self.back else empty & beyond
        further = Q(**{f"{name}__{self.sign(step)}": value}) | (Q(**{name: value}) & beyond)
        return further if self.back else further | empty

    def sign(self, step: Step) -> str:
        return "lt" if step.descending != self.back else "gt"

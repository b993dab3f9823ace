"""What each condition of a query does: how many runs it removes, and which to drop when none is
left.

Of a short list every run is asked about every condition, once. Of a longer one runs are counted,
up to MAX_COUNT, and where that says too little or takes too long the newest WINDOW runs are asked:
then a number is a lower bound and says so.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import combinations, islice
from typing import NamedTuple

from django.db.models import Case, IntegerField, Q, Value, When
from django.db.models import Count as CountRows
from django.utils import timezone

from studio.accounts.models import User, Workspace
from studio.runs.querysets import RunQuerySet
from studio.search.apply import asks_for_archived, condition
from studio.search.newest import newest_of
from studio.search.pills import pills
from studio.search.scope import Scope, all_q
from studio.search.tree import Node, all_of

MAX_COUNT = 10_000
WINDOW = 10_000
# Pairs of conditions that are counted when dropping one is not enough.
MAX_PAIRS = 10
# After so many seconds no further count of a long list begins.
BUDGET_S = 1.0


class Count(NamedTuple):
    """A number of runs; where it is not exact there are `n` or more."""

    n: int
    is_exact: bool = True


@dataclass(frozen=True, slots=True)
class Effect:
    """One pill: without it, `n_removed` more runs would match."""

    pill: Node
    n_removed: Count


@dataclass(frozen=True, slots=True)
class WayOut:
    """Conditions of which dropping all leaves `rest`, which `n` runs match.

    places: of the dropped pills, as `pills.without` counts them; rest: None for no query.
    """

    places: tuple[int, ...]
    dropped: tuple[Node, ...]
    rest: Node | None
    n: Count


@dataclass(frozen=True, slots=True)
class Explanation:
    """How many runs match, what each pill does to that, and how to find some where none do.

    effects: one for each pill, in the order of the text. ways_out: empty unless nothing matches;
    else each condition that is enough to drop, the one that brings back most runs first; or the
    best pair of conditions; or nothing when no such pair was found.
    """

    n: Count
    effects: tuple[Effect, ...]
    ways_out: tuple[WayOut, ...]


def explain(
    runs: RunQuerySet,
    node: Node | None,
    *,
    user: User | None,
    workspace: Workspace,
    now: datetime | None = None,
    budget_s: float = BUDGET_S,
) -> Explanation:
    """Return what the conditions of a query do to `runs`, the list without its query.

    Archived runs count only where the conditions in question speak of them, as in every list.
    user, workspace, now: as for `apply`.
    Queries: those of one `apply`, and 2 for a list of up to 10,000 runs. For a longer one 3, one
    for each pill, and 10 when dropping one condition helps nothing, at most: none counts beyond
    10,000 runs, and none begins when `budget_s` seconds are over.
    Raises SearchSyntaxError.
    """
    query = _Query.of(runs, node, Scope.of(user, now or timezone.localtime(), workspace), budget_s)
    n = query.count(query.all)
    # Where thousands match, what the newest runs say is enough, and soon said.
    effects = tuple(
        Effect(part, query.n_removed(i, closely=n.is_exact)) for i, part in enumerate(query.parts)
    )
    if n.n:
        return Explanation(n, effects, ())
    found = [query.way_out([i], e.n_removed) for i, e in enumerate(effects) if e.n_removed.n]
    return Explanation(n, effects, tuple(sorted(found, key=_best) or _pairs(query)[:1]))


def _pairs(query: "_Query") -> list[WayOut]:
    """The pairs that help, best first. The last conditions are tried first: what somebody wrote
    last is what emptied the list."""
    pairs = combinations(reversed(query.all), 2)
    found = []
    for pair in pairs if query.window.is_all else islice(pairs, MAX_PAIRS):
        dropped = sorted(pair)
        n = query.count_soon(query.but(dropped))
        if n.n:
            found.append(query.way_out(dropped, n))
    return sorted(found, key=_best)


def _best(way: WayOut) -> tuple[int, tuple[int, ...]]:
    return -way.n.n, way.places


@dataclass(frozen=True)
class _Query:
    """The pills, each with its Q, looked up once."""

    runs: RunQuerySet
    parts: tuple[Node, ...]
    conditions: tuple[Q, ...]
    ends_at: float

    @classmethod
    def of(cls, runs: RunQuerySet, node: Node | None, scope: Scope, budget_s: float) -> "_Query":
        parts = pills(node)
        bare = runs.select_related(None).prefetch_related(None).order_by()
        found = tuple(condition(part, scope) for part in parts)
        return cls(bare, parts, found, time.monotonic() + budget_s)

    @property
    def all(self) -> Sequence[int]:
        return range(len(self.parts))

    def but(self, dropped: Iterable[int]) -> list[int]:
        gone = set(dropped)
        return [i for i in self.all if i not in gone]

    def rest(self, places: Sequence[int]) -> Node | None:
        return all_of(self.parts[i] for i in places) if places else None

    @cached_property
    def window(self) -> "_Window":
        runs = self.runs if asks_for_archived(self.rest(self.all)) else self.runs.listed()
        return _Window.of(runs, self.conditions)

    def count(self, places: Sequence[int], without: int | None = None) -> Count:
        """The runs that the conditions at `places` leave and the one at `without` does not
        (1 query for a long list)."""
        if self.window.is_all:
            return self._seen(places, without)
        runs = self.runs if asks_for_archived(self.rest(places)) else self.runs.listed()
        wanted = [self.conditions[i] for i in places]
        if without is not None:
            wanted.append(~self.conditions[without])
        if wanted:
            runs = runs.filter(all_q(wanted))
        return _capped(runs[: MAX_COUNT + 1].count())

    def count_soon(self, places: Sequence[int], without: int | None = None) -> Count:
        """The same, only of the newest runs when there is no time left."""
        if time.monotonic() < self.ends_at:
            return self.count(places, without)
        return self._seen(places, without)

    def n_removed(self, place: int, *, closely: bool) -> Count:
        """What the others leave and this one does not: no difference of two counts, which would
        say nothing where both stop at MAX_COUNT."""
        others = self.but([place])
        return (self.count_soon if closely else self._seen)(others, place)

    def _seen(self, places: Sequence[int], without: int | None) -> Count:
        with_archived = asks_for_archived(self.rest(places))
        n = self.window.count(places, without, with_archived=with_archived)
        return n if self.window.is_all else Count(n.n, False)

    def way_out(self, dropped: Sequence[int], n: Count) -> WayOut:
        rest = self.rest(self.but(dropped))
        return WayOut(tuple(dropped), tuple(self.parts[i] for i in dropped), rest, n)


@dataclass(frozen=True)
class _Window:
    """The newest runs, WINDOW of them; is_all: there are no others."""

    newest: RunQuerySet
    is_all: bool
    conditions: Sequence[Q]

    @classmethod
    def of(cls, runs: RunQuerySet, conditions: Sequence[Q]) -> "_Window":
        """Look where the window ends (1 query)."""
        newest, is_all = newest_of(runs, WINDOW)
        return cls(newest, is_all, conditions)

    @cached_property
    def answers(self) -> dict[tuple[bool, ...], int]:
        """(is listed, holds for pill 0, for pill 1, …) -> how many (1 query)."""
        asked = {"is_listed": _truth(Q(archived_at=None))}
        asked |= {f"holds{i}": _truth(each) for i, each in enumerate(self.conditions)}
        rows = self.newest.annotate(**asked).values_list(*asked).annotate(n=CountRows("pk"))
        return {tuple(map(bool, row)): n for *row, n in rows}

    def count(self, places: Sequence[int], without: int | None, *, with_archived: bool) -> Count:
        n = 0
        for (is_listed, *holds), each in self.answers.items():
            if (is_listed or with_archived) and all(holds[i] for i in places):
                n += each if without is None or not holds[without] else 0
        return _capped(n)


def _truth(q: Q) -> Case:
    return Case(When(q, then=Value(1)), default=Value(0), output_field=IntegerField())


def _capped(n: int) -> Count:
    return Count(min(n, MAX_COUNT), n <= MAX_COUNT)

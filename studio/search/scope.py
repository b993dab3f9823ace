"""What a search knows beside its text: who asks, when, and where to look things up."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, reduce
from operator import and_, or_
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Exists, Model, OuterRef, Q, QuerySet, Sum

from studio.accounts.models import User, Workspace
from studio.queries.estimates import estimated
from studio.queries.ids import any_of
from studio.runs.models import Experiment, Run
from studio.runs.querysets import Shortlist
from studio.runs.searchtext import folded

# Up to so many runs, looking them up first beats walking the list and asking of each run.
FEW = 1_000
MAX_PROBES = 24
# Up to so many rows, counting them in their index takes a few milliseconds.
MANY = 50_000
# Looking one run up in an index, to reading one id of a list, on PostgreSQL.
COST_OF_LOOKUP = 10

NOTHING = Q(pk__in=[])
EVERYTHING = ~NOTHING


class Named(NamedTuple):
    """An experiment or a person: its id, and the casefolded names it goes by."""

    pk: int
    names: tuple[str, ...]


@dataclass
class Scope:
    """One search; `user` None (a rule without a person) has no star and no runs of its own."""

    user: User | None
    now: datetime
    workspace_ids: tuple[int, ...]
    n_probes_left: int = field(default=MAX_PROBES)
    # A condition of more rows is not counted to its end: a shorter one was met already.
    most: int = MANY
    # Conditions met so far that an index could answer: more than a few rows, but not too many.
    lists: list[Shortlist] = field(default_factory=list)
    # The same on PostgreSQL, however many rows they have.
    uncounted: list[Shortlist] = field(default_factory=list)
    # How many runs are looked for along an index of runs; 0: not known.
    n_walked_for: int = 0

    @classmethod
    def of(cls, user: User | None, now: datetime, workspace: Workspace | None) -> "Scope":
        """Look in `workspace`, else in all that the user may see (1 query)."""
        if workspace is not None:
            return cls(user, now, (workspace.pk,))
        rooms = Workspace.objects.visible_to(user) if user else Workspace.objects.open()
        return cls(user, now, tuple(rooms.values_list("pk", flat=True)))

    @cached_property
    def n_runs(self) -> int:
        """About how many runs there are: those ever numbered (1 query)."""
        inside = Experiment.objects.filter(workspace__in=self.workspace_ids)
        return inside.aggregate(n=Sum("last_number"))["n"] or 1

    @cached_property
    def experiments(self) -> list[Named]:
        rows = Experiment.objects.filter(workspace__in=self.workspace_ids)
        return [Named(pk, (folded(name),)) for pk, name in rows.values_list("pk", "name")]

    @cached_property
    def people(self) -> list[Named]:
        rows = User.objects.values_list("pk", "username", "first_name", "last_name")
        return [Named(pk, (folded(name), folded(f"{a} {b}"))) for pk, name, a, b in rows]

    def may_ask(self) -> bool:
        """Count one question about the better plan; only so many are asked per search."""
        self.n_probes_left -= 1
        return self.n_probes_left >= 0

    def few(self, runs: QuerySet[Any]) -> list[int] | None:
        """The ids of which there are few, None of more (1 query, which stops early)."""
        found = list(runs.order_by()[: FEW + 1])
        return found if len(found) <= FEW else None

    def runs_with(self, model: type[Model], *rows: Q, probe: Q | None = None) -> Q:
        """Runs that have a row of `model` like any of `rows` (a query for each).

        Few such rows: their runs are named by id, from which every index can start. Many: each run
        of the list is asked, which ends as soon as a page is full.
        `probe`: a wider condition that an index answers, of which there must be few.
        """
        manager = model._default_manager
        inside = manager.filter(workspace__in=self.workspace_ids)
        found = [self._few_runs(inside, row, probe) for row in rows]
        if None not in found:
            return any_of({pk for ids in found for pk in ids or ()})
        # One that is met nowhere is left out: an OR keeps databases from their indexes.
        met = [row for row, ids in zip(rows, found, strict=True) if ids != []]
        listed = self._list([inside.filter(row) for row in met]) if probe is None else None
        if listed is not None:
            return listed.test()
        # SQLite would take the workspace for a reason to begin at it, for each run; PostgreSQL
        # reads the whole table without.
        asked = manager.all() if connection.vendor == "sqlite" else inside
        return Q(Exists(asked.filter(any_q(met), run=OuterRef("pk"))))

    def runs_like(self, own: Q) -> Q:
        """Runs that meet a condition on an indexed column of theirs (2 queries)."""
        rows = Run.objects.filter(own, workspace__in=self.workspace_ids)
        few = self.few(rows.values_list("pk", flat=True)) if self.may_ask() else None
        if few is not None:
            return any_of(few)
        self._list([rows], "pk")
        return own

    def _list(self, kinds: list[QuerySet[Any]], run: str = "run") -> Shortlist | None:
        """Rows that are many, but not too many (1 query for each kind, as each has an index of its
        own). PostgreSQL knows by itself, unless the runs are sorted: who sorts them counts."""
        if connection.vendor != "sqlite":
            known = Shortlist(0, tuple(kind.order_by().values(run) for kind in kinds))
            self.uncounted.append(known)
            return self._likely(known) if self.n_walked_for and run == "run" else None
        if not self.may_ask():
            return None
        n, held = 0, []
        for rows in (kind.order_by() for kind in kinds):
            n += rows[: self.most + 1].count()
            if n > self.most:
                return None
            held.append(rows.values(run))
        return self.listed(n, tuple(held), "id" if run == "pk" else "run_id") if n else None

    def _likely(self, listed: Shortlist) -> Shortlist | None:
        """On PostgreSQL a list whose ids are better read once than each run of a walk looked up,
        which has as many steps as finding the runs in it takes, or more (1 query for each kind)."""
        n = sum(map(estimated, listed.rows))
        is_shorter = 0 < n**2 < COST_OF_LOOKUP * self.n_walked_for * self.n_runs
        return listed if is_shorter and n <= MANY else None

    def forget_lists(self) -> None:
        """What was met is only a part of what is found, or of what is not."""
        self.lists.clear()
        self.uncounted.clear()

    def widen_lists(self) -> None:
        """What was met has all that is found, and more."""
        self.lists[:] = [one._replace(is_wider=True) for one in self.lists]

    def listed(self, n: int, rows: tuple[Any, ...], column: str = "run_id") -> Shortlist:
        """Remember a condition at which a list may begin."""
        found = Shortlist(n, rows, self.n_runs, column=column)
        self.lists.append(found)
        return found

    def _few_runs(self, inside: QuerySet[Any], row: Q, probe: Q | None) -> list[int] | None:
        for condition in (row,) if probe is None else (probe, row):
            found = None
            if self.may_ask():
                found = self.few(inside.filter(condition).values_list("run", flat=True))
            if found is None:
                return None
        return found


def any_q(parts: Iterable[Q]) -> Q:
    """The Q that any of `parts` satisfies; of none, the Q that nothing does."""
    some = list(parts)
    return reduce(or_, some) if some else NOTHING


def all_q(parts: Iterable[Q]) -> Q:
    """The Q that needs all of `parts`, which are one or more."""
    return reduce(and_, parts)

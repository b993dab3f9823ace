"""What a search knows beside its text: who asks, when, and where to look things up."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, reduce
from operator import and_, or_
from typing import Any, NamedTuple

from django.db.models import Exists, Model, OuterRef, Q, QuerySet

from studio.accounts.models import User, Workspace
from studio.runs.models import Experiment
from studio.runs.searchtext import folded

# Up to so many runs, looking them up first beats walking the list and asking of each run.
FEW = 1_000
MAX_PROBES = 24

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

    @classmethod
    def of(cls, user: User | None, now: datetime, workspace: Workspace | None) -> "Scope":
        """Look in `workspace`, else in all that the user may see (1 query)."""
        if workspace is not None:
            return cls(user, now, (workspace.pk,))
        rooms = Workspace.objects.visible_to(user) if user else Workspace.objects.all()
        return cls(user, now, tuple(rooms.values_list("pk", flat=True)))

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
        ids: set[int] = set()
        for row in rows:
            found = self._few_runs(inside, row, probe)
            if found is None:
                return Q(Exists(manager.filter(any_q(rows), run=OuterRef("pk"))))
            ids.update(found)
        return Q(pk__in=ids)

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

"""Runs with all that lies below them, for changes that take child runs along."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Count, F, IntegerField, OuterRef, Subquery
from django.db.models.functions import Coalesce

from studio.runs.history import Refused
from studio.runs.models import Run
from studio.runs.querysets import RunQuerySet

IDS_PER_QUERY = 500
PARENT_DELETED = "Its parent run is in the trash. Restore that one first."


@dataclass(frozen=True, slots=True)
class Family:
    """Runs that change together: `top` was chosen, `members` are it and what lies below it."""

    top: Run
    members: list[Run]

    @property
    def ids(self) -> list[int]:
        return [run.pk for run in self.members]


def families_of(chosen: Sequence[Run], *, among: RunQuerySet) -> list[Family]:
    """The families of the chosen runs that no other chosen run lies above.

    `among`: which runs below count. Locks what it finds. Queries: one per level of the tree, and
    one more for each further 500 runs of a level.
    """
    known = {run.pk: run for run in chosen}
    above: dict[int, int] = {}
    level = list(known)
    while level:
        found: list[int] = []
        for at in range(0, len(level), IDS_PER_QUERY):
            part = among.filter(parent__in=level[at : at + IDS_PER_QUERY])
            for run in part.select_for_update(of=("self",), no_key=True).order_by("pk"):
                if run.pk not in above and run.parent_id is not None:
                    above[run.pk] = run.parent_id
                    known.setdefault(run.pk, run)
                    found.append(run.pk)
        level = found
    return _grouped(known, above)


def _grouped(known: dict[int, Run], above: dict[int, int]) -> list[Family]:
    members: dict[int, list[Run]] = {}
    for pk, run in known.items():
        top = pk
        while top in above:
            top = above[top]
        members.setdefault(top, []).append(run)
    return [Family(known[top], runs) for top, runs in members.items()]


def locked(runs: Sequence[Run]) -> list[Run]:
    """The same runs as they are now, locked in one order so that two changes never wait for each
    other in a circle (1 query for each 500)."""
    ids = [run.pk for run in runs]
    found: list[Run] = []
    for at in range(0, len(ids), IDS_PER_QUERY):
        part = Run.objects.filter(pk__in=ids[at : at + IDS_PER_QUERY]).order_by("pk")
        found += part.select_for_update(of=("self",), no_key=True)
    return found


def add_children(parent: Run, n: int) -> None:
    """Count `n` new child runs of a run. Before a number of the experiment is taken: whoever moves
    runs locks them first, too. Raises Refused for one that went to the trash since it was read:
    purging it would take along what nobody deleted."""
    known = Run.objects.filter(pk=parent.pk, deleted_at=None)
    if not known.update(n_children=Coalesce(F("n_children"), 0) + n):
        raise Refused(PARENT_DELETED)


def in_use(runs: Iterable[Run]) -> set[int]:
    """The ids of those that are not in the trash, kept out of it until the transaction ends (1
    query, none for no runs)."""
    ids = {run.pk for run in runs}
    known = Run.objects.filter(pk__in=ids, deleted_at=None).order_by("pk")
    return {run.pk for run in known.select_for_update(of=("self",), no_key=True)} if ids else set()


def recount(parent_ids: Iterable[int | None]) -> None:
    """Count again the child runs outside the trash of these runs (1 query for each 500)."""
    children = Run.objects.filter(parent=OuterRef("pk"), deleted_at=None).order_by()
    counted = children.values("parent").annotate(n=Count("pk")).values("n")
    ids = sorted({pk for pk in parent_ids if pk is not None})
    for at in range(0, len(ids), IDS_PER_QUERY):
        Run.objects.filter(pk__in=ids[at : at + IDS_PER_QUERY]).update(
            n_children=Subquery(counted, output_field=IntegerField())
        )

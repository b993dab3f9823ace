"""What purging a selection of the trash removes, counted before it happens."""

from dataclasses import dataclass

from django.db.models import Sum

from studio.accounts.models import User, Workspace
from studio.artifacts.models import Artifact
from studio.bulk import selection as selecting
from studio.bulk.acting import choice_called, with_reason
from studio.bulk.selection import Selection
from studio.runs.models import Run


@dataclass(frozen=True, slots=True)
class Weight:
    """n_runs with those that went to the trash with them, and n_bytes of their files."""

    n_runs: int
    n_bytes: int


def weigh(selection: Selection, workspace: Workspace, *, user: User | None) -> Weight:
    """What a purge of the selection would remove; what a purge leaves out is left out here too.

    Queries: two; for ids, two for each 500 of them.
    """
    purge = choice_called("purge")
    n_runs = n_bytes = 0
    for runs in selecting.parts(selection, workspace, user=user):
        chosen = with_reason(runs, purge, {}, user=user).filter(why_not="").order_by()
        together = Run.objects.filter(workspace=workspace, deleted_with__in=chosen.values("pk"))
        n_runs += together.count()
        files = Artifact.objects.filter(run__in=together.values("pk")).order_by()
        n_bytes += files.aggregate(n=Sum("n_bytes"))["n"] or 0
    return Weight(n_runs, n_bytes)

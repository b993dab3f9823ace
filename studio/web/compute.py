"""Compute: targets, their live workers, and what waits."""

from dataclasses import dataclass

from django.db.models import Count, Q
from django.http import HttpResponse

from studio.compute.models import Target, Worker
from studio.runs.models import Run
from studio.runs.status import Status
from studio.web.access import Request, page
from studio.web.frame import frame
from studio.web.render import render_page

MAX_RUNS = 50


@dataclass(frozen=True, slots=True)
class TargetRow:
    """`runs`: at most 50 unfinished runs of this workspace, oldest first."""

    target: Target
    workers: list[Worker]
    n_queued: int
    n_active: int
    runs: list[Run]

    @property
    def n_hidden(self) -> int:
        return max(0, self.n_queued + self.n_active - len(self.runs))


@page
def compute(request: Request) -> HttpResponse:
    """4 queries, whatever the number of targets."""
    usable = Q(workspace=None) | Q(workspace=request.workspace)
    targets = Target.objects.filter(usable, is_enabled=True).order_by("name")
    workers: dict[int, list[Worker]] = {}
    for worker in Worker.objects.live().order_by("node"):
        workers.setdefault(worker.target_id, []).append(worker)
    runs = unfinished_runs(request)
    counts = unfinished_counts(request)
    rows = [
        TargetRow(
            target,
            workers.get(target.pk, []),
            *counts.get(target.pk, (0, 0)),
            runs.get(target.pk, []),
        )
        for target in targets
    ]
    context = {**frame(request, active="compute"), "rows": rows}
    return render_page(request, "compute/page.html", context, part="compute/_targets.html")


def unfinished_runs(request: Request) -> dict[int, list[Run]]:
    """The oldest unfinished runs by target id, at most 50 in all (1 query)."""
    unfinished = Run.objects.of(request.workspace).active().exclude(target=None)
    unfinished = unfinished.select_related("workspace", "experiment", "submitter")
    runs: dict[int, list[Run]] = {}
    for run in unfinished.order_by("created_at", "id")[:MAX_RUNS]:
        runs.setdefault(run.target_id or 0, []).append(run)
    return runs


def unfinished_counts(request: Request) -> dict[int, tuple[int, int]]:
    """Target id -> how many of its runs wait, and how many are under way (1 query)."""
    unfinished = Run.objects.of(request.workspace).active().exclude(target=None).order_by()
    counts: dict[int, tuple[int, int]] = {}
    for pk, status, n in unfinished.values_list("target", "status").annotate(Count("id")):
        n_queued, n_active = counts.get(pk, (0, 0))
        waits = status == Status.QUEUED
        counts[pk] = (n_queued + n, n_active) if waits else (n_queued, n_active + n)
    return counts

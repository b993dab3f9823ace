"""All experiments: one row each, latest submission first."""

from dataclasses import dataclass

from django.db.models import Count, OuterRef, Subquery
from django.http import HttpResponse

from studio.runs.models import Experiment, Run
from studio.runs.status import COUNTERS
from studio.web.access import Request, page
from studio.web.frame import frame
from studio.web.render import render_page

PAGE_SIZE = 100


@dataclass(frozen=True, slots=True)
class ExperimentRow:
    """`counts`: counter name -> number of root runs."""

    experiment: Experiment
    latest: Run | None
    counts: dict[str, int]

    @property
    def n_runs(self) -> int:
        return sum(self.counts.values())


@page
def experiment_list(request: Request) -> HttpResponse:
    """4 queries, whatever the number of experiments on the page."""
    text = request.GET.get("q", "").strip()
    experiments = Experiment.objects.of(request.workspace).listed()
    if text:
        experiments = experiments.filter(name__icontains=text)
    shown = list(experiments[: PAGE_SIZE + 1])
    context = {
        **frame(request, active="experiments"),
        "rows": rows_of(shown[:PAGE_SIZE]),
        "has_more": len(shown) > PAGE_SIZE,
        "q": text,
    }
    return render_page(
        request, "experiments/list.html", context, part="experiments/_results.html"
    )


def rows_of(experiments: list[Experiment]) -> list[ExperimentRow]:
    ids = [experiment.pk for experiment in experiments]
    roots = Run.objects.filter(experiment__in=ids, deleted_at=None, archived_at=None).roots()
    counts: dict[int, dict[str, int]] = {}
    for pk, status, n in roots.order_by().values_list("experiment", "status").annotate(Count("id")):
        counts.setdefault(pk, {})[status] = n
    latest = latest_runs(experiments)
    return [
        ExperimentRow(
            experiment,
            latest.get(experiment.pk),
            {
                name: sum(counts.get(experiment.pk, {}).get(status, 0) for status in statuses)
                for name, statuses in COUNTERS.items()
            },
        )
        for experiment in experiments
    ]


def latest_runs(experiments: list[Experiment]) -> dict[int, Run]:
    """The newest root run of each, by experiment id (2 queries): one index probe each."""
    newest = (
        Run.objects.filter(experiment=OuterRef("pk"), deleted_at=None, archived_at=None)
        .roots()
        .newest()
        .values("pk")[:1]
    )
    ids = (
        Experiment.objects.filter(pk__in=[experiment.pk for experiment in experiments])
        .annotate(newest=Subquery(newest))
        .values_list("newest", flat=True)
    )
    runs = Run.objects.filter(pk__in=[pk for pk in ids if pk]).select_related(
        "submitter", "workspace"
    )
    return {run.experiment_id: run for run in runs}

"""All experiments: one row each, latest submission first."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.db.models import Count, OuterRef, Subquery
from django.http import HttpResponse
from django.urls import reverse

from studio.runs.models import Experiment, Run
from studio.runs.status import COUNTERS
from studio.web.access import Request, page
from studio.web.frame import frame
from studio.web.render import render_page

PAGE_SIZE = 100
MAX_START = 100_000
TONES = {
    "Running": "running",
    "Completed": "completed",
    "Failed": "failed",
    "Canceled": "canceled",
    "Queued": "queued",
    "Other": "lost",
}


@dataclass(frozen=True, slots=True)
class ExperimentRow:
    """`counts`: counter name -> number of root runs."""

    experiment: Experiment
    latest: Run | None
    counts: dict[str, int]

    @property
    def parts(self) -> list[tuple[str, str, int]]:
        """(tone, word, number) of each status that is there, for the bar."""
        return [(TONES[name], name, n) for name, n in self.counts.items() if n]

    @property
    def n_runs(self) -> int:
        return sum(self.counts.values())


@page
def experiment_list(request: Request) -> HttpResponse:
    """4 queries, whatever the number of experiments on the page."""
    text = request.GET.get("q", "").strip()
    start = request.GET.get("from", "")
    first = min(int(start), MAX_START) if start.isdecimal() else 0
    experiments = Experiment.objects.of(request.workspace).listed()
    if text:
        experiments = experiments.filter(name__icontains=text.replace("\0", ""))
    shown = list(experiments[first : first + PAGE_SIZE + 1])
    base = reverse("experiment-list", args=[request.workspace.name])
    more = urlencode({"q": text, "from": first + PAGE_SIZE})
    context = {
        **frame(request, active="experiments"),
        "rows": rows_of(shown[:PAGE_SIZE]),
        "more_url": f"{base}?{more}" if len(shown) > PAGE_SIZE else "",
        "first_url": f"{base}?{urlencode({'q': text})}" if first else "",
        "q": text,
    }
    return render_page(request, "experiments/list.html", context, part="experiments/_results.html")


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

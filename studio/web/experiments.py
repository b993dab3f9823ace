"""All experiments: one row each, latest submission first."""

from dataclasses import dataclass, field
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django_htmx.http import push_url

from studio.custom_views.state import ViewState
from studio.runs.models import Experiment
from studio.runs.querysets import COUNTED_TO, ExperimentQuerySet
from studio.runs.status import COUNTERS
from studio.runs.summaries import Summary, summaries
from studio.search.experiment_pages import ExperimentPage, experiment_page
from studio.web.access import Request, page
from studio.web.experiment_head import why_not_edit
from studio.web.experiment_state import ExperimentState
from studio.web.frame import frame
from studio.web.render import render_page, wants_part

PAGE_SIZE = 50
SHOWN_SUBMITTERS = 3
SEARCH_FORM = "experiments-search"
TONES = {
    "Running": "running",
    "Completed": "completed",
    "Failed": "failed",
    "Canceled": "canceled",
    "Queued": "queued",
    "Other": "lost",
}
# The query of a run list that shows the runs of one counter.
QUERIES = {
    name: ViewState().with_term("status", *sorted(statuses)).to_query()
    for name, statuses in COUNTERS.items()
}


@dataclass(frozen=True, slots=True)
class BarPart:
    """One status in the bar; `url` lists the runs in it. `words`: such as 10,000+ completed."""

    tone: str
    n: int
    words: str
    url: str


@dataclass(frozen=True, slots=True)
class ExperimentRow:
    """One line of the table; `address` lists its runs."""

    experiment: Experiment
    is_starred: bool
    address: str
    summary: Summary = field(default_factory=Summary)

    @property
    def parts(self) -> list[BarPart]:
        """Each status that is there, for the bar."""
        found = []
        for name, statuses in COUNTERS.items():
            numbers = [self.summary.counts.get(status, 0) for status in statuses]
            if n := sum(min(number, COUNTED_TO) for number in numbers):
                words = f"{n:,}{'' if max(numbers) <= COUNTED_TO else '+'} {name.lower()}"
                found.append(BarPart(TONES[name], n, words, self.address + QUERIES[name]))
        return found

    @property
    def n_runs(self) -> str:
        n = sum(min(number, COUNTED_TO) for number in self.summary.counts.values())
        return f"{n:,}{'' if self.summary.is_exact else '+'}"

    @property
    def submitters(self) -> list[str]:
        return [who.get_username() for who in self.summary.submitters]


@dataclass(frozen=True, slots=True)
class Head:
    """The header of a column; `url` sorts by it, "" for one that does not sort. `aria`: how it
    sorts now, "" when it does not."""

    label: str
    css: str = ""
    url: str = ""
    aria: str = ""


@page
def experiment_list(request: Request) -> HttpResponse:
    """5 queries besides those of every page, whatever the number of experiments and runs."""
    state = ExperimentState.from_query(request.GET)
    base = reverse("experiment-list", args=[request.workspace.name])
    shown = experiment_page(
        asked_for(request, state),
        state.sort,
        size=PAGE_SIZE,
        after=state.after,
        before=state.before,
    )
    context = {
        **frame(request, active="experiments"),
        **links(base, state, shown),
        "state": state,
        "base_url": base,
        "rows": rows_of(request, shown.experiments),
        "active_tab": "experiments",
        "edit_refused": why_not_edit(request),
    }
    # The box that somebody types into is not replaced under their fingers.
    own = request.htmx and request.htmx.trigger == SEARCH_FORM
    answer = render_page(
        request,
        "experiments/list.html",
        context,
        part="experiments/_results.html",
        also=[f"experiments/{name}.html" for name in ("_toggles", *(() if own else ("_search",)))],
    )
    return push_url(answer, base + state.to_query()) if wants_part(request) else answer


def asked_for(request: Request, state: ExperimentState) -> ExperimentQuerySet:
    """The experiments that the page is about, in no order."""
    found = Experiment.objects.of(request.workspace).listed(archived=state.archived)
    found = found.starred_by(request.user).defer("description")
    if state.q:
        found = found.named_like(state.q)
    return found.only_starred_by(request.user) if state.starred else found


def links(base: str, state: ExperimentState, shown: ExperimentPage) -> dict[str, Any]:
    def url(to: ExperimentState) -> str:
        return base + to.to_query()

    return {
        "heads": heads(base, state),
        "next_url": url(state.with_after(shown.next)) if shown.next else "",
        "previous_url": url(state.with_before(shown.previous)) if shown.previous else "",
        "first_url": url(state.first_page()) if state.after or state.before else "",
        "archived_url": url(state.with_archived(not state.archived)),
        "starred_url": url(state.with_starred(not state.starred)),
        "all_url": url(state.without_search()),
        "page_size": PAGE_SIZE,
    }


def heads(base: str, state: ExperimentState) -> list[Head]:
    """The columns in order. A header sorts by its column, once more turns the order round; the
    star's second time goes back to the usual order."""

    def sorting(label: str, css: str, first: str, second: str) -> Head:
        to = second if state.sort == first else first
        down = {first: first.startswith("-"), second: second.startswith("-")}
        words = {True: "descending", False: "ascending"}
        is_on = state.sort in (first, second)
        url = base + state.with_sort(to).to_query()
        return Head(label, css, url, words[down[state.sort]] if is_on else "")

    stars = base + state.with_sort("-latest" if state.sort == "starred" else "starred").to_query()
    return [
        sorting("Name", "c-name stick", "name", "-name"),
        Head("Latest run"),
        Head("Status", "c-status"),
        sorting("Submitted", "c-submitted", "-latest", "latest"),
        Head("Submitted by", "c-by"),
        sorting("Runs", "numeric", "-runs", "runs"),
        Head("Runs by status", "c-bar"),
        Head("Star", "c-star", stars, "descending" if state.sort == "starred" else ""),
    ]


def rows_of(request: Request, experiments: list[Experiment]) -> list[ExperimentRow]:
    """Rows with what they tell of the runs (3 queries)."""
    told = summaries(experiments)
    found = []
    for experiment in experiments:
        experiment.workspace = request.workspace
        summary = told[experiment.pk]
        if summary.latest is not None:
            summary.latest.workspace = request.workspace
        address = reverse("experiment-runs", args=[request.workspace.name, experiment.name])
        starred = bool(vars(experiment)["is_starred"])
        found.append(ExperimentRow(experiment, starred, address, summary))
    return found

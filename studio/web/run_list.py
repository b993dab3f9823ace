"""All runs, and the runs of one experiment: the same page with one scope."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse, QueryDict
from django.urls import reverse
from django_htmx.http import HttpResponseStopPolling

from studio.custom_views.state import PAGE_SIZES, ViewState
from studio.runs.models import Experiment, Run
from studio.runs.querysets import RunQuerySet
from studio.runs.rollup import Rollup, rollups
from studio.runs.status import COUNTERS, TERMINAL
from studio.search.apply import search
from studio.search.errors import SearchSyntaxError
from studio.search.pills import pills
from studio.search.printer import print_query
from studio.search.tree import Node, Not
from studio.search.words import describe
from studio.web.access import Request, find_experiment, page
from studio.web.frame import frame
from studio.web.paging import count_of, page_of
from studio.web.render import render_page, render_parts

MAX_LIVE = 200


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    run: Run
    rollup: Rollup | None
    is_starred: bool


@dataclass(frozen=True, slots=True)
class Pill:
    """One condition of the query, with the links that remove it and turn it round."""

    text: str
    is_negated: bool
    remove_url: str
    negate_url: str


@dataclass(frozen=True, slots=True)
class Counter:
    """One status counter: a link that filters, or un-filters when it already does."""

    name: str
    n: int
    url: str
    is_on: bool


@page
def run_list(request: Request) -> HttpResponse:
    base = reverse("run-list", args=[request.workspace.name])
    context = list_context(request, base_url=base, experiment=None)
    return _render(request, context)


@page
def experiment_runs(request: Request, name: str) -> HttpResponse:
    experiment = find_experiment(request, name)
    base = reverse("experiment-runs", args=[request.workspace.name, experiment.name])
    context = list_context(request, base_url=base, experiment=experiment)
    return _render(request, context)


def _render(request: Request, context: dict[str, Any]) -> HttpResponse:
    status = 422 if context["error"] else 200
    return render_page(
        request,
        "runs/list.html",
        context,
        part="runs/_results.html",
        also=["runs/_pills.html", "runs/_counters.html", "runs/_search.html"],
        status=status,
    )


def list_context(
    request: Request, *, base_url: str, experiment: Experiment | None
) -> dict[str, Any]:
    """Everything `runs/list.html` shows. A query that can't be read shows the list without it,
    and says where the mistake is."""
    state = ViewState.from_query(request.GET)
    error: SearchSyntaxError | None = None
    runs = scope(request, state, experiment)
    try:
        found = search(runs, state.q, user=request.user)
        node = state.node
    except SearchSyntaxError as mistake:
        error, found, node = mistake, runs, None
    shown = page_of(found.for_list(), size=state.size, after=state.after, before=state.before)
    n, is_exact = count_of(found)
    return {
        **frame(request, active="experiments" if experiment else "runs"),
        **links(state, base_url=base_url, older=shown.older, newer=shown.newer),
        "state": state,
        "experiment": experiment,
        "error": error,
        "rows": rows_of(request, shown.runs),
        "n": n,
        "is_exact": is_exact,
        "pills": pill_links(state, node, base_url),
        "counters": counters(request, state, experiment, base_url),
        "sizes": PAGE_SIZES,
        "live_url": live_url(request, shown.runs),
        "is_filtered": bool(state.q) or state.mine,
        "base_url": base_url,
    }


def scope(request: Request, state: ViewState, experiment: Experiment | None) -> RunQuerySet:
    """The runs the page is about, before its query."""
    runs = Run.objects.of(request.workspace)
    if "is:archived" not in state.q:
        runs = runs.listed()
    if experiment is not None:
        runs = runs.filter(experiment=experiment)
    if not state.children:
        runs = runs.roots()
    if state.mine:
        runs = runs.filter(submitter=request.user)
    return runs


def links(state: ViewState, *, base_url: str, older: str, newer: str) -> dict[str, Any]:
    def url(of: ViewState) -> str:
        return base_url + of.to_query()

    return {
        "older_url": url(state.with_after(older)) if older else "",
        "newer_url": url(state.with_before(newer)) if newer else "",
        "first_url": url(state.first_page()) if state.after or state.before else "",
        "children_url": url(state.with_children(not state.children)),
        "mine_url": url(state.with_mine(not state.mine)),
        "size_urls": {size: url(state.with_size(size)) for size in PAGE_SIZES},
        "clear_url": base_url,
    }


def rows_of(request: Request, runs: list[Run]) -> list[Row]:
    """Rows with roll-ups and stars (2 queries)."""
    children = rollups([run.pk for run in runs])
    starred = set(
        request.user.stars.filter(run__in=[run.pk for run in runs]).values_list("run", flat=True)
    )
    return [Row(run, children.get(run.pk), run.pk in starred) for run in runs]


def pill_links(state: ViewState, node: Node | None, base_url: str) -> list[Pill]:
    return [
        Pill(
            text=describe(part.child if isinstance(part, Not) else part),
            is_negated=isinstance(part, Not),
            remove_url=base_url + state.without_pill(index).to_query(),
            negate_url=base_url + state.negated_pill(index).to_query(),
        )
        for index, part in enumerate(pills(node))
    ]


def counters(
    request: Request, state: ViewState, experiment: Experiment | None, base_url: str
) -> list[Counter]:
    """The six counters over the current filter without its status terms (1 query)."""
    others = state.without_key("status")
    try:
        counts = search(
            scope(request, state, experiment), others.q, user=request.user
        ).status_counts()
    except SearchSyntaxError:
        counts = scope(request, state, experiment).status_counts()
    found = []
    for name, statuses in COUNTERS.items():
        values = sorted(statuses)
        is_on = state.has_values("status", *values)
        to = others if is_on else state.with_term("status", *values)
        n = sum(counts.get(status, 0) for status in statuses)
        found.append(Counter(name, n, base_url + to.to_query(), is_on))
    return found


def live_url(request: Request, runs: list[Run]) -> str:
    """Where the page asks for news of its unfinished runs; "" when nothing can change."""
    unfinished = [run for run in runs if run.status not in TERMINAL]
    return live_address(request, unfinished)


def live_address(request: Request, unfinished: list[Run]) -> str:
    if not unfinished:
        return ""
    query = QueryDict(mutable=True)
    query.setlist("run", [f"{run.uid}@{run.status_at.timestamp():.6f}" for run in unfinished])
    return reverse("run-list-live", args=[request.workspace.name]) + "?" + query.urlencode()


@page
def run_list_live(request: Request) -> HttpResponse:
    """The rows among `run=<uid>@<status time>` whose status changed since, each swapped in its
    place; 204 when none did, 286 when none can change any more."""
    known = dict(item.partition("@")[::2] for item in request.GET.getlist("run")[:MAX_LIVE])
    runs = list(Run.objects.of(request.workspace).filter(uid__in=known).for_list())
    changed = [run for run in runs if f"{run.status_at.timestamp():.6f}" != known[run.uid]]
    if not changed:
        return HttpResponse(status=204)
    unfinished = [run for run in runs if run.status not in TERMINAL]
    context = {
        **frame(request, active="runs"),
        "rows": rows_of(request, changed),
        "live_url": live_address(request, unfinished),
    }
    answer = render_parts(request, ["runs/_live.html"], context)
    if not unfinished:
        answer.status_code = HttpResponseStopPolling.status_code
    return answer

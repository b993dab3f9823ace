"""All runs, and the runs of one experiment: the same page with one scope."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse, QueryDict
from django.urls import reverse
from django_htmx.http import push_url, retarget

from studio.custom_views.state import PAGE_SIZES, ViewState
from studio.runs.models import Experiment, Run
from studio.runs.querysets import RunQuerySet
from studio.runs.status import COUNTERS
from studio.search.apply import asks_for_archived, search
from studio.search.errors import SearchSyntaxError
from studio.search.pills import pills
from studio.search.tree import Node, Not
from studio.search.words import describe
from studio.web.access import Request, find_experiment, page
from studio.web.frame import frame
from studio.web.paging import count_of, cursor_of, newer_than, page_of, read_cursor
from studio.web.render import render_page, render_parts, wants_part
from studio.web.run_rows import Listing, live_url, news, rows_of

MAX_EXPERIMENTS = 40
MAX_NEWER = 100
PARTS = ["_toggles", "_total", "_query_error", "_pills", "_counters", "_newer"]
SEARCH_FORM = "runs-search"


@dataclass(frozen=True, slots=True)
class Pill:
    """One condition of the query, with the links that remove it and turn it round."""

    text: str
    is_negated: bool
    remove_url: str
    negate_url: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A link that filters the list, or un-filters it when it already does."""

    name: str
    n: int
    url: str
    is_on: bool


@page
def run_list(request: Request) -> HttpResponse:
    return _answer(request, listing_of(request, None))


@page
def experiment_runs(request: Request, name: str) -> HttpResponse:
    return _answer(request, listing_of(request, find_experiment(request, name)))


def listing_of(request: Request, experiment: Experiment | None) -> Listing:
    here = request.workspace.name
    if experiment is None:
        base = reverse("run-list", args=[here])
    else:
        base = reverse("experiment-runs", args=[here, experiment.name])
    return Listing(base, ViewState.from_query(request.GET), experiment, has_counters=True)


def _answer(request: Request, listing: Listing) -> HttpResponse:
    """The page or its results. A query that can't be read leaves the results as they are: only
    what is wrong with it is shown."""
    context, status = list_context(request, listing), 200
    if context["error"] is not None:
        if wants_part(request):
            wrong = render_parts(request, ["runs/_query_error.html"], context, status=422)
            return retarget(push_url(wrong, False), "#runs-query_error")
        status = 422
    # The box that somebody types into is not replaced under their fingers.
    own = request.htmx and request.htmx.trigger == SEARCH_FORM
    also = PARTS if own else [*PARTS, "_search"]
    answer = render_page(
        request,
        "runs/list.html",
        context,
        part="runs/_results.html",
        also=[f"runs/{name}.html" for name in also],
        status=status,
    )
    # The address bar shows the state as every link writes it, whatever the form sent.
    return push_url(answer, listing.url(listing.state)) if wants_part(request) else answer


def list_context(request: Request, listing: Listing) -> dict[str, Any]:
    """Everything `runs/list.html` shows. A query that can't be read shows the list without it,
    and says where the mistake is."""
    state, error, node = listing.state, None, None
    runs = scope(request, listing)
    try:
        node = state.node
        found = search(runs, state.q, user=request.user, workspace=request.workspace)
    except SearchSyntaxError as mistake:
        error, found = mistake, runs
    shown = page_of(found.for_list(), size=state.size, after=state.after, before=state.before)
    n, is_exact = count_of(found)
    rows = rows_of(request, listing, shown.runs)
    return {
        **frame(request, active="experiments" if listing.experiment else "runs"),
        **links(listing, older=shown.older, newer=shown.newer),
        "state": state,
        "experiment": listing.experiment,
        "error": error,
        "rows": rows,
        "n": n,
        "is_exact": is_exact,
        "pills": pill_links(listing, None if error else node),
        "counters": counters(request, listing),
        "experiments": experiment_links(request, listing),
        "sizes": PAGE_SIZES,
        "live_url": live_url(request, listing, rows),
        "newer_news_url": "" if error else newer_news_url(request, listing, shown.runs),
        "is_filtered": bool(state.q) or state.mine,
        "base_url": listing.base_url,
    }


def scope(request: Request, listing: Listing) -> RunQuerySet:
    """The runs the page is about, before its query."""
    state = listing.state
    runs = Run.objects.of(request.workspace)
    try:
        with_archived = asks_for_archived(state.node)
    except SearchSyntaxError:
        with_archived = False
    if not with_archived:
        runs = runs.listed()
    if listing.experiment is not None:
        runs = runs.filter(experiment=listing.experiment)
    if not state.children:
        runs = runs.roots()
    if state.mine:
        runs = runs.filter(submitter=request.user)
    return runs


def links(listing: Listing, *, older: str, newer: str) -> dict[str, Any]:
    state, url = listing.state, listing.url
    return {
        "older_url": url(state.with_after(older)) if older else "",
        "newer_url": url(state.with_before(newer)) if newer else "",
        "first_url": url(state.first_page()) if state.after or state.before else "",
        "children_url": url(state.with_children(not state.children)),
        "mine_url": url(state.with_mine(not state.mine)),
        "size_urls": {size: url(state.with_size(size)) for size in PAGE_SIZES},
        "clear_url": listing.base_url,
    }


def pill_links(listing: Listing, node: Node | None) -> list[Pill]:
    state = listing.state
    return [
        Pill(
            text=describe(part.child if isinstance(part, Not) else part),
            is_negated=isinstance(part, Not),
            remove_url=listing.url(state.without_pill(index)),
            negate_url=listing.url(state.negated_pill(index)),
        )
        for index, part in enumerate(pills(node))
    ]


def counters(request: Request, listing: Listing) -> list[Choice]:
    """The six counters over the current filter without its status terms (1 query and those of
    the search)."""
    state = listing.state
    others = state.without_key("status")
    runs = scope(request, listing)
    try:
        runs = search(runs, others.q, user=request.user, workspace=request.workspace)
    except SearchSyntaxError:
        others = state
    counts = runs.status_counts()
    found = []
    for name, statuses in COUNTERS.items():
        values = sorted(statuses)
        is_on = state.has_values("status", *values)
        to = others if is_on else state.with_term("status", *values)
        n = sum(counts.get(status, 0) for status in statuses)
        found.append(Choice(name, n, listing.url(to), is_on))
    return found


def experiment_links(request: Request, listing: Listing) -> list[Choice]:
    """The menu of experiments, latest submission first, at most 40 (1 query)."""
    if listing.experiment is not None:
        return []
    state = listing.state
    names = Experiment.objects.of(request.workspace).listed().values_list("name", flat=True)
    found = []
    for name in names[:MAX_EXPERIMENTS]:
        is_on = state.has_values("experiment", name)
        to = state.without_key("experiment") if is_on else state.with_term("experiment", name)
        found.append(Choice(name, 0, listing.url(to), is_on))
    return found


def newer_news_url(request: Request, listing: Listing, shown: list[Run], *, told: int = 0) -> str:
    """Where the first page asks whether newer runs came; "" on other pages. `told`: how many the
    reader knows of."""
    state = listing.state
    if state.after or state.before:
        return ""
    since = cursor_of(shown[0]) if shown else request.GET.get("since", "")
    return news_address(request, listing, since=since, told=told)


def news_address(request: Request, listing: Listing, *, since: str, told: int) -> str:
    query = QueryDict(listing.state.first_page().to_query().removeprefix("?"), mutable=True)
    query.update({"since": since, "told": str(told)})
    if listing.experiment is not None:
        query["experiment"] = listing.experiment.name
    return reverse("run-list-newer", args=[request.workspace.name]) + "?" + query.urlencode()


@page
def run_list_newer(request: Request) -> HttpResponse:
    """How many runs of the list are newer than its first row; 204 while that is what was told.
    Loads none of them: nothing moves under the reader."""
    name = request.GET.get("experiment", "")
    listing = listing_of(request, find_experiment(request, name) if name else None)
    runs = scope(request, listing)
    since = request.GET.get("since", "")
    if place := read_cursor(since):
        runs = runs.filter(newer_than(place))
    try:
        runs = search(runs, listing.state.q, user=request.user, workspace=request.workspace)
    except SearchSyntaxError:
        return HttpResponse(status=204)
    n = runs.order_by()[:MAX_NEWER].count()
    if str(n) == request.GET.get("told", "0"):
        return HttpResponse(status=204)
    context = {
        **frame(request, active="runs"),
        "n_newer": n,
        "max_newer": MAX_NEWER,
        "first_page_url": listing.url(listing.state.first_page()),
        "newer_news_url": news_address(request, listing, since=since, told=n),
    }
    return render_parts(request, ["runs/_newer.html"], context)


@page
def run_list_live(request: Request) -> HttpResponse:
    """The rows that changed since the page was drawn, each swapped in its place, and the counters;
    204 when none did. The last answer asks no more."""
    name = request.GET.get("experiment", "")
    listing = listing_of(request, find_experiment(request, name) if name else None)
    answer = news(request, listing)
    if isinstance(answer, HttpResponse):
        return answer
    context = {**frame(request, active="runs"), **answer}
    parts = ["runs/_live.html"]
    if request.GET.get("counters") == "1":
        context["counters"] = counters(request, listing)
        parts.append("runs/_counters.html")
    return render_parts(request, parts, context)

"""All runs, the runs of one experiment, the child runs of a run, pipelines: the same page with one
scope."""

from dataclasses import replace
from typing import Any

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django_htmx.http import push_url, retarget

from studio.custom_views.finding import default_view
from studio.custom_views.state import PAGE_SIZES, Base, ViewState
from studio.runs.querysets import RunQuerySet
from studio.search import keyset
from studio.search.errors import SearchSyntaxError
from studio.search.order import NEWEST
from studio.search.syntax import parse
from studio.web.access import Request, find_experiment, find_run, page
from studio.web.experiment_head import experiment_head
from studio.web.frame import frame
from studio.web.log_search import log_search_context
from studio.web.render import render_page, render_parts, wants_part
from studio.web.run_charts import chart_context
from studio.web.run_detail import run_context
from studio.web.run_groups import group_context, group_links
from studio.web.run_list_links import (
    counter_links,
    experiment_links,
    page_links,
    paging_links,
    table_context,
)
from studio.web.run_list_parts import count_context, counts_url, newer_news_url
from studio.web.run_list_reading import (
    Reading,
    Wrong,
    listing_of,
    listing_of_view,
    matching,
    order_of,
    reading_of,
    scope,
    with_children,
)
from studio.web.run_pills import pill_context
from studio.web.run_rows import Listing, live_url, rows_of, tell_more
from studio.web.run_suggest import typing_context
from studio.web.sweeps import sweep_context, usual_state
from studio.web.view_bar import place_of, view_context

PARTS = [
    "views/_bar",
    *(f"runs/{name}" for name in ("_toggles", "_query_error", "_pills", "_log_search")),
    *("runs/_list_charts", "runs/_newer"),
]
SEARCH_FORM = "runs-search"


@page
def run_list(request: Request) -> HttpResponse:
    return _list(request, listing_of(request, request.GET))


@page
def experiment_runs(request: Request, name: str) -> HttpResponse:
    experiment = find_experiment(request, name)
    return _list(request, listing_of(request, request.GET, experiment=experiment))


@page
def pipeline_list(request: Request) -> HttpResponse:
    return _list(request, listing_of(request, request.GET, type="pipeline"))


@page
def run_children(request: Request, uid: str) -> HttpResponse:
    """The child runs of a run: the list below its header. A bare one of a sweep opens with its
    charts."""
    listing = listing_of(request, request.GET, parent=find_run(request, uid))
    if not request.GET and not wants_part(request):
        usual = usual_state(request, listing)
        if usual is not None:
            return redirect(listing.url(replace(usual, base=Base(ViewState()))))
    return _answer(request, listing)


@page
def open_view(request: Request, address: str) -> HttpResponse:
    """A custom view: the list in its state, changed by what the URL says besides."""
    listing = listing_of_view(request, address, request.GET)
    if listing.view and address != listing.view.address and not wants_part(request):
        # Its name has changed, and the address with it.
        query = request.GET.urlencode(safe=":,")
        return HttpResponseRedirect(listing.base_url + (f"?{query}" if query else ""))
    return _answer(request, listing)


def _list(request: Request, listing: Listing) -> HttpResponse:
    """The list as the URL says; a bare one opens the default view, where there is one."""
    default = default_view(request.workspace, request.actor, place_of(listing), listing.experiment)
    if default is not None:
        if not request.GET and not wants_part(request):
            return redirect("view", workspace=request.workspace.name, address=default.address)
        state = ViewState.from_query(request.GET, Base(ViewState()))
        listing = replace(listing, state=state)
    return _answer(request, listing)


def _answer(request: Request, listing: Listing) -> HttpResponse:
    """The page or its results. What can't be read leaves the results as they are: only what is
    wrong with it is shown."""
    listing, wrong = _with_added(request, listing)
    if wrong is None and request.GET.get("add") and not request.htmx:
        return HttpResponseRedirect(listing.url(listing.state))
    context = list_context(request, listing, wrong)
    status = 200 if context["error"] is None else 422
    if status == 422 and wants_part(request):
        context |= typing_context(request, context["error"])
        told = render_parts(request, ["runs/_query_error.html"], context, status=422)
        return retarget(push_url(told, False), "#runs-query_error")
    # The box that somebody types into is not replaced under their fingers.
    own = request.htmx and request.htmx.trigger == SEARCH_FORM
    also = PARTS if own else [*PARTS, "runs/_search"]
    also = also if listing.parent is None else [*also, "runs/_sweep"]
    answer = render_page(
        request,
        "runs/list.html",
        context,
        part="runs/_results.html",
        also=[f"{name}.html" for name in also],
        status=status,
    )
    # The address bar shows the state as every link writes it, whatever the form sent.
    return push_url(answer, listing.url(listing.state)) if wants_part(request) else answer


def _with_added(request: Request, listing: Listing) -> tuple[Listing, Wrong | None]:
    """The list narrowed by the condition in the parameter `add`: that of a cell or a filter."""
    text = request.GET.get("add", "").strip()
    if not text:
        return listing, None
    try:
        node = parse(text)
    except SearchSyntaxError as error:
        place = (error.position, error.length, error.message, error.example)
        return listing, Wrong("add", text, *place)
    state = listing.state.narrowed(node) if node else listing.state
    return replace(listing, state=state), None


def list_context(request: Request, listing: Listing, wrong: Wrong | None = None) -> dict[str, Any]:
    """Everything `runs/list.html` shows. What can't be read is left out, and the page says where
    the mistake is."""
    state, reading = listing.state, reading_of(listing)
    wrong = wrong or reading.wrong
    try:
        found = matching(request, listing, reading.node)
    except SearchSyntaxError as error:
        place = (error.position, error.length, error.message, error.example)
        wrong = wrong or Wrong("q", state.q, *place)
        reading = replace(reading, node=None)
        found = scope(request, listing, None)
    is_grouped = bool(reading.group) and wrong is None
    body = (
        group_context(listing, reading, found)
        if is_grouped
        else row_context(request, listing, reading, found)
    )
    return {
        **frame(request, active=_section(listing)),
        **counted(request, listing),
        **page_links(listing),
        **table_context(listing, reading),
        **group_links(listing, reading, request.workspace.name),
        **chart_context(listing, request.workspace.name),
        **view_context(request, listing),
        "listing": listing,
        "page_name": _name(listing),
        "base_url": listing.base_url,
        "state": state,
        "experiment": listing.experiment,
        **(experiment_head(request, listing.experiment) if listing.experiment else {}),
        "error": wrong,
        **pill_context(request, listing, reading.node),
        **log_search_context(request, listing, reading.node),
        "experiments": experiment_links(request, listing),
        "sizes": PAGE_SIZES,
        "is_filtered": bool(state.q) or state.mine or state.only,
        **body,
        **_run_context(request, listing),
        **sweep_context(request, listing, found, body.get("rows", [])),
    }


def _run_context(request: Request, listing: Listing) -> dict[str, Any]:
    """The run around a list of its child runs; parts of the page show nothing of it."""
    if listing.parent is None or wants_part(request):
        return {}
    return run_context(request, listing.parent, tab="children")


def row_context(
    request: Request, listing: Listing, reading: Reading, found: RunQuerySet
) -> dict[str, Any]:
    """The rows of one page, and where it asks for news of them."""
    state = listing.state
    shown = keyset.page(
        found,
        order_of(request, reading),
        size=state.size,
        after=state.after,
        before=state.before,
        load=RunQuerySet.for_list,
    )
    runs, depths = with_children(request, listing, shown.runs)
    rows = rows_of(request, listing, runs, reading.columns, depths=depths)
    if depths:
        tell_more(rows)
    is_first, newest = not (state.after or state.before), shown.runs
    if reading.keys != NEWEST:
        # A sweep stands in the order of its metric, and goes on.
        is_first = is_first and listing.parent is not None
        newest = list(found.newest()[:1]) if is_first else []
    return {
        **paging_links(listing, older=shown.older, newer=shown.newer),
        "rows": rows,
        "live_url": live_url(request, listing, rows),
        "newer_news_url": newer_news_url(request, listing, newest) if is_first else "",
    }


def counted(request: Request, listing: Listing) -> dict[str, Any]:
    """The total and the counters come after the page, by HTMX; without JavaScript with the page,
    when its address asks for them."""
    asked = request.GET.get("counts") == "1"
    more = "&" if listing.state.to_query() else "?"
    found = {
        "counts_url": "" if asked else counts_url(request, listing),
        "counted_url": listing.url(listing.state) + f"{more}counts=1",
        "n": None,
        "is_exact": True,
        "counters": counter_links(listing, {}),
    }
    return found | (count_context(request, listing) if asked else {})


def _section(listing: Listing) -> str:
    """What the rail marks as the place one is in."""
    if listing.view is not None:
        is_pinned = vars(listing.view)["pin_position"] is not None
        return f"view-{listing.view.uid}" if is_pinned else "views"
    if listing.experiment is not None:
        return "experiments"
    return "pipelines" if listing.type == "pipeline" else "runs"


def _name(listing: Listing) -> str:
    if listing.parent is not None:
        return "Child runs"
    if listing.experiment is not None:
        return listing.experiment.shown_name
    return "Pipelines" if listing.type == "pipeline" else "All runs"

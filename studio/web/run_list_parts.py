"""What a run list loads after its rows: total and counters, and whether something changed."""

import time
import zlib
from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse
from django.urls import reverse

from studio.runs.models import Run
from studio.runs.status import COUNTERS, TERMINAL
from studio.search.choosing import status_counts
from studio.search.errors import SearchSyntaxError
from studio.search.sweeps import primary_of
from studio.search.syntax import parse
from studio.web.access import Request, page
from studio.web.frame import frame
from studio.web.paging import EXACT_UP_TO, count_of, cursor_of, newer_than, read_cursor
from studio.web.render import render_parts
from studio.web.run_list_links import counter_links
from studio.web.run_list_reading import listing_aside, matching, reading_of, scope
from studio.web.run_rows import Listing, news
from studio.web.sweeps import best_context
from studio.web.view_rail import version_of

MAX_NEWER = 100
# A count that takes long is asked for less often, so that no list is what a server does most.
COUNTED_EVERY_S = 3
COUNTED_TIMES = 30
COUNTED = ["runs/_total.html", "runs/_counters.html"]


def count_context(request: Request, listing: Listing) -> dict[str, Any]:
    """How many runs match, the six counters over the filter without its status terms, and whether
    one of these runs goes on. A query that can't be read counts nothing."""
    others = listing.state.without_key("status")
    try:
        found = status_counts(matching(request, listing, parse(others.q)), EXACT_UP_TO + 1)
        if others.q == listing.state.q:
            n = sum(found.values())
            n, is_exact = min(n, EXACT_UP_TO), n <= EXACT_UP_TO
        else:
            n, is_exact = count_of(matching(request, listing, listing.state.node))
    except SearchSyntaxError:
        links = counter_links(listing, {})
        return {"n": None, "is_exact": True, "counters": links, "can_change": False}
    return {
        "n": n,
        "is_exact": is_exact,
        "counters": counter_links(listing, _counts(found)),
        "can_change": not found.keys() <= TERMINAL,
    }


def _counts(found: Mapping[str, int]) -> dict[str, tuple[int, bool]]:
    """The six counters of runs by status, each counted to one more than is shown."""
    counts = {}
    for name, statuses in COUNTERS.items():
        numbers = [found.get(status, 0) for status in statuses]
        is_exact = max(numbers) <= EXACT_UP_TO
        counts[name] = (sum(min(n, EXACT_UP_TO) for n in numbers), is_exact)
    return counts


def _best_of_all(request: Request, listing: Listing) -> dict[str, Any]:
    """The best of all child runs that match; of a query that can't be read, of all."""
    parent, reading = listing.parent, reading_of(listing)
    primary = primary_of(parent) if parent else None
    try:
        found = matching(request, listing, reading.node)
    except SearchSyntaxError:
        found = scope(request, listing, None)
    return {"listing": listing, **best_context(request, primary, found)}


@page
def run_list_counts(request: Request) -> HttpResponse:
    """The total and the counters of a list, swapped in their places; while a run of it goes on, the
    answer asks again. 204 while nothing has happened in the workspace since `v`; nothing is swapped
    while the numbers are those of `shown`."""
    version = version_of(request.workspace)
    if request.GET.get("v") == version:
        return HttpResponse(status=204)
    listing = listing_aside(request)
    began = time.monotonic()
    context = {**frame(request, active="runs"), **count_context(request, listing)}
    taken_s = time.monotonic() - began
    numbers = [(counter.n, counter.is_exact) for counter in context["counters"]]
    shown = f"{zlib.crc32(repr((context['n'], context['is_exact'], numbers)).encode()):x}"
    if context["can_change"]:
        context["counts_url"] = counts_url(request, listing, v=version, shown=shown)
        context["counts_every_s"] = max(COUNTED_EVERY_S, round(COUNTED_TIMES * taken_s))
    parts = [] if request.GET.get("shown") == shown else COUNTED
    return render_parts(request, ["runs/_counts.html", *parts], context)


def counts_url(request: Request, listing: Listing, **known: str) -> str:
    """Where the total and the counters of a list are."""
    address = reverse("run-list-counts", args=[request.workspace.name])
    return listing.without_ticks().aside(address, **known)


def newer_news_url(request: Request, listing: Listing, shown: list[Run], *, told: int = 0) -> str:
    """Where the first page asks whether newer runs came. `told`: how many the reader knows of."""
    since = cursor_of(shown[0]) if shown else request.GET.get("since", "")
    return _news_address(request, listing, since=since, told=told)


def _news_address(request: Request, listing: Listing, *, since: str, told: int) -> str:
    address = reverse("run-list-newer", args=[request.workspace.name])
    return listing.without_ticks().aside(address, since=since, told=str(told))


@page
def run_list_newer(request: Request) -> HttpResponse:
    """How many runs of the list are newer than its first row; 204 while that is what was told.
    Loads none of them: nothing moves under the reader."""
    listing = listing_aside(request)
    since = request.GET.get("since", "")
    try:
        runs = matching(request, listing, listing.state.node)
    except SearchSyntaxError:
        return HttpResponse(status=204)
    if place := read_cursor(since):
        runs = runs.filter(newer_than(place))
    n = runs.order_by()[:MAX_NEWER].count()
    if str(n) == request.GET.get("told", "0"):
        return HttpResponse(status=204)
    context = {
        **frame(request, active="runs"),
        "n_newer": n,
        "max_newer": MAX_NEWER,
        "first_page_url": listing.url(listing.state.first_page()),
        "newer_news_url": _news_address(request, listing, since=since, told=n),
        # Where no run went on, nobody asks for the counters any more.
        "counts_url": counts_url(request, listing),
        # Nothing can move under a reader where nothing is.
        "comes_by_itself": listing.parent is not None and not since,
    }
    return render_parts(request, ["runs/_newer.html", "runs/_counts.html"], context)


@page
def run_list_live(request: Request) -> HttpResponse:
    """The rows that changed since the page was drawn, each swapped in its place, and the counters;
    204 when none did. The last answer asks no more."""
    listing = listing_aside(request)
    reading = reading_of(listing)
    answer = news(request, listing, reading.columns)
    if isinstance(answer, HttpResponse):
        return answer
    context = {**frame(request, active="runs"), **answer, "state": listing.state}
    parts = ["runs/_live.html"]
    if request.GET.get("counters") == "1":
        context |= count_context(request, listing)
        parts += COUNTED
    if listing.parent is not None:
        context |= _best_of_all(request, listing)
        parts.append("runs/_sweep_best.html")
    return render_parts(request, parts, context)

"""The person's pinned views in the sidebar, and how many runs each has now."""

import time
from dataclasses import dataclass

from django.core.cache import cache
from django.http import HttpResponse
from django.urls import reverse

from studio.accounts.models import Workspace
from studio.custom_views.models import CustomView
from studio.runs.models import RunEvent
from studio.search.errors import SearchSyntaxError
from studio.search.zones import active_zone_name
from studio.web.access import Request, page
from studio.web.pins import pins_of
from studio.web.render import render_parts
from studio.web.run_list_reading import listing_of_found, matching

COUNTED_TO = 1_000
# A count that took long is kept the longer, so that the sidebar never is what a server does most.
KEPT_AT_LEAST_S = 2.0
KEPT_TIMES = 100


@dataclass(frozen=True, slots=True)
class Pin:
    """A pinned view; `n`: its runs, counted to COUNTED_TO + 1, None for a query that can't be
    read; `version`: of the workspace, when they were counted."""

    uid: str
    n: int | None
    version: str

    @property
    def words(self) -> str:
        if self.n is None:
            return "–"
        return f"{self.n:,}" if self.n <= COUNTED_TO else f"{COUNTED_TO:,}+"


@page
def rail(request: Request) -> HttpResponse:
    """The numbers of the pins, each swapped in its place; 204 while nothing has happened in the
    workspace since `v`, which is told once no number is older. 2 queries and one for each pin that
    was not counted of late."""
    version = version_of(request.workspace)
    if request.GET.get("v") == version:
        return HttpResponse(status=204)
    counts = [_count(request, view, version) for view in pins_of(request)]
    address = reverse("view-rail", args=[request.workspace.name])
    is_all_new = all(pin.version == version for pin in counts)
    rail_url = f"{address}?v={version}" if is_all_new else address
    context = {"pin_counts": counts, "rail_url": rail_url}
    return render_parts(request, ["views/_rail_counts.html"], context)


def version_of(workspace: Workspace) -> str:
    """Changes with everything that happens to the runs of a workspace (1 query)."""
    newest = RunEvent.objects.filter(workspace=workspace).order_by("-id")
    # Relative dates move on without any event.
    return f"{newest.values_list('pk', flat=True).first() or 0}-{int(time.time() // 60)}"


def _count(request: Request, view: CustomView, version: str) -> Pin:
    key = f"pin:{view.uid}:{view.version}:{request.user.pk}:{active_zone_name()}"
    held: Pin | None = cache.get(key)
    if held is not None:
        return held
    began = time.monotonic()
    pin = Pin(view.uid, _counted_now(request, view), version)
    taken = time.monotonic() - began
    cache.set(key, pin, max(KEPT_AT_LEAST_S, KEPT_TIMES * taken))
    return pin


def _counted_now(request: Request, view: CustomView) -> int | None:
    listing = listing_of_found(request, view, {})
    try:
        runs = matching(request, listing, listing.state.node)
        return runs.order_by()[: COUNTED_TO + 1].count()
    except SearchSyntaxError:
        return None

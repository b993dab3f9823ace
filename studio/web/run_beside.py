"""A second text of the run beside the opened one: its last lines, or a page of them."""

from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpResponse
from django.urls import reverse

from studio.artifacts import actions, viewing
from studio.runs.models import Run
from studio.web.access import Request, find_run, page
from studio.web.frame import frame
from studio.web.log_viewer import first_page, number_of, state_of
from studio.web.render import render_parts
from studio.web.run_files import Place


@page
def run_log_beside(request: Request, uid: str) -> HttpResponse:
    """The pane alone, of the file `beside`; 204 while it still has the `seen` bytes."""
    run = find_run(request, uid)
    place = Place.of(request, run)
    context = beside_view(request, run, place, request.GET.get("path", ""))
    if not context:
        raise Http404("No file is asked for.")
    shown = context["beside_page"]
    if shown is not None and context["beside_url"] and number_of(request, "seen") == shown.size:
        return HttpResponse(status=204)
    context = {**frame(request, active="runs"), "run": run, **context}
    return render_parts(request, ["artifacts/_beside.html"], context)


def beside_view(request: Request, run: Run, place: Place, path: str) -> dict[str, Any]:
    """For `artifacts/_beside.html`, empty when no file stands beside `path`. beside: its path;
    beside_page: log_pages.LogPage, None for a file that is no text; beside_url: asks for the pane
    while the file grows, else ""; swap_url, close_url; earlier_beside_url and later_beside_url: ""
    when there are no more lines (1 query)."""
    if not place.beside or place.beside == path:
        return {}
    artifact = actions.find_artifact(run, place.beside)
    found: dict[str, Any] = {
        "beside": place.beside,
        "beside_page": None,
        "beside_url": "",
        "swap_url": place.swapped(path).url_of(place.beside),
        "close_url": place.with_beside("").url_of(path),
        "earlier_beside_url": "",
        "later_beside_url": "",
    }
    if artifact is None or not viewing.is_text(artifact):
        return found
    line = number_of(request, "beside_line")
    shown = first_page(artifact, line)
    if line is None and state_of(artifact, run, shown).grows:
        address = reverse("run-log-beside", args=[request.workspace.name, run.uid])
        query = urlencode({"path": path, "seen": shown.size})
        found["beside_url"] = f"{address}?{query}{place.carried}"
    if shown.first > 1:
        found["earlier_beside_url"] = place.url_of(path, beside_line=max(1, shown.first - 1))
    if shown.last < shown.total:
        found["later_beside_url"] = place.url_of(path, beside_line=shown.last + 1)
    return {**found, "beside_page": shown}

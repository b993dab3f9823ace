"""The trash: what people deleted, with the way back and the way out."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.urls import reverse
from django_htmx.http import trigger_client_event

from studio.accounts.permissions import Permission
from studio.artifacts.trash import purged_at, trash, trash_total
from studio.runs.actions import keeping
from studio.runs.history import Refused
from studio.runs.limits import Invalid
from studio.runs.models import Run
from studio.search.apply import search
from studio.search.errors import SearchSyntaxError
from studio.web.access import Request, action, page
from studio.web.bulk_asked import query_of_name
from studio.web.frame import frame
from studio.web.render import done, render_page, render_parts

PAGE_SIZE = 50


@dataclass(frozen=True, slots=True)
class Row:
    """A deleted run: `n_along` child runs went with it, `n_bytes` are freed by its purge."""

    run: Run
    n_along: int
    n_bytes: int
    purged_at: datetime | None


@page
def trash_list(request: Request) -> HttpResponse:
    """What was deleted, newest first, by name if asked."""
    context = trash_context(request)
    return render_page(
        request,
        "trash/list.html",
        context,
        part="trash/_results.html",
        also=["trash/_total.html"],
        status=422 if context["error"] else 200,
    )


def trash_context(request: Request) -> dict[str, Any]:
    """Everything `trash/list.html` shows: 3 queries and those of the search."""
    name, error, room = request.GET.get("q", "").strip(), "", request.workspace
    runs = trash(room)
    try:
        runs = search(runs, query_of_name(name), user=request.user, workspace=room)
    except (Invalid, SearchSyntaxError) as wrong:
        error = str(wrong)
    place = read_place(request.GET.get("after", ""))
    if place is not None:
        runs = runs.deleted_before(place)
    found: list[Any] = list(runs[: PAGE_SIZE + 1])
    shown = found[:PAGE_SIZE]
    more = place_of(shown[-1]) if len(found) > PAGE_SIZE else ""
    return {
        **frame(request, active="trash"),
        **trash_total(room),
        "rows": [Row(run, run.n_together - 1, run.n_bytes, purged_at(run)) for run in shown],
        "q": name,
        "error": error,
        "older_url": address(request, q=name, after=more) if more else "",
        "first_url": address(request, q=name) if place is not None else "",
        "clear_url": address(request),
        "size": PAGE_SIZE,
        "days": settings.TRASH_DAYS,
        "may_restore": Permission.DELETE_RUN in request.permissions,
        "may_purge": Permission.PURGE in request.permissions,
    }


def address(request: Request, **query: str) -> str:
    asked = urlencode({name: value for name, value in query.items() if value})
    base = reverse("trash", args=[request.workspace.name])
    return f"{base}?{asked}" if asked else base


def place_of(run: Run) -> str:
    return f"{run.deleted_at.timestamp():.6f}-{run.pk}" if run.deleted_at else ""


def read_place(text: str) -> Run | None:
    """A run, as far as its place in the trash goes; None for a place somebody made up."""
    moment, _, pk = text.partition("-")
    try:
        at = datetime.fromtimestamp(float(moment), UTC)
        return Run(pk=int(pk), deleted_at=at) if len(pk) < 19 else None
    except (ValueError, OverflowError, OSError):
        return None


@action
def restore(request: Request, uid: str) -> HttpResponse:
    """One run back into the lists, at once; `back`: "run" leads to the run instead of the trash."""
    run = Run.objects.filter(workspace=request.workspace, uid=uid).in_trash().first()
    if run is None:
        raise Http404(f"There is no run “{uid[:80]}” in the trash.")
    run.workspace = request.workspace
    try:
        keeping.restore_run(run, by=request.actor)
    except Refused as refused:
        return told(request, str(refused), is_error=True)
    if request.POST.get("back") == "run":
        messages.success(request, f"“{run.display_name}” is restored")
        return done(request, reverse("run-detail", args=[request.workspace.name, run.uid]))
    return told(request, f"“{run.display_name}” is restored")


def told(request: Request, words: str, *, is_error: bool = False) -> HttpResponse:
    """The trash as it is now, and what happened, as a toast."""
    if not request.htmx:
        (messages.error if is_error else messages.success)(request, words)
        return done(request, address(request))
    context = {**frame(request, active="trash"), "toast": words, "toast_is_error": is_error}
    answer = render_parts(request, ["runs/_toast.html"], context)
    return trigger_client_event(answer, "studio:runs-changed")

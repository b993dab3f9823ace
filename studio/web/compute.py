"""Compute: targets, their workers, and what waits."""

from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.urls import reverse

from studio.accounts.permissions import Permission
from studio.compute.models import TargetEvent
from studio.web.access import Request, page
from studio.web.compute_rows import target_rows
from studio.web.frame import frame
from studio.web.render import render_page
from studio.web.target_words import sentence

N_EVENTS = 30


@page
def compute(request: Request) -> HttpResponse:
    """5 queries for the part that asks for its own news, whatever the number of targets; 1 more
    for the history on the whole page."""
    return shown(request)


def shown(request: Request, *, error: str = "", status: int = 200) -> HttpResponse:
    """The page or its live part; `error`: why a button did not do what it says."""
    context: dict[str, Any] = {
        **frame(request, active="compute"),
        "rows": target_rows(request.workspace),
        "may_edit": may_edit(request),
        "error": error,
        "version": settings.STUDIO_VERSION,
        "events": history(request),
        "n_events": N_EVENTS,
    }
    part = "compute/_targets.html"
    return render_page(request, "compute/page.html", context, part=part, status=status)


def history(request: Request) -> Any:
    """The newest changes with their words, asked for when they are drawn (1 query)."""
    events = TargetEvent.objects.newest(request.workspace)
    return ((event, sentence(event)) for event in events[:N_EVENTS])


def may_edit(request: Request) -> dict[bool, bool]:
    """Whether the person changes targets, by whether all workspaces share them."""
    return {
        True: Permission.EDIT_SHARED_TARGETS in request.permissions,
        False: Permission.EDIT_TARGETS in request.permissions,
    }


def page_address(request: Request) -> str:
    return reverse("compute", args=[request.workspace.name])

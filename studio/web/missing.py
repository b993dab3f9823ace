"""What is shown where nothing is: a deleted run can be restored from its own address."""

from typing import cast

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views.defaults import page_not_found

from studio.accounts.permissions import Permission
from studio.artifacts.trash import purged_at
from studio.runs.models import Run
from studio.web.access import InTrash, Request
from studio.web.frame import frame
from studio.web.render import wants_part


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The page for a 404; for members, a deleted run's own."""
    asked = cast(Request, request)
    if isinstance(exception, InTrash) and request.method == "GET" and not wants_part(asked):
        return trashed(asked, exception.run)
    return page_not_found(request, exception)


def trashed(request: Request, run: Run) -> HttpResponse:
    """Who deleted the run and when, and the way back for those who may (3 queries at most)."""
    above = None
    if run.deleted_with is not None and run.deleted_with != run.pk:
        above = Run.objects.filter(workspace=request.workspace, pk=run.deleted_with).first()
    context = {
        **frame(request, active="trash"),
        "run": run,
        "above": above,
        "purged_at": purged_at(run),
        "days": settings.TRASH_DAYS,
        "may_restore": Permission.DELETE_RUN in request.permissions,
    }
    html = render_to_string("runs/trashed.html", context, request=request)
    return HttpResponse(html, status=404)

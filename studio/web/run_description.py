"""Editing a run's description: the form with its live preview, saving, and conflicts."""

from django.http import HttpResponse
from django.urls import reverse

from studio.accounts.permissions import NotAllowed, Permission
from studio.runs import actions
from studio.runs.descriptions import description_of_run
from studio.runs.limits import Invalid
from studio.runs.models import Description, ExperimentDescription, Run
from studio.web.access import Request, action, find_run, page
from studio.web.description_editor import Links, preview_of, read_from
from studio.web.render import done, render_page, wants_part
from studio.web.run_detail import run_context
from studio.web.run_header import NO_EDIT
from studio.web.typed import typed_text


@page
def edit(request: Request, uid: str) -> HttpResponse:
    """The editor, filled with what is stored."""
    run = find_run(request, uid)
    stored = description_of_run(run)
    draft = stored or Description(run=run, version=0)
    return form(request, run, draft)


@action
def save(request: Request, uid: str) -> HttpResponse:
    """Save the description; a conflict shows both texts and keeps what was typed."""
    run = find_run(request, uid)
    draft = typed(request, run)
    try:
        actions.describe_run(run, draft.text, by=request.actor, expected_version=read_from(request))
    except Invalid as wrong:
        return form(request, run, draft, error=str(wrong), status=422)
    except actions.EditConflict as conflict:
        draft.version = conflict.current.version
        stored = conflict.current
        return form(request, run, draft, error=str(conflict), conflict=stored, status=409)
    return done(request, reverse("run-detail", args=[request.workspace.name, run.uid]))


@action
def preview(request: Request, uid: str) -> HttpResponse:
    """The description as it would look; nothing is stored. Without HTMX the whole form again."""
    run = find_run(request, uid)
    if Permission.EDIT_RUN not in request.permissions:
        raise NotAllowed(NO_EDIT)
    return form(request, run, typed(request, run), part="runs/_preview.html")


def typed(request: Request, run: Run) -> Description:
    """What the form holds, not stored."""
    return Description(run=run, text=typed_text(request), version=read_from(request) or 0)


def form(
    request: Request,
    run: Run,
    draft: Description,
    *,
    error: str = "",
    conflict: Description | ExperimentDescription | None = None,
    status: int = 200,
    part: str = "descriptions/_form.html",
) -> HttpResponse:
    """The editor with `draft` in it."""
    can_edit = Permission.EDIT_RUN in request.permissions
    context = {
        "text": draft.text,
        "version": draft.version,
        **preview_of(request, draft.text),
        "error": error,
        "conflict": conflict,
        "edit_refused": "" if can_edit else NO_EDIT,
        "links": Links.of(run, request.workspace.name),
    }
    if part != "runs/_preview.html" or not wants_part(request):
        context |= run_context(request, run, tab="details")
    return render_page(request, "runs/edit_description.html", context, part=part, status=status)

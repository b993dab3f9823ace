"""Editing a run's description: the form with its live preview, saving, and conflicts."""

from django.http import HttpResponse
from django.urls import reverse

from studio.accounts.permissions import NotAllowed, Permission
from studio.runs import actions
from studio.runs.deeplinks import resolver
from studio.runs.limits import MAX_DESCRIPTION_BYTES, Invalid
from studio.runs.markdown import render_markdown
from studio.runs.models import Description, Run
from studio.web.access import Request, action, find_run, page
from studio.web.render import done, render_page, wants_part
from studio.web.run_detail import description_of, run_context
from studio.web.run_header import NO_EDIT


@page
def edit(request: Request, uid: str) -> HttpResponse:
    """The editor, filled with what is stored."""
    run = find_run(request, uid)
    stored = description_of(run)
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
    """What the form holds, not stored; browsers send line ends as CR LF."""
    text = request.POST.get("text", "").replace("\r\n", "\n")
    return Description(run=run, text=text, version=read_from(request) or 0)


def read_from(request: Request) -> int | None:
    """The version the text was written upon; a form without one overwrites what there is."""
    version = request.POST.get("version", "")
    return int(version) if version.isdecimal() and len(version) < 10 else None


def form(
    request: Request,
    run: Run,
    draft: Description,
    *,
    error: str = "",
    conflict: Description | None = None,
    status: int = 200,
    part: str = "runs/_description_form.html",
) -> HttpResponse:
    """The editor with `draft` in it."""
    too_long = len(draft.text.encode(errors="replace")) > MAX_DESCRIPTION_BYTES
    draft.html = "" if too_long else render_markdown(draft.text, links=resolver(run))
    context = {
        "text": draft.text,
        "version": draft.version,
        "preview": draft,
        "preview_error": f"Longer than {MAX_DESCRIPTION_BYTES:,} bytes" if too_long else "",
        "error": error,
        "conflict": conflict,
    }
    if part != "runs/_preview.html" or not wants_part(request):
        context |= run_context(request, run, tab="details")
    return render_page(request, "runs/edit_description.html", context, part=part, status=status)

"""What the buttons and forms of a run do. Each calls one action; a refusal comes back in words,
with what was typed still there."""

from dataclasses import replace

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django_htmx.http import reswap, retarget, trigger_client_event

from studio.accounts.permissions import Actor
from studio.runs import actions
from studio.runs.actions import keeping
from studio.runs.history import Refused
from studio.runs.lifecycle import InvalidTransition
from studio.runs.limits import Invalid
from studio.runs.models import Run
from studio.runs.rollup import rollups
from studio.runs.status import Status
from studio.web.access import Request, action, find_run
from studio.web.frame import frame
from studio.web.render import done, render_page, render_parts
from studio.web.run_detail import details_context, run_context
from studio.web.run_header import header_context
from studio.web.tag_form import TagForm, conflicting, edit_of, read_form


def address(request: Request, run: Run) -> str:
    return reverse("run-detail", args=[request.workspace.name, run.uid])


def changed(request: Request, run: Run, *, notice: str = "", undo_url: str = "") -> HttpResponse:
    """The new header and a toast for HTMX; else back to the run's page with a message."""
    if not request.htmx:
        if notice:
            messages.info(request, notice, extra_tags=undo_url)
        return done(request, address(request, run))
    context = {
        **frame(request, active="runs"),
        **header_context(request, find_run(request, run.uid)),
        "toast": notice,
        "undo_url": undo_url,
    }
    answer = render_parts(request, ["runs/_header.html", "runs/_toast.html"], context)
    # A toast's Undo has no place of its own in the page.
    answer = retarget(reswap(answer, "outerHTML"), "#runs-header")
    return trigger_client_event(answer, "studio:run-changed")


def refused(
    request: Request,
    run: Run,
    panel: str,
    error: str,
    *,
    tags: TagForm | None = None,
    status: int = 422,
) -> HttpResponse:
    """The panel open again below the header, with what was typed and what is wrong with it."""
    context = {
        **run_context(request, run, tab="details"),
        **details_context(request, run),
        "draft": request.POST,
        "draft_panel": panel,
        "draft_error": error,
    }
    if tags is not None:
        context["tag_form"] = tags
    return render_page(
        request, "runs/detail.html", context, part="runs/_header.html", status=status
    )


@action
def cancel(request: Request, uid: str) -> HttpResponse:
    run = find_run(request, uid)
    open_steps = rollups([run.pk]).get(run.pk) if run.type == "pipeline" else None
    try:
        run = actions.cancel_run(
            run,
            by=request.actor,
            reason=request.POST.get("reason", ""),
            children=request.POST.get("children", "1") == "1",
        )
    except Invalid as wrong:
        return refused(request, run, "cancel-panel", str(wrong))
    words = {
        Status.CANCEL_REQUESTED: "Cancel requested",
        Status.CANCELED: "The run is Canceled",
    }
    notice = words.get(Status(run.status), f"The run is already {run.status}")
    if run.status not in words and open_steps is not None and open_steps.n_unfinished:
        notice = "The unfinished steps are being cancelled"
    return changed(request, run, notice=notice)


@action
def kill(request: Request, uid: str) -> HttpResponse:
    run = actions.kill_run(find_run(request, uid), by=request.actor)
    return changed(request, run, notice="Killing the run's processes")


@action
def fail(request: Request, uid: str) -> HttpResponse:
    """Mark as failed."""
    run = find_run(request, uid)
    reason = request.POST.get("reason", "").strip()
    if not reason:
        return refused(request, run, "fail-panel", "Say why the run counts as failed.")
    try:
        actions.fail_run(run, by=request.actor, reason=reason)
    except (InvalidTransition, Invalid) as wrong:
        return refused(request, run, "fail-panel", str(wrong))
    return changed(request, run, notice="Marked as failed")


@action
def archive(request: Request, uid: str) -> HttpResponse:
    """Hide the run, and those below it, from lists."""
    run = keeping.archive_run(find_run(request, uid), by=request.actor)
    undo = reverse("run-unarchive", args=[request.workspace.name, run.uid])
    return changed(request, run, notice=f"Archived “{run.display_name}”", undo_url=undo)


@action
def unarchive(request: Request, uid: str) -> HttpResponse:
    run = keeping.unarchive_run(find_run(request, uid), by=request.actor)
    return changed(request, run, notice=f"“{run.display_name}” is in the lists again")


@action
def delete(request: Request, uid: str) -> HttpResponse:
    """Into the trash, then to the parent run's page, or the list of the experiment, with Undo."""
    run = find_run(request, uid)
    try:
        keeping.delete_run(run, by=request.actor)
    except Refused as wrong:
        return not_done(request, run, str(wrong))
    here = request.workspace.name
    where = reverse("experiment-runs", args=[here, run.experiment.name])
    if run.parent is not None:
        where = reverse("run-detail", args=[here, run.parent.uid])
    undo = reverse("trash-restore", args=[here, run.uid])
    messages.success(request, f"“{run.display_name}” is in the trash", extra_tags=undo)
    return done(request, where)


def not_done(request: Request, run: Run, why: str) -> HttpResponse:
    """A refusal of a button, which has no form to say it in."""
    if request.htmx:
        toast = {"text": why, "level": "error"}
        return trigger_client_event(HttpResponse(status=204), "studio:toast", toast)
    messages.error(request, why)
    return done(request, address(request, run))


@action
def star(request: Request, uid: str) -> HttpResponse:
    run = find_run(request, uid)
    starred = request.POST.get("starred") == "1"
    actions.star_run(run, by=request.actor, starred=starred)
    if not request.htmx:
        return done(request, request.headers.get("Referer") or address(request, run))
    context = {**frame(request, active="runs"), "run": run, "is_starred": starred}
    return render_parts(request, ["runs/_star.html"], context)


@action
def rename(request: Request, uid: str) -> HttpResponse:
    run = find_run(request, uid)
    try:
        actions.rename_run(run, request.POST.get("display_name", ""), by=request.actor)
    except Invalid as wrong:
        return refused(request, run, "rename-panel", str(wrong))
    return changed(request, run)


@action
def tags(request: Request, uid: str) -> HttpResponse:
    """The form of `tag_form`; back=all leads back to the page of all tags. A clash with what
    somebody else saved (409) tells both texts."""
    run = find_run(request, uid)
    form = read_form(request.POST)
    saved = save_form(run, form, by=request.actor)
    if saved is not None:
        status = 409 if saved.is_conflict else 422
        return refused(request, run, "tags-panel", saved.error, tags=saved, status=status)
    if request.POST.get("back") == "all" and not request.htmx:
        return done(request, reverse("run-all-tags", args=[request.workspace.name, run.uid]))
    return changed(request, run)


def save_form(run: Run, form: TagForm, *, by: Actor) -> TagForm | None:
    """None when it is saved, else the form as it was typed with what is wrong, and what somebody
    else saved meanwhile."""
    try:
        edit = edit_of(form)
        actions.change_tags(run, by=by, put=edit.put, remove=edit.remove, seen=edit.seen)
    except Invalid as wrong:
        return replace(form, error=str(wrong))
    except actions.TagConflict as conflict:
        try:
            return conflicting(form, conflict)
        except Invalid as wrong:
            return replace(form, error=str(wrong))
    return None

"""What the buttons and forms of a run do. Each calls one action; a refusal comes back in words,
with what was typed still there."""

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django_htmx.http import trigger_client_event

from studio.runs import actions
from studio.runs.lifecycle import InvalidTransition
from studio.runs.limits import Invalid
from studio.runs.models import Run
from studio.runs.status import Status
from studio.web.access import Request, action, find_run
from studio.web.frame import frame
from studio.web.render import done, render_page, render_parts
from studio.web.run_detail import details_context, run_context
from studio.web.run_header import header_context


def address(request: Request, run: Run) -> str:
    return reverse("run-detail", args=[request.workspace.name, run.uid])


def changed(request: Request, run: Run, *, notice: str = "") -> HttpResponse:
    """The new header and a toast for HTMX; else back to the run's page with a message."""
    if not request.htmx:
        if notice:
            messages.info(request, notice)
        return done(request, address(request, run))
    context = {
        **frame(request, active="runs"),
        **header_context(request, find_run(request, run.uid)),
        "toast": notice,
    }
    answer = render_parts(request, ["runs/_header.html", "runs/_toast.html"], context)
    return trigger_client_event(answer, "studio:run-changed")


def refused(request: Request, run: Run, panel: str, error: str) -> HttpResponse:
    """The panel open again below the header, with what was typed and what is wrong with it."""
    context = {
        **run_context(request, run, tab="details"),
        **details_context(request, run),
        "draft": request.POST,
        "draft_panel": panel,
        "draft_error": error,
    }
    return render_page(request, "runs/detail.html", context, part="runs/_header.html", status=422)


@action
def cancel(request: Request, uid: str) -> HttpResponse:
    run = find_run(request, uid)
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
    return changed(request, run, notice=notice)


@action
def kill(request: Request, uid: str) -> HttpResponse:
    run = actions.kill_run(find_run(request, uid), by=request.actor)
    return changed(request, run, notice="Killing the run's processes")


@action
def fail(request: Request, uid: str) -> HttpResponse:
    """Mark as failed."""
    run = find_run(request, uid)
    try:
        actions.fail_run(run, by=request.actor, reason=request.POST.get("reason", ""))
    except (InvalidTransition, Invalid) as wrong:
        return refused(request, run, "fail-panel", str(wrong))
    return changed(request, run, notice="Marked as failed")


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
    """`add` ("key" or "key: value"); `key`, `value` and `was` of each tag there is; `remove`."""
    run = find_run(request, uid)
    removed = request.POST.getlist("remove")
    try:
        actions.change_tags(run, by=request.actor, put=asked_tags(request), remove=removed)
    except Invalid as wrong:
        return refused(request, run, "tags-panel", str(wrong))
    return changed(request, run)


def asked_tags(request: Request) -> dict[str, str | None]:
    """The tags that were edited, and the one that was added."""
    put = changed_tags(request)
    if text := request.POST.get("add", "").strip():
        key, colon, value = text.partition(":")
        put[key.strip()] = value.strip() if colon else None
    return put


def changed_tags(request: Request) -> dict[str, str | None]:
    """The tags whose value was edited: one that was left alone may have changed elsewhere."""
    fields = (request.POST.getlist(name) for name in ("key", "value", "was"))
    rows = zip(*fields, strict=False)
    return {key: value.strip() or None for key, value, was in rows if value.strip() != was.strip()}

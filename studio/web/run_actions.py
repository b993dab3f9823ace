"""What the buttons and forms of a run do. Each calls one action; a refusal comes back in words,
with what was typed still there."""

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse

from studio.accounts.permissions import NotAllowed, Permission
from studio.runs import actions
from studio.runs.deeplinks import resolver
from studio.runs.lifecycle import InvalidTransition
from studio.runs.limits import MAX_DESCRIPTION_BYTES, Invalid
from studio.runs.markdown import render_markdown
from studio.runs.models import Run
from studio.runs.status import Status
from studio.web.access import Request, action, find_run
from studio.web.frame import frame
from studio.web.render import done, render_page, render_parts
from studio.web.run_detail import header_context, run_context


def address(request: Request, run: Run) -> str:
    return reverse("run-detail", args=[request.workspace.name, run.uid])


def changed(request: Request, run: Run, *, notice: str = "", error: str = "") -> HttpResponse:
    """The new header and a toast for HTMX; else back to the run's page with a message."""
    if not request.htmx:
        if notice or error:
            messages.add_message(request, messages.ERROR if error else messages.INFO, error or notice)
        return done(request, address(request, run))
    context = {
        **frame(request, active="runs"),
        **header_context(request, find_run(request, run.uid)),
        "toast": error or notice,
        "toast_is_error": bool(error),
        "draft": request.POST if error else {},
    }
    parts = ["runs/_header.html", "runs/_toast.html"]
    return render_parts(request, parts, context, status=422 if error else 200)


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
        return changed(request, run, error=str(wrong))
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
        return changed(request, run, error=str(wrong))
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
        return changed(request, run, error=str(wrong))
    return changed(request, run)


@action
def tags(request: Request, uid: str) -> HttpResponse:
    """`add` ("key" or "key: value"), or `key` with `value`, or `remove`."""
    run = find_run(request, uid)
    put: dict[str, str | None] = {}
    if text := request.POST.get("add", "").strip():
        key, colon, value = text.partition(":")
        put[key.strip()] = value.strip() if colon else None
    elif "key" in request.POST:
        put[request.POST["key"]] = request.POST.get("value") or None
    remove = request.POST.getlist("remove")
    if not put and not remove:
        return changed(request, run, error="Type a tag: a key, or “key: value”.")
    try:
        actions.change_tags(run, by=request.actor, put=put, remove=remove)
    except Invalid as wrong:
        return changed(request, run, error=str(wrong))
    return changed(request, run)


@action
def description(request: Request, uid: str) -> HttpResponse:
    """Save the description; a conflict shows both texts and keeps what was typed."""
    run = find_run(request, uid)
    text = request.POST.get("text", "")
    version = request.POST.get("version", "")
    try:
        actions.describe_run(
            run,
            text,
            by=request.actor,
            expected_version=int(version) if version.isdecimal() else None,
        )
    except Invalid as wrong:
        return description_form(request, run, text, version, error=str(wrong), status=422)
    except actions.EditConflict as conflict:
        return description_form(
            request, run, text, str(conflict.current.version), conflict=conflict, status=409
        )
    return done(request, address(request, run))


def description_form(
    request: Request,
    run: Run,
    text: str,
    version: str,
    *,
    error: str = "",
    conflict: actions.EditConflict | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {
        **run_context(request, run, tab="details"),
        "text": text,
        "version": version,
        "html": "",
        "error": error or (str(conflict) if conflict else ""),
        "conflict": conflict.current if conflict else None,
    }
    return render_page(
        request,
        "runs/edit_description.html",
        context,
        part="runs/_description_form.html",
        status=status,
    )


@action
def preview(request: Request, uid: str) -> HttpResponse:
    """The description as it would look; nothing is stored."""
    run = find_run(request, uid)
    if Permission.EDIT_RUN not in request.permissions:
        raise NotAllowed("Your role does not allow changing runs.")
    text = request.POST.get("text", "")
    too_long = len(text.encode(errors="replace")) > MAX_DESCRIPTION_BYTES
    context = {
        "html": "" if too_long else render_markdown(text, links=resolver(run)),
        "error": f"Longer than {MAX_DESCRIPTION_BYTES:,} bytes" if too_long else "",
    }
    return render_parts(request, ["runs/_preview.html"], context)

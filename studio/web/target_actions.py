"""What the buttons and forms of the page Compute do. Each calls one action; a refusal comes back in
words, with what was typed still there."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse

from studio.accounts.permissions import Permission
from studio.compute import targets
from studio.compute.models import MAX_ATTEMPTS, Target
from studio.compute.targets import SETTINGS, TargetInUse, TargetTaken, WrongTarget, require_edit
from studio.web.access import Request, action, page
from studio.web.compute import page_address, shown
from studio.web.compute_rows import command_of
from studio.web.frame import frame
from studio.web.render import done, render_page

NUMBERS = {"grace_s": float, "lost_after_s": float, "max_runs": int, "max_attempts": int}
FIELDS = ("name", "shared", *SETTINGS)


def find_target(request: Request, name: str) -> Target:
    """The target that the workspace may use, else 404 (1 query)."""
    found = Target.objects.usable_in(request.workspace).filter(name=name).first()
    if found is None:
        raise Http404(f"There is no compute target “{name[:80]}” in “{request.workspace}”.")
    return found


# ---------------------------------------------------------------- forms
@page
def new_form(request: Request) -> HttpResponse:
    """An empty form for a new target."""
    require_edit(False, request.workspace, by=request.actor)
    return form_answer(request, None, {})


@page
def edit_form(request: Request, target: str) -> HttpResponse:
    found = find_target(request, target)
    require_edit(found.is_shared, request.workspace, by=request.actor)
    known = {key: getattr(found, key) for key in SETTINGS}
    return form_answer(request, found, {key: _text(value) for key, value in known.items()})


@page
def worker_help(request: Request, target: str) -> HttpResponse:
    """How to start a worker, here and on another host."""
    found = find_target(request, target)
    engine = settings.DATABASES["default"]["ENGINE"]
    context = {
        **frame(request, active="compute"),
        "target": found,
        "command": command_of(found, request.workspace),
        "base_url": settings.STUDIO_BASE_URL,
        "is_local_database": engine.endswith("sqlite3"),
        "is_local_broker": settings.CELERY_BROKER_URL.startswith("safefs:"),
    }
    return render_page(request, "compute/worker.html", context, part="compute/_worker_dialog.html")


def form_answer(
    request: Request,
    target: Target | None,
    typed: Mapping[str, str],
    *,
    wrong: WrongTarget | None = None,
) -> HttpResponse:
    """The form of a new target (None) or an old one, as a dialog or as a page."""
    status = 200
    if wrong is not None:
        status = 409 if isinstance(wrong, TargetTaken | TargetInUse) else 422
    has_field = wrong is not None and wrong.field in FIELDS
    context: dict[str, Any] = {
        **frame(request, active="compute"),
        "target": target,
        "typed": typed,
        "errors": {wrong.field: str(wrong)} if wrong and has_field else {},
        "error": str(wrong) if wrong and not has_field else "",
        "may_share": Permission.EDIT_SHARED_TARGETS in request.permissions,
        "defaults": {
            "grace_s": settings.DEFAULT_GRACE_S,
            "lost_after_s": settings.LOST_AFTER_S,
            "max_attempts": MAX_ATTEMPTS,
        },
        "why_not_delete": targets.why_not_delete(target) if target else "",
    }
    part = "compute/_target_dialog.html" if wrong is None else "compute/_target_form.html"
    return render_page(request, "compute/target.html", context, part=part, status=status)


def _text(value: object) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


# ---------------------------------------------------------------- changes
@action
def create(request: Request) -> HttpResponse:
    typed = typed_in(request)
    try:
        made = targets.make_target(
            request.workspace,
            typed["name"],
            wanted_of(typed),
            is_shared=typed["shared"] == "1",
            by=request.actor,
        )
    except WrongTarget as wrong:
        return form_answer(request, None, typed, wrong=wrong)
    messages.success(request, f"Made the target {made.name}. Now start a worker for it.")
    return done(request, page_address(request))


@action
def save(request: Request, target: str) -> HttpResponse:
    found, typed = find_target(request, target), typed_in(request)
    try:
        wanted = wanted_of(typed)
        targets.edit_target(found, wanted, workspace=request.workspace, by=request.actor)
    except WrongTarget as wrong:
        return form_answer(request, found, typed, wrong=wrong)
    messages.success(request, f"Saved {found.name}")
    return done(request, page_address(request))


@action
def delete(request: Request, target: str) -> HttpResponse:
    found = find_target(request, target)
    try:
        targets.delete_target(found, workspace=request.workspace, by=request.actor)
    except WrongTarget as wrong:
        return shown(request, error=str(wrong), status=409)
    messages.success(request, f"Deleted the target {found.name}")
    return done(request, page_address(request))


@action
def enable(request: Request, target: str) -> HttpResponse:
    """`enabled`: "1" or "0"."""
    found, on = find_target(request, target), request.POST.get("enabled") == "1"
    try:
        targets.enable_target(found, enabled=on, workspace=request.workspace, by=request.actor)
    except WrongTarget as wrong:
        return shown(request, error=str(wrong), status=409)
    return changed(request)


@action
def drain(request: Request, target: str) -> HttpResponse:
    """`node`: the worker; `draining`: "1" or "0"."""
    found, on = find_target(request, target), request.POST.get("draining") == "1"
    node = request.POST.get("node", "")
    try:
        targets.drain_worker(
            found, node, draining=on, workspace=request.workspace, by=request.actor
        )
    except WrongTarget as wrong:
        return shown(request, error=str(wrong), status=409)
    return changed(request)


def changed(request: Request) -> HttpResponse:
    """The live part as it is now, or back to the page."""
    return shown(request) if request.htmx else done(request, page_address(request))


def typed_in(request: Request) -> dict[str, str]:
    return {name: request.POST.get(name, "").strip() for name in FIELDS}


def wanted_of(typed: Mapping[str, str]) -> dict[str, Any]:
    """The settings as typed; "" is the studio's own. Raises WrongTarget for what is no number."""
    found: dict[str, Any] = {"description": typed["description"]}
    for name, kind in NUMBERS.items():
        try:
            found[name] = kind(typed[name]) if typed[name] else None
        except ValueError as error:
            what = "a whole number" if kind is int else "a number"
            raise WrongTarget(name, f"Give {what}, or leave it empty.") from error
    return found

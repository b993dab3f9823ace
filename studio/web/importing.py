"""Histories of other trackers, uploaded as a file: first looked through, then imported."""

import re
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.urls import reverse

from studio.accounts.permissions import Permission, require
from studio.artifacts.actions import TooLarge
from studio.artifacts.uploads import CHECK, IMPORT, find_upload, importable, take_upload
from studio.blobs import StorageFull
from studio.runs.limits import Invalid
from studio.runs.models import EXPERIMENT_NAME_RULE
from studio.web.access import Request, action, page
from studio.web.frame import frame
from studio.web.render import done, render_page
from studio.web.work_found import find_work
from studio.work.actions import AlreadyUnderWay, start_work
from studio.work.models import State, Work

NONE_CHOSEN = "Choose a file first."
TOO_LARGE = "The file is larger than {:,} bytes, the most that is taken here. Import it on a shell."
FULL = "The studio's storage is full; nothing was stored. Ask its admin for room."
READER = "Readers can't import runs. Ask an owner of the workspace for the role Contributor."
GONE = "The file is no longer here: it was imported, or is older than two days. Upload it again."


@page
def form(request: Request) -> HttpResponse:
    return _form(request)


@action
def check(request: Request) -> HttpResponse:
    """`kind`, the file `file`, `experiment` (all runs go there), `again`: 1 also those that were
    deleted here. Stores the file and looks through it in the background."""
    # First of all: of those who may not, a large file was not even kept.
    require(request.actor, Permission.SUBMIT_RUN, request.workspace)
    kinds = {kind.name: kind for kind in importable()}
    kind = kinds.get(request.POST.get("kind", ""))
    experiment = request.POST.get("experiment", "").strip()
    upload = request.FILES.get("file")
    if kind is None:
        return _form(request, error="Choose what kind of history it is.", status=422)
    if experiment and not _can_name(experiment):
        why = "An experiment's name has letters, digits, “_” and “-” only."
        return _form(request, error=why, status=422)
    if upload is None:
        is_large = int(request.META.get("CONTENT_LENGTH") or 0) > settings.MAX_IMPORT_BYTES
        why = TOO_LARGE.format(settings.MAX_IMPORT_BYTES) if is_large else NONE_CHOSEN
        return _form(request, error=why, status=413 if is_large else 422)
    name = str(upload.name)
    if not name.lower().endswith(kind.accepts):
        why = f"“{kind.title}” is a file that ends in {' or '.join(kind.accepts)}."
        return _form(request, error=why, status=422)
    try:
        stored = take_upload(request.workspace, name, upload.file, by=request.actor)  # type: ignore[arg-type]
    except (Invalid, TooLarge) as wrong:
        return _form(request, error=str(wrong), status=422)
    except StorageFull:
        return _form(request, error=FULL, status=507)
    asked: dict[str, Any] = {"kind": kind.name, "upload": stored.uid, "file": stored.name}
    asked |= {"experiment": experiment, "again": request.POST.get("again") == "1"}
    work = start_work(request.workspace, CHECK, asked, by=request.actor)
    return done(request, reverse("work-detail", args=[request.workspace.name, work.uid]))


@action
def start(request: Request, work: str) -> HttpResponse:
    """Import what a look-through has found."""
    require(request.actor, Permission.SUBMIT_RUN, request.workspace)
    looked = find_work(request, work)
    if looked.kind != CHECK or not find_upload(request.workspace, looked.arguments["upload"]):
        return _form(request, error=GONE, status=409)
    once = f"import {looked.arguments['upload']}"
    try:
        made = start_work(
            request.workspace, IMPORT, dict(looked.arguments), by=request.actor, once=once
        )
    except AlreadyUnderWay as other:
        made = other.work
    return done(request, reverse("work-detail", args=[request.workspace.name, made.uid]))


def can_import(request: Request, work: Work) -> bool:
    """Whether the person may import now what the work has looked through (1 query at most)."""
    if work.kind != CHECK or work.state != State.DONE:
        return False
    found = int(work.result.get("n_new", 0)) + int(work.result.get("n_changed", 0))
    if not found or Permission.SUBMIT_RUN not in request.permissions:
        return False
    return find_upload(request.workspace, work.arguments["upload"]) is not None


def _can_name(text: str) -> bool:
    return bool(re.fullmatch(EXPERIMENT_NAME_RULE, text))


def _form(request: Request, *, error: str = "", status: int = 200) -> HttpResponse:
    may = Permission.SUBMIT_RUN in request.permissions
    context: dict[str, Any] = {
        **frame(request, active="runs"),
        "kinds": importable(),
        "kind": request.POST.get("kind", ""),
        "experiment": request.POST.get("experiment", ""),
        "again": request.POST.get("again", ""),
        "accepts": sorted({ending for kind in importable() for ending in kind.accepts}),
        "max_bytes": settings.MAX_IMPORT_BYTES,
        "error": error or ("" if may else READER),
        "may": may,
    }
    return render_page(request, "runs/import.html", context, status=status)

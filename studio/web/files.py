"""Files of a run for people: downloads, whole or some lines, and inline images."""

import re

from django.http import Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse

from studio.artifacts import actions, log_pages, viewing
from studio.artifacts.models import Artifact
from studio.artifacts.serving import (
    Pieces,
    attachment,
    disposition,
    inert,
    members_of,
    part,
    zip_answer,
)
from studio.runs.models import Run
from studio.web.access import Request, find_run, page
from studio.web.typed import storable

RANGE = re.compile(r"([0-9]{1,18})(?:-([0-9]{1,18}))?")


def find_artifact(run: Run, path: str) -> Artifact:
    found = actions.find_artifact(run, path)
    if found is None:
        raise Http404(f"The run has no file “{path[:200]}”.")
    return found


@page
def run_file(request: Request, uid: str, path: str) -> HttpResponseBase:
    """Download one file, or of it the lines `?lines=120-140` or the bytes `?bytes=0-99` (from 0),
    both with their last one."""
    artifact = find_artifact(find_run(request, uid), path)
    for unit in ("lines", "bytes"):
        if unit in request.GET:
            return file_range(artifact, unit, request.GET[unit])
    return attachment(request, artifact)


def file_range(artifact: Artifact, unit: str, text: str) -> HttpResponseBase:
    """The lines or bytes "120-140" or "120"; 422 in words for anything else, 416 behind the end."""
    found = RANGE.fullmatch(text.strip())
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
    if last < first:
        refusal = f"Ask for {unit} as 120-140, the smaller number first."
        return inert(HttpResponse(refusal, status=422), kind="text/plain; charset=utf-8")
    where = range_of(artifact, unit, first, last)
    if where is None:
        refusal = f"The file has no such {unit} yet."
        return inert(HttpResponse(refusal, status=416), kind="text/plain; charset=utf-8")
    stem, dot, ending = artifact.path.rpartition(".")
    sign = {"lines": "L", "bytes": "B"}[unit]
    name = (
        f"{stem or ending}-{sign}{first}-{sign}{last}{dot if stem else ''}{ending if stem else ''}"
    )
    return part(artifact, *where, name=name)


def range_of(artifact: Artifact, unit: str, first: int, last: int) -> tuple[int, int] | None:
    """(start, end) in bytes, cut at the end of the file; None when it lies behind it."""
    index = log_pages.load_index(artifact)
    if unit == "bytes":
        return (first, min(last + 1, index.size)) if first < index.size else None
    start, behind = index.offset_of(first), index.offset_of(last + 1)
    if start is None:
        return None
    return start, index.covered if behind is None and index.is_behind else behind or index.size


@page
def run_image(request: Request, uid: str, path: str) -> HttpResponseBase:
    """One image inline, when its first bytes say that it is one; anything else is a download."""
    artifact = find_artifact(find_run(request, uid), path)
    kind = viewing.image_type(artifact)
    if not kind:
        return attachment(request, artifact)
    answer = StreamingHttpResponse(Pieces(actions.open_artifact(artifact)))
    answer["Content-Disposition"] = disposition(artifact.path, kind="inline")
    # Short: a file of this path may be replaced.
    answer["Cache-Control"] = "private, max-age=60"
    return inert(answer, kind=kind)


@page
def run_zip(request: Request, uid: str) -> HttpResponseBase:
    """All files of the run, or those of the folder `prefix`, as a ZIP made while it is sent."""
    run = find_run(request, uid)
    folder = storable(request.GET.get("prefix", "")).strip("/")
    files = Artifact.objects.of(run, below=f"{folder}/" if folder else "").order_by("path")
    name = f"run-{run.short_uid}-{folder.replace('/', '-')}" if folder else f"run-{run.short_uid}"
    return zip_answer(f"{name[:100]}.zip", members_of(files.iterator()))

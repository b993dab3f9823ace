"""Files of a run for people: downloads, inline images, and the log as it grows."""

from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.urls import reverse
from django_htmx.http import HttpResponseStopPolling

from studio.artifacts import actions, logs, viewing
from studio.artifacts.models import MAIN_LOG, Artifact
from studio.artifacts.serving import (
    Pieces,
    attachment,
    disposition,
    inert,
    members_of,
    zip_answer,
)
from studio.runs.models import Run
from studio.web.access import Request, find_run, page
from studio.web.render import render_parts


def find_artifact(run: Run, path: str) -> Artifact:
    found = actions.find_artifact(run, path)
    if found is None:
        raise Http404(f"The run has no file “{path[:200]}”.")
    return found


@page
def run_file(request: Request, uid: str, path: str) -> HttpResponseBase:
    """Download one file."""
    return attachment(request, find_artifact(find_run(request, uid), path))


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
    folder = request.GET.get("prefix", "").strip("/")
    files = Artifact.objects.of(run, below=f"{folder}/" if folder else "").order_by("path")
    name = f"run-{run.short_uid}-{folder.replace('/', '-')}" if folder else f"run-{run.short_uid}"
    return zip_answer(f"{name[:100]}.zip", members_of(files.iterator()))


def log_view(
    request: Request, run: Run, artifact: Artifact | None, path: str = MAIN_LOG
) -> dict[str, Any]:
    """What the page shows of a file, for `artifacts/_log.html`; `path`: the one to wait for when
    there is no artifact yet.

    view: "image", "none" (only a download), "missing" (nothing there, nothing to come) or "text";
    download_url, image_url. Text adds what `text_context` gives, and: earlier_url (a page without
    scripts) and earlier_piece_url (a part) when there is more above; is_earlier: an older piece is
    shown, or the one around `line` of the address, latest_url leads back; is_head: only the
    beginning of a long file is shown.
    """
    if artifact is None:
        if run.is_terminal:
            return {"view": "missing", "path": path}
        nothing = logs.Window(b"", 0, 0, 0)
        shown = viewing.shown(nothing, follows=True, number=1)
        return {"view": "text", "artifact": None, **text_context(request, run, path, shown)}
    path = artifact.path
    urls = {
        name: reverse(to, args=[request.workspace.name, run.uid, artifact.path])
        for name, to in (("download_url", "run-file"), ("image_url", "run-image"))
    }
    if viewing.image_type(artifact):
        return {"view": "image", "artifact": artifact, "path": path, **urls}
    if not viewing.is_text(artifact):
        return {"view": "none", "artifact": artifact, "path": path, **urls}
    before = offset_of(request, "before") or end_around(request, artifact)
    is_finished = logs.is_finished(artifact, run)
    window = viewing.window_to_show(artifact, before=before)
    follows = before is None and not is_finished
    number = viewing.number_at(artifact, window.start)
    shown = viewing.shown(window, follows=follows, number=number)
    return {
        "view": "text",
        "artifact": artifact,
        **urls,
        **text_context(request, run, path, shown),
        **earlier_context(request, run, path, start=window.start),
        "is_earlier": before is not None,
        "latest_url": address(request, run, "run-logs", path=path),
        "is_head": not artifact.is_log and window.end < window.size,
    }


def end_around(request: Request, artifact: Artifact) -> int | None:
    """Where to end the piece with the line of the address, None without one."""
    line = offset_of(request, "line")
    return viewing.end_around(artifact, line) if line else None


def text_context(request: Request, run: Run, path: str, shown: viewing.Shown) -> dict[str, Any]:
    """For `artifacts/_log_lines.html` and `_log_tail.html`.

    lines: (number or None, ansi.Line); piece_start: byte; n_skipped: bytes left out before them;
    partial: the line still being written, or None; log_size: bytes; piece_url: asks for more, ""
    when nothing is to come.
    """
    more = {"path": path, "after": shown.end, "seen": shown.size, "line": shown.next_number or ""}
    return {
        "path": path,
        "lines": shown.lines,
        "piece_start": shown.start,
        "n_skipped": shown.n_skipped,
        "partial": shown.partial,
        "partial_number": shown.next_number,
        "log_size": shown.size,
        "piece_url": address(request, run, "run-log-piece", **more) if shown.follows else "",
    }


def earlier_context(request: Request, run: Run, path: str, *, start: int) -> dict[str, Any]:
    """For `artifacts/_log_earlier.html`; both addresses are "" at the beginning of the file."""
    if start == 0:
        return {"earlier_url": "", "earlier_piece_url": ""}
    return {
        "earlier_url": address(request, run, "run-logs", path=path, before=start),
        "earlier_piece_url": address(request, run, "run-log-piece", path=path, before=start),
    }


def address(request: Request, run: Run, name: str, **query: Any) -> str:
    return f"{reverse(name, args=[request.workspace.name, run.uid])}?{urlencode(query)}"


def offset_of(request: Request, name: str) -> int | None:
    """A byte offset or line number of the query; None for anything else."""
    text = request.GET.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 19 else None


@page
def run_log_piece(request: Request, uid: str) -> HttpResponse:
    """The lines before byte `before`, or after byte `after`: 204 when there are none beyond `seen`,
    286 with the last ones when no more will come."""
    run, path = find_run(request, uid), request.GET.get("path", "")
    artifact = actions.find_artifact(run, path)
    before = offset_of(request, "before")
    if artifact is None:
        if run.is_terminal and path == MAIN_LOG and before is None:
            return HttpResponse(status=HttpResponseStopPolling.status_code)
        if run.is_terminal or before is not None:
            raise Http404(f"The run has no file “{path[:200]}”.")
        return HttpResponse(status=204)
    if before is not None:
        return earlier_piece(request, run, artifact, before)
    return later_piece(request, run, artifact)


def earlier_piece(request: Request, run: Run, artifact: Artifact, before: int) -> HttpResponse:
    window = viewing.window_to_show(artifact, before=before)
    number = viewing.number_at(artifact, window.start)
    shown = viewing.shown(window, follows=False, number=number)
    context = {
        **text_context(request, run, artifact.path, shown),
        **earlier_context(request, run, artifact.path, start=window.start),
    }
    return render_parts(
        request, ["artifacts/_log_lines.html", "artifacts/_log_earlier.html"], context
    )


def later_piece(request: Request, run: Run, artifact: Artifact) -> HttpResponse:
    after = offset_of(request, "after") or 0
    # Asked before reading: what is read from a finished log is all of it.
    is_finished = logs.is_finished(artifact, run)
    size = actions.size_of(artifact)
    if not is_finished and size in (after, offset_of(request, "seen")):
        return HttpResponse(status=204)
    shown = viewing.later(
        artifact, after, follows=not is_finished, number=offset_of(request, "line")
    )
    context = text_context(request, run, artifact.path, shown)
    parts = ["artifacts/_log_lines.html", "artifacts/_log_tail.html"]
    answer = render_parts(request, parts, context)
    if is_finished:
        answer.status_code = HttpResponseStopPolling.status_code
    return answer

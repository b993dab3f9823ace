"""Files of a run for people: downloads, inline images, and the log as it grows."""

from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpResponse, HttpResponseBase
from django.urls import reverse
from django_htmx.http import HttpResponseStopPolling

from studio.artifacts import logs
from studio.artifacts.ansi import Line, read_lines
from studio.artifacts.models import Artifact, hash_of_path
from studio.artifacts.serving import attachment, members_of, read_pieces, zip_answer
from studio.artifacts.store import store
from studio.runs.models import Run
from studio.runs.status import TERMINAL
from studio.web.access import Request, find_run, page
from studio.web.frame import frame
from studio.web.render import render_parts

WINDOW_BYTES = 64 * 1024
# Counting the lines before a window means reading them; past this the gutter stays empty.
COUNT_UP_TO_BYTES = 32 * 1024 * 1024
TEXT_TYPES = ("text/", "application/json", "application/x-yaml", "application/yaml")
TEXT_ENDINGS = (".txt", ".log", ".json", ".jsonl", ".yaml", ".yml", ".csv", ".tsv", ".md", ".py")
IMAGE_STARTS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}


def find_artifact(run: Run, path: str) -> Artifact:
    found = Artifact.objects.filter(run=run, path_hash=hash_of_path(path)).first()
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
    kind = image_type(logs.read_window(artifact, 0, 16).data)
    if not kind:
        return attachment(request, artifact)
    with store().open(artifact.blob_key) as source:
        answer = HttpResponse(b"".join(read_pieces(source)), content_type=kind)
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Content-Security-Policy"] = "default-src 'none'; sandbox"
    answer["Cache-Control"] = "private, max-age=300"
    return answer


def image_type(head: bytes) -> str:
    """The type of an image by its first bytes, "" for anything else (SVG is a program, not one)."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for start, kind in IMAGE_STARTS.items() if head.startswith(start)), "")


@page
def run_zip(request: Request, uid: str) -> HttpResponseBase:
    """All files of the run, or those below `prefix`, as a ZIP archive made while it is sent."""
    run = find_run(request, uid)
    prefix = request.GET.get("prefix", "")
    files = Artifact.objects.filter(run=run, path__startswith=prefix).order_by("path")
    return zip_answer(f"run-{run.short_uid}.zip", members_of(files.iterator()))


def is_text(artifact: Artifact) -> bool:
    return (
        artifact.is_log
        or artifact.content_type.startswith(TEXT_TYPES)
        or artifact.path.lower().endswith(TEXT_ENDINGS)
    )


def log_view(request: Request, run: Run, artifact: Artifact) -> dict[str, Any]:
    """What the page shows of an opened file: an image, the end of a text, or only a download."""
    address = [request.workspace.name, run.uid, artifact.path]
    urls = {
        "download_url": reverse("run-file", args=address),
        "image_url": reverse("run-image", args=address),
    }
    head = logs.read_window(artifact, 0, 16).data
    if image_type(head):
        return {"view": "image", **urls}
    if not is_text(artifact):
        return {"view": "none", **urls}
    before = request.GET.get("before", "")
    if before.isdecimal():
        window = logs.earlier(artifact, int(before), WINDOW_BYTES)
    else:
        window = logs.tail(artifact, WINDOW_BYTES)
    follows = window.end == window.size and not is_over(run, artifact)
    return {
        "view": "text",
        **urls,
        **lines_context(request, run, artifact, window, follows=follows),
        "earlier_url": earlier_url(request, run, artifact, window.start),
        "is_earlier": bool(before),
    }


def lines_context(
    request: Request, run: Run, artifact: Artifact, window: logs.Window, *, follows: bool
) -> dict[str, Any]:
    """Whole lines, and apart from them the line that is still being written (a progress bar)."""
    cut = window.data.rfind(b"\n") + 1 if follows else len(window.data)
    end = window.start + cut
    lines = read_lines(window.data[:cut].decode("utf-8", "replace"))
    partial = read_lines(window.data[cut:].decode("utf-8", "replace"))
    return {
        "artifact": artifact,
        "lines": numbered(artifact, window.start, lines),
        "partial": partial[-1] if partial else None,
        "log_size": window.size,
        "log_end": end,
        "piece_url": piece_url(request, run, artifact, end) if follows else "",
    }


def numbered(artifact: Artifact, start: int, lines: list[Line]) -> list[tuple[int | None, Line]]:
    """Lines with their numbers in the file, None where counting would take too long."""
    if start > COUNT_UP_TO_BYTES:
        return [(None, line) for line in lines]
    first = 1
    if start:
        with store().open(artifact.blob_key, 0, start) as source:
            first += sum(piece.count(b"\n") for piece in read_pieces(source))
    return list(enumerate(lines, first))


def is_over(run: Run, artifact: Artifact) -> bool:
    return run.status in TERMINAL and artifact.is_complete


def piece_url(request: Request, run: Run, artifact: Artifact, after: int) -> str:
    query = urlencode({"path": artifact.path, "after": after})
    return f"{reverse('run-log-piece', args=[request.workspace.name, run.uid])}?{query}"


def earlier_url(request: Request, run: Run, artifact: Artifact, start: int) -> str:
    if start == 0:
        return ""
    query = urlencode({"path": artifact.path, "before": start})
    return f"{reverse('run-logs', args=[request.workspace.name, run.uid])}?{query}"


@page
def run_log_piece(request: Request, uid: str) -> HttpResponse:
    """The lines after byte `after`: 204 when there are none, 286 with the last ones."""
    run = find_run(request, uid)
    artifact = find_artifact(run, request.GET.get("path", ""))
    after = request.GET.get("after", "")
    start = int(after) if after.isdecimal() else 0
    over = is_over(run, artifact)
    window = logs.read_window(artifact, start, start + 4 * WINDOW_BYTES)
    if window.end == start and not over:
        return HttpResponse(status=204)
    follows = not over or window.end < window.size
    context = {
        **frame(request, active="runs"),
        "run": run,
        **lines_context(request, run, artifact, window, follows=follows),
    }
    answer = render_parts(request, ["artifacts/_log_lines.html", "artifacts/_log_tail.html"], context)
    if not follows:
        answer.status_code = HttpResponseStopPolling.status_code
    return answer

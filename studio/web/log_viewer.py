"""The log viewer: a file as numbered lines, any of which is a request away, and its live end."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse

from studio.artifacts import actions, log_lines, log_marks, log_pages, logs, viewing
from studio.artifacts.line_index import Mark
from studio.artifacts.log_pages import LogPage
from studio.artifacts.models import MAIN_LOG, Artifact
from studio.blobs import BlobNotFound
from studio.runs.models import Run
from studio.web.access import Request, find_plain_run, find_run, page
from studio.web.files import find_artifact
from studio.web.frame import frame
from studio.web.log_find import find_context
from studio.web.render import render_page, render_parts
from studio.web.run_detail import run_context

# Lines of one page without scripts.
PAGE_LINES = log_pages.MAX_LINES
# The end of a log begins at a multiple of these, as every later request of the page does.
CHUNK_LINES = 100
KINDS = {"error": Mark.ERROR, "warning": Mark.WARNING}


@dataclass(frozen=True, slots=True)
class LogState:
    """What a page is told of a file beside its lines. version: another one when other bytes took
    its place; percent: of it that is counted; grows: whether more may come."""

    page: LogPage
    version: str = ""
    grows: bool = False
    damage: str = ""

    @property
    def percent(self) -> int:
        shown = self.page
        return shown.covered * 100 // shown.size if shown.is_behind else 100


def log_view(
    request: Request, run: Run, artifact: Artifact | None, path: str = MAIN_LOG
) -> dict[str, Any]:
    """What the page shows of a file, for `artifacts/_log.html`; `path`: the one to wait for when
    there is no artifact yet.

    view: "image", "none" (only a download), "missing" (nothing there, nothing to come) or "text";
    download_url, image_url, logs_url. Text adds what `text_context`, `paging_context` and
    `find_context` give.
    """
    path = artifact.path if artifact else path
    urls = {
        name: reverse(to, args=[request.workspace.name, run.uid, path])
        for name, to in (("download_url", "run-file"), ("image_url", "run-image"))
    }
    logs_url = reverse("run-logs", args=[request.workspace.name, run.uid])
    found = {"artifact": artifact, "path": path, "logs_url": logs_url, **urls}
    if artifact is None:
        if run.is_terminal:
            return {**found, "view": "missing"}
        state = LogState(LogPage(1), grows=True)
    elif viewing.image_type(artifact):
        return {**found, "view": "image"}
    elif not viewing.is_text(artifact):
        return {**found, "view": "none"}
    else:
        state = state_of(artifact, run, first_page(artifact, number_of(request, "line")))
    return {
        **found,
        "view": "text",
        **text_context(request, run, path, state),
        **paging_context(request, run, path, state.page),
        **find_context(request, run, path),
    }


def first_page(artifact: Artifact, line: int | None) -> LogPage:
    """The page with that line (the last page when there is no such line), else the end of a log,
    the beginning of another file."""
    index = log_pages.load_index(artifact)
    try:
        total = index.n_lines()
    except BlobNotFound:
        return LogPage(1)
    if line is not None:
        wanted = min(max(line, 1), max(total, 1))
        # Very long lines: the page around this one ends before it.
        firsts, until = [(wanted - 1) // PAGE_LINES * PAGE_LINES + 1, wanted], wanted
    elif artifact.is_log and not index.is_behind:
        end = max(0, (total - 1) // CHUNK_LINES - 2) * CHUNK_LINES + 1
        firsts, until = [end, *(max(1, total - n + 1) for n in (60, 10, 1))], total
    else:
        firsts, until = [1], 1
    shown = log_pages.page_of(artifact, index, firsts[0], PAGE_LINES)
    for first in firsts[1:]:
        if shown.last >= until:
            break
        shown = log_pages.page_of(artifact, index, first, PAGE_LINES)
    return shown


def state_of(artifact: Artifact, run: Run, shown: LogPage) -> LogState:
    """The page with what else is known of the file. `artifact` and `run` are older than the page,
    so that the lines of a file that no longer grows are all it has."""
    version = sha256(artifact.blob_key.encode()).hexdigest()[:12]
    grows = not logs.is_finished(artifact, run)
    return LogState(shown, version=version, grows=grows, damage=artifact.damage)


def text_context(request: Request, run: Run, path: str, state: LogState) -> dict[str, Any]:
    """For `artifacts/_log_lines.html` and the bar: state, shown (its page); line_url: shows one
    line whole (`line` is to be added); lines_url, mark_url, map_url: of the scripts, with the path.
    """
    here = {"path": path}
    return {
        "path": path,
        "state": state,
        "shown": state.page,
        "lines_url": address(request, run, "run-log-lines", **here),
        "mark_url": address(request, run, "run-log-mark", **here),
        "map_url": address(request, run, "run-log-map", **here),
        "line_url": address(request, run, "run-log-line", **here),
    }


def paging_context(request: Request, run: Run, path: str, shown: LogPage) -> dict[str, Any]:
    """For reading without scripts: first_url, earlier_url, later_url, last_url, each "" when the
    page is there already."""

    def to(line: int) -> str:
        return f"{address(request, run, 'run-logs', path=path, line=line)}#L{line}"

    is_first, is_last = shown.first == 1, shown.last >= shown.total
    return {
        "first_url": "" if is_first else to(1),
        "earlier_url": "" if is_first else to(max(1, shown.first - 1)),
        "later_url": "" if is_last else to(shown.last + 1),
        "last_url": "" if is_last else to(shown.total),
    }


def address(request: Request, run: Run, name: str, **query: Any) -> str:
    return f"{reverse(name, args=[request.workspace.name, run.uid])}?{urlencode(query)}"


def number_of(request: Request, name: str) -> int | None:
    """A whole number of the query; None for anything else."""
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


@page
def run_log_lines(request: Request, uid: str) -> HttpResponse:
    """At most `n` lines from number `from` on, with their times if `times` is given: 204 while the
    file still has the `seen` bytes and may grow, or is yet to begin. None when 0 bytes were seen
    and the run is over.

    Fewer lines than asked for are not the end: that is at `data-total`.
    """
    run, path = find_plain_run(request, uid), request.GET.get("path", "")
    artifact = actions.find_artifact(run, path)
    seen = number_of(request, "seen")
    if artifact is None and not run.is_terminal:
        return HttpResponse(status=204)
    if artifact is None and seen == 0:
        # It was waited for, and the run ended without it.
        state = LogState(LogPage(1), grows=False)
        context = text_context(request, run, path, state)
        return render_parts(request, ["artifacts/_log_lines.html"], context)
    if artifact is None:
        raise Http404(f"The run has no file “{path[:200]}”.")
    if (
        seen is not None
        and not logs.is_finished(artifact, run)
        and actions.size_of(artifact) == seen
    ):
        return HttpResponse(status=204)
    n = number_of(request, "n")
    shown = log_pages.read_page(
        artifact,
        number_of(request, "from") or 1,
        CHUNK_LINES if n is None else n,
        with_times="times" in request.GET,
    )
    context = text_context(request, run, artifact.path, state_of(artifact, run, shown))
    return render_parts(request, ["artifacts/_log_lines.html"], context)


@page
def run_log_map(request: Request, uid: str) -> HttpResponse:
    """The strip beside the lines: where errors and warnings are, in N_BINS equal parts."""
    artifact = find_artifact(find_plain_run(request, uid), request.GET.get("path", ""))
    try:
        found = log_marks.map_of(log_pages.load_index(artifact))
    except BlobNotFound:
        found = log_marks.MarkMap([], [])
    context = {"marks": found, "n_bins": log_marks.N_BINS}
    return render_parts(request, ["artifacts/_log_map.html"], context)


@page
def run_log_mark(request: Request, uid: str) -> HttpResponse:
    """The next line of a `kind` (error, warning) behind line `after`, or the previous one in front
    of line `before`: its number as JSON for the scripts (null when there is none), else the page
    with it."""
    run, path = find_plain_run(request, uid), request.GET.get("path", "")
    artifact = find_artifact(run, path)
    mark = KINDS.get(request.GET.get("kind", ""), Mark.ERROR)
    before = number_of(request, "before")
    after = number_of(request, "after") or 0
    try:
        index = log_pages.load_index(artifact)
        if before is not None:
            line = log_lines.previous_mark(index, mark, before=before)
        else:
            line = log_lines.next_mark(index, mark, after=after)
    except BlobNotFound:
        line = None
    if request.accepts("text/html"):
        stay = line or before or max(1, after)
        return redirect(f"{address(request, run, 'run-logs', path=path, line=stay)}#L{stay}")
    return JsonResponse({"line": line})


@page
def run_log_line(request: Request, uid: str) -> HttpResponse:
    """One line with more of it than its page shows: the states of a progress bar, or a piece of a
    long line from its byte `at` on. A page of its own, a part for the scripts."""
    run, number = find_run(request, uid), number_of(request, "line") or 1
    artifact = find_artifact(run, request.GET.get("path", ""))
    try:
        whole = log_pages.read_whole_line(
            log_pages.load_index(artifact), number, offset=number_of(request, "at") or 0
        )
    except BlobNotFound:
        whole = None
    if whole is None:
        raise Http404(f"“{artifact.path[:200]}” has no line {number}.")
    file_url = reverse("run-file", args=[request.workspace.name, run.uid, artifact.path])
    here = {"path": artifact.path, "line": number}
    at = whole.end - whole.line_start
    is_part = request.htmx or not request.accepts("text/html")
    context = {
        **(frame(request, active="runs") if is_part else run_context(request, run, tab="logs")),
        "path": artifact.path,
        "whole": whole,
        "more_url": address(request, run, "run-log-line", **here, at=at)
        if whole.end < whole.line_end
        else "",
        "back_url": f"{address(request, run, 'run-logs', **here)}#L{number}",
        "download_url": f"{file_url}?lines={number}",
    }
    return render_page(request, "runs/log_line.html", context, part="artifacts/_log_line.html")

"""The tab Snapshot: the source that a run was submitted with, one file of it, and its bytes."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.urls import reverse

from studio.artifacts import browsing, snapshots
from studio.artifacts.differences import text_of
from studio.artifacts.models import Snapshot
from studio.artifacts.serving import Pieces, disposition, inert, zip_answer
from studio.artifacts.snapshots import SnapshotError, SnapshotNotFound
from studio.runs.coloured_lines import coloured
from studio.runs.colouring import Span, language_of
from studio.runs.models import Run
from studio.web.access import Request, find_run, page
from studio.web.compare_state import Comparison
from studio.web.render import render_page
from studio.web.run_detail import run_context

MAX_FILES_SHOWN = 2_000
# A page of more lines is slow to scroll; of a longer line nobody reads the end.
MAX_LINES = 10_000
MAX_LINE = 2_000
# A tree of so few files is shown with all folders open.
FEW_FILES = 30


@dataclass(frozen=True, slots=True)
class Line:
    """is_cut: the line goes on in the download."""

    number: int
    spans: list[Span]
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class OtherRun:
    """A run with another source. url: all that differs; file_url: what differs in the opened
    file, "" when none is."""

    run: Run
    url: str
    file_url: str


@page
def snapshot(request: Request, uid: str) -> HttpResponse:
    """The tree beside the file of the address, `path`, else the script that was run; 404 with the
    tree when the snapshot has no such file."""
    run = find_run(request, uid)
    source = source_of(run)
    context = {**run_context(request, run, tab="snapshot"), "source": source}
    status = 200
    if source is not None:
        wanted = request.GET.get("path", "") or browsing.first_path(source, run.script)
        context |= tree_context(source, wanted) | file_context(source, wanted)
        has_file = context["file_size"] is not None
        context["others"] = others_of(request, run, wanted if has_file else "")
        status = 404 if wanted and not has_file else 200
    return render_page(
        request, "runs/snapshot.html", context, part="runs/_snapshot.html", status=status
    )


def source_of(run: Run) -> Snapshot | None:
    """The snapshot of the run (1 query when it has one); None for none, or one that is gone."""
    if not run.snapshot:
        return None
    try:
        found = snapshots.find(run.workspace, run.snapshot)
    except SnapshotNotFound:
        return None
    found.workspace = run.workspace
    return found


def tree_context(source: Snapshot, path: str) -> dict[str, Any]:
    """For `_snapshot_tree.html`. tree: browsing.Folder; open_folders: paths, None for all;
    n_hidden: files for which there is no room."""
    is_small = len(source.files) <= FEW_FILES
    return {
        "tree": browsing.tree_of(source, most=MAX_FILES_SHOWN),
        "open_folders": None if is_small else browsing.folders_above(path),
        "n_hidden": max(0, len(source.files) - MAX_FILES_SHOWN),
    }


def file_context(source: Snapshot, path: str) -> dict[str, Any]:
    """For `_snapshot_file.html`. file_size: None when there is no such file; why_not: why there
    are no lines, in words, "" else; lines: of Line; n_more_lines: those left out."""
    size = browsing.size_of_file(source, path)
    text = text_of(source, path, most_bytes=browsing.MAX_TEXT_BYTES)
    found = coloured(text.text, language_of(path)) if text.text else []
    return {
        "path": path,
        "file_size": size,
        "why_not": text.why_not,
        "lines": [cut(n, spans) for n, spans in enumerate(found[:MAX_LINES], 1)],
        "n_more_lines": max(0, len(found) - MAX_LINES),
    }


def cut(number: int, spans: list[Span]) -> Line:
    """The line with at most 2,000 characters."""
    if sum(len(text) for _, text in spans) <= MAX_LINE:
        return Line(number, spans)
    kept, left = [], MAX_LINE
    for kind, text in spans:
        kept.append((kind, text[:left]))
        left -= len(text)
        if left <= 0:
            break
    return Line(number, kept, is_cut=True)


def others_of(request: Request, run: Run, path: str) -> list[OtherRun]:
    """What the source may be held against, the older of both runs on the left (2 queries)."""
    compare = reverse("run-compare", args=[request.workspace.name])
    compare_file = reverse("run-compare-file", args=[request.workspace.name])
    found = []
    for other in browsing.with_other_source(run):
        old, new = sorted((other, run), key=lambda run: (run.created_at, run.pk))
        whole = compare + Comparison(chosen=(old.uid, new.uid)).to_query()
        query = urlencode({"a": old.uid, "b": new.uid, "path": path})
        file_url = f"{compare_file}?{query}" if path else ""
        found.append(OtherRun(other, f"{whole}#compare-files", file_url))
    return found


def need_source(request: Request, uid: str) -> tuple[Run, Snapshot]:
    run = find_run(request, uid)
    source = source_of(run)
    if source is None:
        raise Http404("The run has no snapshot of its source.")
    return run, source


@page
def snapshot_file(request: Request, uid: str) -> HttpResponseBase:
    """The bytes of the file `path`, always as a download that no browser runs."""
    _, source = need_source(request, uid)
    path = request.GET.get("path", "")
    size = browsing.size_of_file(source, path)
    if size is None:
        raise Http404(f"The snapshot has no file “{path[:200]}”.")
    try:
        answer = StreamingHttpResponse(Pieces(snapshots.open_file(source, path)))
    except SnapshotError:
        return inert(HttpResponse("Storage has lost this file.", status=410))
    answer["Content-Length"] = str(size)
    answer["Content-Disposition"] = disposition(path)
    return inert(answer)


@page
def snapshot_zip(request: Request, uid: str) -> HttpResponseBase:
    """The whole source as a ZIP made while it is sent."""
    run, source = need_source(request, uid)
    return zip_answer(f"run-{run.short_uid}-snapshot.zip", snapshots.zip_members(source))

"""The tab Outputs + logs: the tree of files on the left, opened files on the right."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from studio.artifacts import file_tree, log_pages
from studio.artifacts.actions import find_artifact
from studio.artifacts.log_lines import last_line
from studio.artifacts.models import MAIN_LOG, Artifact
from studio.blobs import BlobNotFound
from studio.runs.models import Run
from studio.web.access import Request, find_run, page
from studio.web.frame import frame
from studio.web.moments import NOT_NOTED, log_url_at, moment_of
from studio.web.render import render_page, render_parts, wants_part
from studio.web.run_beside import beside_view
from studio.web.run_detail import run_context
from studio.web.run_files import Place, opened_view, tabs_of
from studio.web.run_lineage import name_model_folders

MAX_SEARCH = 200
# What a link may ask for instead of the number of a line, which it would have to count.
LAST_LINE, ERROR_LINE = "last", "error"


@page
def logs(request: Request, uid: str) -> HttpResponse:
    """The opened file is `path`, else the main log; a run that has none yet is waited for. With a
    moment (`t`) and no `line`: on to the line that had arrived by then. `line` may be LAST_LINE or
    ERROR_LINE: on to its number."""
    run = find_run(request, uid)
    files = file_tree.tree_of_run(run, search=search_of(request))
    wanted = request.GET.get("path", "") or files.first_path or MAIN_LOG
    place = Place.of(request, run).with_front(wanted)
    opened = find_artifact(run, wanted)
    line = line_meant(request, run, opened)
    if line is not None:
        return redirect(f"{Place.of(request, run).url_of(wanted, line=line)}#L{line}")
    moment = moment_of(request, run)
    if moment.at is not None and opened and "line" not in request.GET and not wants_part(request):
        line_url = log_url_at(request, run, opened, moment)
        if line_url:
            return redirect(line_url)
        moment = moment.saying(NOT_NOTED)
    context = {
        **run_context(request, run, tab="logs"),
        "moment": moment,
        "is_empty": run.is_terminal and not files.root.n_files,
        **tree_context(request, run, files, place, wanted),
        "file_tabs": tabs_of(place, wanted),
        **beside_view(request, run, place, wanted),
        **opened_view(request, run, opened, wanted, place),
    }
    return render_page(request, "runs/logs.html", context, part="runs/_logs.html")


def line_meant(request: Request, run: Run, log: Artifact | None) -> int | None:
    """The line that the address names by what it is; None for a number and where nobody knows."""
    asked = request.GET.get("line", "")
    if asked not in (LAST_LINE, ERROR_LINE) or log is None or not log.is_log or wants_part(request):
        return None
    told = run.error if asked == ERROR_LINE and run.error else {}
    message, traceback = (str(told.get(key) or "").strip() for key in ("message", "traceback"))
    # As the page of details shows them: the message, which may go on below, or the last lines.
    endings = (message.partition("\n")[0], traceback.rpartition("\n")[2])
    try:
        return last_line(log_pages.load_index(log), endings)
    except BlobNotFound:
        return None


@page
def tree(request: Request, uid: str) -> HttpResponse:
    """The tree alone; 204 when it is as it was at version `v`."""
    run = find_run(request, uid)
    seen = request.GET.get("v", "")
    if seen and not run.is_terminal and seen == file_tree.version_of(run):
        return HttpResponse(status=204)
    files = file_tree.tree_of_run(run, search=search_of(request))
    path = request.GET.get("path", "")
    context = {
        **frame(request, active="runs"),
        "run": run,
        **tree_context(request, run, files, Place.of(request, run), path),
    }
    return render_parts(request, ["runs/_tree.html"], context)


def search_of(request: Request) -> str:
    return request.GET.get("find", "").strip()[:MAX_SEARCH]


def tree_context(
    request: Request, run: Run, files: file_tree.FileTree, place: Place, path: str
) -> dict[str, Any]:
    """For `_tree.html` and the search above it. files: of file_tree.FileTree; open_folders: paths;
    tree_url: asks for the tree; carried: what links to files keep of the address."""
    name_model_folders(run, files.root)
    address = reverse("run-tree", args=[request.workspace.name, run.uid])
    query = urlencode({"path": path, "open": place.opened}, doseq=True)
    return {
        "files": files,
        "search": search_of(request),
        "open_folders": file_tree.open_folders(request.GET.getlist("dir"), path),
        "path": path,
        "most": file_tree.MAX_IN_FOLDER,
        "here": place.here,
        "carried": place.carried,
        "opened_before": place.opened,
        "tree_url": f"{address}?{query}",
    }

"""The tab Outputs + logs: the tree of files on the left, one opened file on the right."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from studio.artifacts.actions import find_artifact
from studio.artifacts.models import MAIN_LOG, Artifact
from studio.runs.models import Run
from studio.web.access import Request, find_run, page
from studio.web.frame import frame
from studio.web.log_viewer import log_view
from studio.web.moments import NOT_NOTED, log_url_at, moment_of
from studio.web.render import render_page, render_parts, wants_part
from studio.web.run_detail import run_context

MAX_FILES_SHOWN = 2_000


@page
def logs(request: Request, uid: str) -> HttpResponse:
    """The opened file is `path`, else the main log; a run that has none yet is waited for. With a
    moment (`t`) and no `line`: on to the line that had arrived by then."""
    run = find_run(request, uid)
    tree = tree_context(request, run)
    wanted = request.GET.get("path", "") or tree["first_path"] or MAIN_LOG
    tree["path"] = wanted
    opened = find_artifact(run, wanted)
    moment = moment_of(request, run)
    if moment.at is not None and opened and "line" not in request.GET and not wants_part(request):
        line_url = log_url_at(request, run, opened, moment)
        if line_url:
            return redirect(line_url)
        moment = moment.saying(NOT_NOTED)
    context = {
        **run_context(request, run, tab="logs"),
        "moment": moment,
        "is_empty": run.is_terminal and not tree["groups"],
        **tree,
        **log_view(request, run, opened, wanted),
    }
    return render_page(request, "runs/logs.html", context, part="runs/_logs.html")


@page
def tree(request: Request, uid: str) -> HttpResponse:
    """The tree alone, while the run may still write files; 204 when it is as it was."""
    run = find_run(request, uid)
    context = {**frame(request, active="runs"), "run": run, **tree_context(request, run)}
    if request.GET.get("v") == context["tree_version"] and not run.is_terminal:
        return HttpResponse(status=204)
    return render_parts(request, ["runs/_tree.html"], context)


def tree_context(request: Request, run: Run) -> dict[str, Any]:
    """Files by folder: the main log first, then the other logs, then outputs (1 query)."""
    files = list(Artifact.objects.filter(run=run).order_by("path")[: MAX_FILES_SHOWN + 1])
    files.sort(key=lambda file: (file.path != MAIN_LOG, not file.is_log, file.path))
    groups: dict[str, list[Artifact]] = {}
    for file in files[:MAX_FILES_SHOWN]:
        groups.setdefault(file.path.rpartition("/")[0], []).append(file)
    path = request.GET.get("path", "")
    version = f"{len(files)}-{sum(file.n_bytes for file in files)}"
    address = reverse("run-tree", args=[request.workspace.name, run.uid])
    query = urlencode({"path": path, "v": version})
    return {
        "groups": groups,
        "path": path,
        "first_path": files[0].path if files else "",
        "has_more_files": len(files) > MAX_FILES_SHOWN,
        "n_files": min(len(files), MAX_FILES_SHOWN),
        "tree_version": version,
        "tree_url": "" if run.is_terminal else f"{address}?{query}",
    }

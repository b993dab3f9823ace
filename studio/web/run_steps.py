"""The tab Steps of a pipeline: its child runs as a graph, the log of the chosen one beside it."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.urls import reverse

from studio.artifacts.actions import find_artifact
from studio.artifacts.models import MAIN_LOG
from studio.runs.dependencies import needs_of, waits_for
from studio.runs.models import Run
from studio.runs.querysets import RunQuerySet
from studio.runs.status import TERMINAL, Status
from studio.web.access import Request, find_run, page
from studio.web.frame import frame
from studio.web.log_viewer import log_view
from studio.web.render import render_page, render_parts, wants_part
from studio.web.run_detail import run_context
from studio.web.step_layout import HEIGHT, WIDTH, Drawing, drawing_of, layers_of, n_segments
from studio.web.typed import storable

MAX_DRAWN = 200
MAX_SEGMENTS = 2_000
MAX_LISTED = 1_000
GRAPH, LOG = "runs-step_graph", "runs-step_log"


@dataclass(frozen=True, slots=True)
class Step:
    """A step as it is drawn or listed: `after`, the names of those it depends on; `x`, `y`: its
    left upper corner in the drawing."""

    run: Run
    url: str
    after: list[str]
    is_chosen: bool
    x: int = 0
    y: int = 0


@page
def steps(request: Request, uid: str) -> HttpResponse:
    """The whole tab; for HTMX the graph alone (204 while it is as it was), or the log of a step
    with the graph in which it is chosen."""
    pipeline = find_run(request, uid)
    graph = graph_context(request, pipeline)
    part = {"run": pipeline, **frame(request, active="pipelines"), **graph}
    if wants_part(request) and request.htmx.target == GRAPH:
        if request.GET.get("v") == graph["steps_version"]:
            return HttpResponse(status=204)
        part |= note_context(pipeline, storable(request.GET.get("step", "")))
        # Only where a step is chosen there is a place for its note.
        notes = ["runs/_step_note.html"] if part["step"] else []
        return render_parts(request, ["runs/_step_graph.html", *notes], part)
    log = log_context(request, pipeline)
    if wants_part(request) and request.htmx.target == LOG:
        parts = ["runs/_step_log.html", "runs/_step_graph.html"]
        return render_parts(request, parts, part | log)
    context = run_context(request, pipeline, tab="steps") | graph | log
    return render_page(request, "runs/steps.html", context, part="runs/_steps.html")


def steps_of(pipeline: Run) -> RunQuerySet:
    return Run.objects.filter(parent=pipeline, deleted_at=None)


def graph_context(request: Request, pipeline: Run) -> dict[str, Any]:
    """For `runs/_step_graph.html` (2 queries).

    steps: in order, those that depend on nothing first; drawing: None when the list is shown;
    box: (width, height) of a step; too_many: why there is no drawing, ""; n_more: steps that are
    not listed; graph_url, list_url: the two ways to see them; steps_url: asks for news, "" when
    none can come.
    """
    found = list(steps_of(pipeline).slim().order_by("number", "id")[: MAX_LISTED + 1])
    shown = found[:MAX_LISTED]
    needs = needs_of([run.pk for run in shown])
    layers = layers_of([run.pk for run in shown], needs)
    too_many = _too_many(len(found), layers, needs)
    as_list = request.GET.get("as") == "list"
    drawing = None if as_list or too_many else drawing_of(layers, needs)
    chosen = request.GET.get("step", "")
    is_live = pipeline.status not in TERMINAL or any(r.status not in TERMINAL for r in shown)
    version = _version(request, shown, needs)
    return {
        "steps": _steps(request, pipeline, shown, needs, layers, drawing),
        "drawing": drawing,
        "box": (WIDTH, HEIGHT),
        "too_many": too_many,
        "as_list": as_list,
        "n_more": max(0, (pipeline.n_children or 0) - len(shown)),
        "steps_version": version,
        "graph_url": address(request, pipeline, step=chosen),
        "list_url": address(request, pipeline, step=chosen, **{"as": "list"}),
        "steps_url": address(request, pipeline, **_asked(request), v=version) if is_live else "",
    }


def _too_many(n: int, layers: Mapping[int, int], needs: Mapping[int, Sequence[int]]) -> str:
    if n > MAX_DRAWN:
        return f"Up to {MAX_DRAWN} steps are drawn; these are more, so they are listed."
    if n_segments(layers, needs) > MAX_SEGMENTS:
        return f"The steps depend on each other in more than {MAX_SEGMENTS:,} ways: too many lines."
    return ""


def _steps(
    request: Request,
    pipeline: Run,
    runs: Sequence[Run],
    needs: Mapping[int, Sequence[int]],
    *how: Any,
) -> list[Step]:
    layers: Mapping[int, int]
    drawing: Drawing | None
    layers, drawing = how
    names = {run.pk: run.display_name for run in runs}
    chosen, asked = request.GET.get("step", ""), _asked(request)
    made = []
    for run in sorted(runs, key=lambda run: (layers[run.pk], run.number)):
        x, y = drawing.places[run.pk] if drawing else (0, 0)
        url = address(request, pipeline, **{**asked, "step": run.uid})
        after = [names[pk] for pk in needs.get(run.pk, ()) if pk in names]
        made.append(Step(run, url, after, run.uid == chosen, x, y))
    return made


def _asked(request: Request) -> dict[str, str]:
    return {name: request.GET.get(name, "") for name in ("step", "as")}


def address(request: Request, pipeline: Run, **query: str) -> str:
    here = reverse("run-steps", args=[request.workspace.name, pipeline.uid])
    text = urlencode({name: value for name, value in query.items() if value})
    return f"{here}?{text}" if text else here


def _version(request: Request, runs: Sequence[Run], needs: Mapping[int, Sequence[int]]) -> str:
    """Differs when the graph would look different."""
    shown: list[Any] = [[r.uid, r.status, r.display_name, r.started_at] for r in runs]
    shown += [sorted(needs.items()), request.GET.get("step", "")]
    return str(zlib.crc32(str(shown).encode("utf-8", "replace")))


def note_context(pipeline: Run, uid: str) -> dict[str, Any]:
    """For `runs/_step_note.html` (2 queries at most)."""
    found = steps_of(pipeline).filter(uid=uid).select_related("workspace", "job")
    step = found.first() if uid else None
    is_queued = step is not None and step.status == Status.QUEUED
    return {"step": step, "step_waits_for": waits_for(step) if step and is_queued else []}


def log_context(request: Request, pipeline: Run) -> dict[str, Any]:
    """For `runs/_step_log.html`: step: the chosen run, or None; is_gone: there is none with that
    id; and what `web.log_viewer.log_view` gives (4 queries at most)."""
    uid = storable(request.GET.get("step", ""))
    found = note_context(pipeline, uid)
    found["closed_url"] = address(request, pipeline, **{"as": request.GET.get("as", "")})
    found["is_gone"] = bool(uid) and found["step"] is None
    if step := found["step"]:
        found |= log_view(request, step, find_artifact(step, MAIN_LOG))
    return found

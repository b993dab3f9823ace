"""Run Details: one page a tab, one frame around them."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django_htmx.http import HttpResponseStopPolling, trigger_client_event

from studio.execution.resubmitting import relatives_of
from studio.metrics.models import Kind, Metric
from studio.runs.dependencies import needed_by
from studio.runs.descriptions import description_of_run
from studio.runs.labels import by_key
from studio.runs.machine_tags import OF_MACHINES
from studio.runs.models import Run, RunEvent
from studio.runs.status import TERMINAL
from studio.web.access import Request, find_run, page
from studio.web.deep_links import linked
from studio.web.environment_words import environment_words
from studio.web.frame import frame
from studio.web.history import LONGEST, entry_of
from studio.web.moments import TABS as MOMENT_TABS
from studio.web.moments import moment_of
from studio.web.render import render_page, render_parts, wants_part
from studio.web.run_evidence import is_by_person, known_of
from studio.web.run_header import header_context
from studio.web.run_lineage import lineage_context
from studio.web.run_signs import signed, version_of
from studio.web.sparklines import sparklines

MAX_METRICS_SHOWN = 500
EVENTS_PAGE = 100
# More digits than an id of the database has.
MAX_DIGITS = 19

# A pipeline opens with its steps; its details have an address of their own.
STEPS, DETAILS = ("steps", "Steps", "run-steps"), ("details", "Details", "run-details")
TABS = [
    ("details", "Details", "run-detail"),
    ("metrics", "Metrics", "run-metrics"),
    ("images", "Images", "run-images"),
    ("children", "Child runs", "run-children"),
    ("logs", "Outputs + logs", "run-logs"),
    ("snapshot", "Snapshot", "run-snapshot"),
    ("monitoring", "Monitoring", "run-monitoring"),
    ("history", "History", "run-history"),
    ("json", "Raw JSON", "run-json"),
]


def run_context(request: Request, run: Run, *, tab: str) -> dict[str, Any]:
    """What every tab shows: header, tabs with their counts, what may be done (8 queries)."""
    counts = {
        "metrics": Metric.objects.ordinary().filter(run=run).exclude(kind=Kind.IMAGE).count(),
        "images": run.metrics.filter(kind=Kind.IMAGE).count(),
        "children": run.children.filter(deleted_at=None).count(),
    }
    counts["steps"] = counts["children"]
    address = [request.workspace.name, run.uid]
    is_pipeline = run.type == "pipeline"
    moment = moment_of(request, run) if tab in MOMENT_TABS else None

    def link(key: str, name: str) -> str:
        url = reverse(name, args=address)
        return moment.on(url) if moment and key in MOMENT_TABS else url

    return {
        **frame(request, active="pipelines" if is_pipeline else "runs"),
        **header_context(request, run),
        "tab": tab,
        "moment": moment,
        "moment_tabs": MOMENT_TABS if moment else (),
        "tabs": [
            {"key": key, "label": label, "url": link(key, name), "n": counts.get(key)}
            for key, label, name in ([STEPS, DETAILS, *TABS[1:]] if is_pipeline else TABS)
        ],
    }


@page
def details(request: Request, uid: str) -> HttpResponse:
    """The run's own address: its details, of a pipeline its steps."""
    run = find_run(request, uid)
    if run.type == "pipeline" and not wants_part(request):
        return redirect("run-steps", request.workspace.name, run.uid)
    return _details(request, run)


@page
def details_page(request: Request, uid: str) -> HttpResponse:
    return _details(request, find_run(request, uid))


def _details(request: Request, run: Run) -> HttpResponse:
    context = {**run_context(request, run, tab="details"), **details_context(request, run)}
    return render_page(request, "runs/detail.html", context, part="runs/_details.html")


def details_context(request: Request, run: Run) -> dict[str, Any]:
    """What the tab Details shows besides the header (10 queries, 11 of a step, and those of
    `linked` and `lineage_context`)."""
    source, copies = relatives_of(run)
    description = description_of_run(run)
    properties, facts = list(run.properties.order_by("key")), facts_of(run)
    environment = facts.get("environment")
    return {
        "resubmitted_from": source,
        "resubmitted_as": copies,
        "depends_on": needed_by(run) if run.parent_id else [],
        "description": linked(request, description) if description else None,
        "properties": properties,
        "parameters": list(run.parameters.order_by("key")),
        "facts": facts,
        "environment": environment_words(
            environment if isinstance(environment, dict) else {}, properties
        )
        if run.job_id
        else None,
        "error_lines": error_lines(run),
        "known": known_of(run),
        "is_known_folded": is_by_person(run),
        "client_tags": by_key(run.tags.filter(OF_MACHINES).order_by("key")),
        **lineage_context(request, run),
        **drawn_values(values_context(run)),
    }


def values_context(run: Run) -> dict[str, Any]:
    """Last values of the metrics; their version changes with every point (1 query)."""
    found = Metric.objects.ordinary().filter(run=run).order_by("name")
    metrics = list(found[: MAX_METRICS_SHOWN + 1])
    version = f"{sum(metric.n_points for metric in metrics)}-{len(metrics)}"
    return {
        "metrics": metrics[:MAX_METRICS_SHOWN],
        "has_more_values": len(metrics) > MAX_METRICS_SHOWN,
        "values_version": version,
    }


def drawn_values(context: dict[str, Any]) -> dict[str, Any]:
    """The same with the lines of `sparklines` (1 query where there are numbers)."""
    return {**context, "sparklines": sparklines(context["metrics"])}


@page
def values(request: Request, uid: str) -> HttpResponse:
    """The last values while the run goes on: 204 while there is no new point."""
    run = find_run(request, uid)
    context = values_context(run)
    is_over = run.status in TERMINAL
    if request.GET.get("v") == context["values_version"] and not is_over:
        return HttpResponse(status=204)
    context = {**frame(request, active="runs"), **drawn_values(context), "run": run}
    return render_parts(request, ["runs/_values.html"], context)


def error_lines(run: Run) -> list[str]:
    """The traceback's lines, without those that only repeat the message."""
    if not run.error:
        return []
    lines = str(run.error.get("traceback") or "").rstrip().splitlines()
    message = str(run.error.get("message") or "").strip()
    return lines[:-1] if lines and lines[-1].strip() == message else lines


def facts_of(run: Run) -> dict[str, Any]:
    definition = getattr(run, "definition", None)
    return dict(definition.facts) if definition else {}


@page
def header(request: Request, uid: str) -> HttpResponse:
    """The live header: 204 while nothing changed, 286 with the last one when the run is over.

    A new one tells the page, whose tab asks for its own news."""
    known = signed(Run.objects.of(request.workspace).select_related("job")).filter(uid=uid).first()
    if known is not None and request.GET.get("v") == version_of(known):
        return HttpResponse(status=204)
    run = find_run(request, uid)
    context = header_context(request, run)
    answer = render_parts(
        request, ["runs/_header.html"], {**frame(request, active="runs"), **context}
    )
    if run.status in TERMINAL:
        answer.status_code = HttpResponseStopPolling.status_code
    return trigger_client_event(answer, "studio:run-changed")


@page
def history(request: Request, uid: str) -> HttpResponse:
    """Every change of the run, newest first, EVENTS_PAGE a page. `below`: only those before the
    event of this id."""
    run = find_run(request, uid)
    found = RunEvent.objects.filter(run=run).order_by("-id")
    below = request.GET.get("below", "")
    if below.isascii() and below.isdecimal() and len(below) < MAX_DIGITS:
        found = found.filter(id__lt=int(below))
    else:
        below = ""
    events = list(found[: EVENTS_PAGE + 1])
    context = {
        **run_context(request, run, tab="history"),
        "entries": [entry_of(event) for event in events[:EVENTS_PAGE]],
        "longest": LONGEST,
        "below": below,
        "older_than": events[EVENTS_PAGE - 1].pk if len(events) > EVENTS_PAGE else None,
    }
    return render_page(request, "runs/history.html", context, part="runs/_history.html")

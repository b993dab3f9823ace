"""Run Details: one page a tab, one frame around them."""

from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django_htmx.http import HttpResponseStopPolling

from studio.accounts.permissions import Permission
from studio.artifacts.models import MAIN_LOG, Artifact
from studio.metrics.models import Kind, Metric
from studio.metrics.series import points_of
from studio.runs.models import Description, Run, RunEvent
from studio.runs.rollup import rollups
from studio.runs.status import CANCELLABLE, TERMINAL, Status
from studio.web.access import Request, find_run, page
from studio.web.files import log_view
from studio.web.frame import frame
from studio.web.paging import page_of
from studio.web.render import render_page, render_parts
from studio.web.run_list import live_url, rows_of

MAX_METRICS_SHOWN = 500
MAX_FILES_SHOWN = 2_000
MAX_IMAGES_SHOWN = 200
MAX_EVENTS_SHOWN = 500
CHILDREN_PAGE = 100

TABS = [
    ("details", "Details", "run-detail"),
    ("metrics", "Metrics", "run-metrics"),
    ("images", "Images", "run-images"),
    ("children", "Child runs", "run-children"),
    ("logs", "Outputs + logs", "run-logs"),
    ("history", "History", "run-history"),
]


def run_context(request: Request, run: Run, *, tab: str) -> dict[str, Any]:
    """What every tab shows: the header, the tabs with their counts, what may be done (6 queries)."""
    counts = {
        "metrics": run.metrics.exclude(kind=Kind.IMAGE).count(),
        "images": run.metrics.filter(kind=Kind.IMAGE).count(),
        "children": run.children.filter(deleted_at=None).count(),
    }
    address = [request.workspace.name, run.uid]
    return {
        **frame(request, active="runs"),
        **header_context(request, run),
        "tab": tab,
        "tabs": [
            {"key": key, "label": label, "url": reverse(name, args=address), "n": counts.get(key)}
            for key, label, name in TABS
        ],
    }


def header_context(request: Request, run: Run) -> dict[str, Any]:
    """The header's own needs; also what its live part is rendered from."""
    return {
        "run": run,
        "tags": list(run.tags.order_by("key")),
        "is_starred": run.stars.filter(user=request.user).exists(),
        "rollup": rollups([run.pk]).get(run.pk),
        "can_edit": Permission.EDIT_RUN in request.permissions,
        "cancel_refused": why_not_cancel(request, run),
        "kill_refused": why_not_kill(request, run),
        "fail_refused": why_not_fail(request, run),
        "cancel_countdown_s": countdown_s(run),
        "waits_for_worker": waits_for_worker(run),
        "is_live": run.status not in TERMINAL,
        "header_url": f"{reverse('run-header', args=[request.workspace.name, run.uid])}"
        f"?v={header_version(run)}",
    }


def header_version(run: Run) -> str:
    """Changes with everything the live header shows."""
    step = run.job.cancel_step if run.job else ""
    return f"{run.status_at.timestamp():.6f}-{step}"


def why_not_cancel(request: Request, run: Run) -> str:
    """Why Cancel is disabled, in words; "" when it is not."""
    if Permission.CANCEL_RUN not in request.permissions:
        return "Your role does not allow cancelling runs"
    if run.status == Status.CANCEL_REQUESTED:
        return "A cancel was requested already"
    return "" if run.status in CANCELLABLE else f"The run is already {run.status}"


def why_not_kill(request: Request, run: Run) -> str:
    if Permission.CANCEL_RUN not in request.permissions:
        return "Your role does not allow cancelling runs"
    if run.status != Status.CANCEL_REQUESTED or run.job is None:
        return "Only a run that is being cancelled on a worker can be killed"
    return "It is being killed already" if run.job.kill_requested_at else ""


def why_not_fail(request: Request, run: Run) -> str:
    if Permission.EDIT_RUN not in request.permissions:
        return "Your role does not allow changing runs"
    return f"The run is already {run.status}" if run.status in {"Failed", "Canceled"} else ""


def countdown_s(run: Run) -> float | None:
    """Seconds until the next step of a cancel, None when there is none to wait for."""
    job = run.job
    if job is None or job.cancel_step != "interrupting" or job.cancel_step_at is None:
        return None
    waited_s = (timezone.now() - job.cancel_step_at).total_seconds()
    return max(0.0, job.grace_s - waited_s)


def waits_for_worker(run: Run) -> bool:
    """Whether a queued run's target has no live worker (1 query for queued runs, else none)."""
    if run.status != Status.QUEUED or run.target is None:
        return False
    return not run.target.workers.live().exists()


@page
def details(request: Request, uid: str) -> HttpResponse:
    run = find_run(request, uid)
    context = {
        **run_context(request, run, tab="details"),
        "description": description_of(run),
        "properties": list(run.properties.order_by("key")),
        "parameters": list(run.parameters.order_by("key")),
        "metrics": list(Metric.objects.filter(run=run).order_by("name")[:MAX_METRICS_SHOWN]),
        "facts": facts_of(run),
    }
    return render_page(request, "runs/detail.html", context, part="runs/_details.html")


def description_of(run: Run) -> Description | None:
    return getattr(run, "description_row", None)


def facts_of(run: Run) -> dict[str, Any]:
    definition = getattr(run, "definition", None)
    return dict(definition.facts) if definition else {}


@page
def header(request: Request, uid: str) -> HttpResponse:
    """The live header: 204 while nothing changed, 286 with the last one when the run is over."""
    run = find_run(request, uid)
    if request.GET.get("v") == header_version(run):
        return HttpResponse(status=204)
    context = {**frame(request, active="runs"), **header_context(request, run)}
    answer = render_parts(request, ["runs/_header.html"], context)
    if run.status in TERMINAL:
        answer.status_code = HttpResponseStopPolling.status_code
    return answer


@page
def edit_description(request: Request, uid: str) -> HttpResponse:
    """The editor, filled with what is stored."""
    run = find_run(request, uid)
    stored = description_of(run)
    context = {
        **run_context(request, run, tab="details"),
        "text": stored.text if stored else "",
        "version": stored.version if stored else 0,
        "html": stored.html if stored else "",
        "error": "",
        "conflict": None,
    }
    return render_page(
        request,
        "runs/edit_description.html",
        context,
        part="runs/_description_form.html",
    )


@page
def images(request: Request, uid: str) -> HttpResponse:
    """Every logged image, by name and step."""
    run = find_run(request, uid)
    found = []
    for metric in run.metrics.filter(kind=Kind.IMAGE).order_by("name")[:MAX_IMAGES_SHOWN]:
        points = points_of(run, metric.name)
        shown = [
            {"step": int(step), "path": value.get("path", "")}
            for step, value in zip(points.steps, points.values, strict=True)
            if isinstance(value, dict)
        ]
        found.append({"name": metric.name, "images": shown[-MAX_IMAGES_SHOWN:]})
    context = {**run_context(request, run, tab="images"), "image_metrics": found}
    return render_page(request, "runs/images.html", context, part="runs/_images.html")


@page
def children(request: Request, uid: str) -> HttpResponse:
    run = find_run(request, uid)
    below = Run.objects.of(request.workspace).filter(parent=run).for_list()
    shown = page_of(
        below,
        size=CHILDREN_PAGE,
        after=request.GET.get("after", ""),
        before=request.GET.get("before", ""),
    )
    base = reverse("run-children", args=[request.workspace.name, run.uid])
    context = {
        **run_context(request, run, tab="children"),
        "rows": rows_of(request, shown.runs),
        "older_url": f"{base}?after={shown.older}" if shown.older else "",
        "newer_url": f"{base}?before={shown.newer}" if shown.newer else "",
        "live_url": live_url(request, shown.runs),
    }
    return render_page(request, "runs/children.html", context, part="runs/_children.html")


@page
def logs(request: Request, uid: str) -> HttpResponse:
    """Outputs + logs: the tree on the left, one opened file on the right."""
    run = find_run(request, uid)
    files = list(Artifact.objects.filter(run=run).order_by("path")[: MAX_FILES_SHOWN + 1])
    # The main log comes first, then the other logs, then outputs.
    files.sort(key=lambda file: (file.path != MAIN_LOG, not file.is_log, file.path))
    wanted = request.GET.get("path", "") or (files[0].path if files else "")
    opened = next((file for file in files if file.path == wanted), None)
    context = {
        **run_context(request, run, tab="logs"),
        "files": files[:MAX_FILES_SHOWN],
        "has_more_files": len(files) > MAX_FILES_SHOWN,
        "opened": opened,
        "wanted": wanted,
        **(log_view(request, run, opened) if opened else {}),
    }
    return render_page(request, "runs/logs.html", context, part="runs/_logs.html")


@page
def history(request: Request, uid: str) -> HttpResponse:
    """Every change of the run, newest first."""
    run = find_run(request, uid)
    events = RunEvent.objects.filter(run=run).order_by("-id")[:MAX_EVENTS_SHOWN]
    context = {**run_context(request, run, tab="history"), "events": list(events)}
    return render_page(request, "runs/history.html", context, part="runs/_history.html")

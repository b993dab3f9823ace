"""Metrics of a run: batches in, summaries and points out."""

from typing import Any

from django.http import HttpRequest, JsonResponse
from ninja import Path, Router
from ninja.params.functions import Query

from studio import counters, wire
from studio.api.access import NotFound, run_of, run_to_log_to
from studio.api.body import documented, read_body
from studio.api.paging import Limit, page
from studio.api.schemas import BatchAnswer, MetricPage, PointsPage, answers
from studio.api.serialize import beat_dict
from studio.metrics.actions import record_batch
from studio.metrics.models import NUMERIC, Metric
from studio.metrics.series import points_of
from studio.runs.limits import Invalid

router = Router(tags=["metrics"])
MAX_POINTS = 100_000


@router.post(
    "/runs/{uid}/batches", response=answers(BatchAnswer), openapi_extra=documented(wire.Batch)
)
def post_batch(request: HttpRequest, workspace: Path[str], uid: str) -> Any:
    """Store points; the same batch id sent again is answered and stored once."""
    run, actor = run_to_log_to(request, workspace, uid)
    # The hot path: plain dataclasses, no pydantic between the bytes and the chunk.
    batch = read_body(request, wire.Batch)
    accepted = record_batch(run, batch, by=actor)
    if not accepted.duplicate:
        counters.POINTS.inc(accepted.n_points)
    answer = {"accepted": accepted.n_points, "duplicate": accepted.duplicate}
    return JsonResponse(answer | beat_dict(run))


@router.get("/runs/{uid}/metrics", response=answers(MetricPage))
def list_metrics(
    request: HttpRequest, workspace: Path[str], uid: str, cursor: str = "", limit: int = Limit
) -> Any:
    """The run's metrics by name, with their last, least and greatest value."""
    run = run_of(request, workspace, uid)
    metrics = Metric.objects.filter(run=run, name__gt=cursor).order_by("name")
    return page(list(metrics[: limit + 1]), limit=limit, item=metric_dict, cursor=lambda m: m.name)


def metric_dict(metric: Metric) -> dict[str, Any]:
    """The summary as JSON values; a `last` that is no finite number is a string."""
    return {
        "name": metric.name,
        "kind": metric.kind,
        "n_points": metric.n_points,
        "last": metric.last if metric.last is not None else metric.last_text or None,
        "last_step": metric.last_step,
        "last_at": metric.last_at,
        "min": metric.min,
        "min_step": metric.min_step,
        "max": metric.max,
        "max_step": metric.max_step,
    }


@router.get("/runs/{uid}/metrics/points", response=answers(PointsPage))
def list_points(
    request: HttpRequest,
    workspace: Path[str],
    uid: str,
    name: str,
    cursor: str = "",
    limit: int = Query(MAX_POINTS, ge=1, le=MAX_POINTS),
) -> Any:
    """All points of one metric, ordered by step."""
    run = run_of(request, workspace, uid)
    metric = Metric.objects.filter(run=run, name=name).first()
    if metric is None:
        raise NotFound(f"The run has no metric “{name[:80]}”.")
    if cursor and not cursor.isdecimal():
        raise Invalid("cursor", "This cursor is not one of this list.")
    start = int(cursor[:18] or 0)
    points = points_of(metric)
    part = points.part(start, start + limit)
    values = part.values if isinstance(part.values, list) else part.values.tolist()
    more = start + limit < len(points)
    return JsonResponse(
        {
            "name": metric.name,
            "kind": metric.kind,
            "steps": part.steps.tolist(),
            "times": part.times.tolist(),
            "values": wire.dump_numbers(values) if metric.kind in NUMERIC else values,
            "next": str(start + limit) if more else None,
        }
    )

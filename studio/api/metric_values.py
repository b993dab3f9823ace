"""The values of all metrics of a run, or of a whole tree of runs, in few answers."""

from collections.abc import Iterator
from typing import Any

from django.db.models import Q
from django.http import HttpRequest, JsonResponse
from ninja import Path, Router
from ninja.params.functions import Query

from studio import wire
from studio.api.access import run_of
from studio.api.schemas import Closed, answers
from studio.metrics.models import NUMERIC, Metric, MetricQuerySet
from studio.metrics.packing import EMPTY, Points
from studio.metrics.series import points_of_each
from studio.runs.limits import Invalid
from studio.runs.models import Run

router = Router(tags=["metrics"])
MAX_VALUES = 100_000
METRICS_AT_ONCE = 1_000


class ValuesItem(Closed):
    run: str
    name: str
    kind: str
    values: list[Any]


class ValuesPage(Closed):
    items: list[ValuesItem]
    next: str | None


@router.get("/runs/{uid}/metrics/values", response=answers(ValuesPage))
def list_values(
    request: HttpRequest,
    workspace: Path[str],
    uid: str,
    name: str = Query("", max_length=wire.MAX_NAME),
    tree: bool = False,
    cursor: str = "",
    limit: int = Query(MAX_VALUES, ge=1, le=MAX_VALUES),
) -> Any:
    """The values of every metric, each by step; with `tree` those of all runs below it too. A
    metric that does not fit goes on in the next page. Samples of machines come for their `name`
    only."""
    run = run_of(request, workspace, uid)
    metrics = _of_tree(run) if tree else Metric.objects.filter(run=run)
    metrics = metrics.filter(name=name) if name else metrics.ordinary()
    begin = _place(cursor)
    found = metrics.filter(pk__gte=begin[0]).select_related("run").order_by("pk")
    chosen = list(found[: METRICS_AT_ONCE + 1])
    fitting = dict.fromkeys(_fitting(chosen, begin[1], limit), EMPTY)
    fitting.update(points_of_each(list(fitting)))
    items, place = _filled(chosen, fitting, begin=begin, limit=limit)
    return JsonResponse({"items": items, "next": place})


def _of_tree(run: Run) -> MetricQuerySet:
    below = Run.objects.descendants_of(run).filter(deleted_at=None).order_by().values("pk")
    return Metric.objects.filter(Q(run__in=below) | Q(run=run.pk))


def _place(cursor: str) -> tuple[int, int]:
    """(the metric to begin with, how many of its values are known) of "12.500"."""
    metric, _, skipped = (cursor or "0.0").partition(".")
    if not (metric.isdecimal() and skipped.isdecimal() and len(cursor) < 40):
        raise Invalid("cursor", "This cursor is not one of this list.")
    return int(metric[:18]), int(skipped[:18])


def _fitting(metrics: list[Metric], skipped: int, limit: int) -> Iterator[int]:
    """Ids of the metrics whose values begin within the page, by how many each is said to have."""
    n_values = -skipped
    for metric in metrics[:METRICS_AT_ONCE]:
        if n_values >= limit:
            return
        yield metric.pk
        n_values += metric.n_points


def _filled(
    metrics: list[Metric], points: dict[int, Points], *, begin: tuple[int, int], limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """The items of a page and where the next one begins."""
    items: list[dict[str, Any]] = []
    room = limit
    for metric in metrics:
        if metric.pk not in points or room <= 0:
            return items, f"{metric.pk}.0"
        first = begin[1] if metric.pk == begin[0] else 0
        part = points[metric.pk].part(first, first + room)
        values = part.values if isinstance(part.values, list) else part.values.tolist()
        numeric = metric.kind in NUMERIC
        items.append(
            {
                "run": metric.run.uid,
                "name": metric.name,
                "kind": metric.kind,
                "values": wire.dump_numbers(values) if numeric else values,
            }
        )
        room -= len(values)
        if first + len(values) < len(points[metric.pk]):
            return items, f"{metric.pk}.{first + len(values)}"
    return items, None

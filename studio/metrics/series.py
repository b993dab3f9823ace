"""Reading metric points: whole, as summaries or as plain values. For charts see `curves`."""

from collections.abc import Collection, Generator
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.db.models import Max, Min, OuterRef, Q, Subquery

from studio.metrics.models import Metric, MetricChunk
from studio.metrics.packing import Points, by_step, join, unpack
from studio.runs.models import Run

CHUNKS_AT_ONCE = 128


def points_of(metric: Metric) -> Points:
    """All points of the metric by step; points of one step in the order they came (1 query)."""
    chunks = MetricChunk.objects.filter(metric=metric).order_by("id")
    return by_step(join([unpack(data) for data in chunks.values_list("data", flat=True)]))


def points_of_each(
    metric_ids: Collection[int], **within: int
) -> Generator[tuple[int, Points], None, None]:
    """(metric id, its points by step), one metric after the other, streamed; `within`: conditions
    of the chunks to read (1 query)."""
    rows = (
        MetricChunk.objects.filter(metric__in=metric_ids, **within)
        .order_by("metric_id", "id")
        .values_list("metric_id", "data")
        .iterator(chunk_size=CHUNKS_AT_ONCE)
    )
    for metric_id, group in groupby(rows, key=itemgetter(0)):
        yield metric_id, by_step(join([unpack(data) for _, data in group]))


def some_rows(metric_ids: Collection[int]) -> dict[int, list[Any]]:
    """metric id -> values of its first and its last chunk (1 query, none without metrics)."""
    if not metric_ids:
        return {}
    ends = MetricChunk.objects.filter(metric=OuterRef("metric")).order_by().values("metric")
    at_ends = Q(pk=Subquery(ends.values(end=Min("pk")))) | Q(
        pk=Subquery(ends.values(end=Max("pk")))
    )
    rows = MetricChunk.objects.filter(at_ends, metric__in=metric_ids).order_by("metric_id", "id")
    found: dict[int, list[Any]] = {}
    for metric_id, data in rows.values_list("metric_id", "data"):
        found.setdefault(metric_id, []).extend(unpack(data).values)
    return found


def summaries(runs: Collection[Run], names: Collection[str]) -> dict[int, dict[str, Metric]]:
    """run id -> name -> summary, for those of the names that a run has (1 query)."""
    found: dict[int, dict[str, Metric]] = {run.pk: {} for run in runs}
    for metric in Metric.objects.filter(run__in=found, name__in=names):
        found[metric.run_id][metric.name] = metric
    return found


def values_of(run: Run, names: Collection[str] | None = None) -> dict[str, list[Any]]:
    """name -> all values by step, for `get_metrics`; numbers may be NaN (2 queries)."""
    metrics = Metric.objects.filter(run=run).order_by("name")
    if names is not None:
        metrics = metrics.filter(name__in=names)
    by_id = {metric.pk: metric for metric in metrics}
    values = {metric_id: _plain(points) for metric_id, points in points_of_each(by_id)}
    return {metric.name: values.get(pk, []) for pk, metric in by_id.items()}


def _plain(points: Points) -> list[Any]:
    return points.values if isinstance(points.values, list) else points.values.tolist()

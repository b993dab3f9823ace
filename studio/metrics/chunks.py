"""Chunks of a metric: appended as they come, merged when many small ones have gathered.

Order of chunk ids = order of arrival, and open chunks are always the newest ones: a merge takes all
of them together with the new points, writes full ones sealed and what is left as one open chunk.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from studio.metrics.models import NUMERIC, Metric, MetricChunk
from studio.metrics.packing import Points, from_lists, join, pack, unpack
from studio.metrics.rows import insert_rows
from studio.metrics.summary import Series

SEALED_AT = 8_192
MERGE_AT = 64


def append(news: Sequence[tuple[Metric, Series]], *, merge: bool = False) -> None:
    """Store the points of each metric and set its `n_open_chunks` (not saved).

    The caller holds the run's row. Queries: 1, and 2 more when something is merged.
    """
    due = {metric.pk for metric, series in news if merge or _is_due(metric, series)}
    waiting = _take_open(due)
    rows: list[MetricChunk] = []
    for metric, series in news:
        numeric = series.kind in NUMERIC
        points = from_lists(series.steps, series.times, series.values, numeric=numeric)
        if metric.pk in due:
            points = join([*waiting[metric.pk], points])
            metric.n_open_chunks = 0
        for part in _cut(points):
            is_open = len(part) < SEALED_AT
            metric.n_open_chunks += is_open
            rows.append(chunk_of(metric, part, is_open=is_open))
    insert_rows(rows)


def chunk_of(metric: Metric, points: Points, *, is_open: bool) -> MetricChunk:
    """A chunk of one or more points (not saved)."""
    return MetricChunk(
        metric=metric,
        n_points=len(points),
        is_open=is_open,
        first_step=int(points.steps.min()),
        last_step=int(points.steps.max()),
        data=pack(points),
    )


def _is_due(metric: Metric, series: Series) -> bool:
    """Whether the open chunks must be merged before these points are stored."""
    n_open = metric.n_open_chunks
    return n_open >= MERGE_AT or (n_open > 0 and len(series.steps) >= SEALED_AT)


def _take_open(metric_ids: set[int]) -> dict[int, list[Points]]:
    """Read and remove the open chunks of these metrics, oldest first (2 queries)."""
    taken: dict[int, list[Points]] = defaultdict(list)
    if metric_ids:
        chunks = MetricChunk.objects.filter(metric__in=metric_ids, is_open=True)
        for metric_id, data in chunks.order_by("id").values_list("metric_id", "data"):
            taken[metric_id].append(unpack(data))
        chunks.delete()
    return taken


def _cut(points: Points) -> Iterator[Points]:
    for start in range(0, len(points), SEALED_AT):
        yield points.part(start, start + SEALED_AT)

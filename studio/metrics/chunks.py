"""Chunks of a metric: appended as they come, merged when many small ones have gathered.

Order of chunk ids = order of arrival, and open chunks are always the newest ones: a merge takes all
of them together with the new points, writes full ones sealed and what is left as one open chunk.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from studio.metrics.models import NUMERIC, Metric, MetricChunk, Outline
from studio.metrics.outlines import outline_of
from studio.metrics.packing import Points, from_lists, join, pack, unpack
from studio.metrics.summary import Series
from studio.runs.rows import insert_rows

SEALED_AT = 8_192
MERGE_AT = 64


def append(news: Sequence[tuple[Metric, Series]], *, merge: bool = False) -> None:
    """Store the points of each metric and set its `n_open_chunks` (not saved).

    The caller holds the run's row. Queries: 1, 2 more when something is merged, and 2 more when a
    chunk became full.
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
    outline({row.metric_id for row in rows if not row.is_open and row.metric.kind in NUMERIC})


def outline(metric_ids: set[int]) -> None:
    """Give every full chunk of these metrics its outline (2 queries, none without metrics)."""
    if not metric_ids:
        return
    bare = MetricChunk.objects.filter(metric__in=metric_ids, is_open=False, outline=None)
    Outline.objects.bulk_create(_outline(pk, data) for pk, data in bare.values_list("id", "data"))


def _outline(chunk_id: int, data: bytes | memoryview) -> Outline:
    points, count = outline_of(data)
    return Outline(chunk_id=chunk_id, data=points, n_gaps=count.n_gaps, n_low=count.n_low)


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
        # Open chunks have no outline: nothing hangs on them that would have to be looked for.
        chunks._raw_delete(chunks.db)
    return taken


def _cut(points: Points) -> Iterator[Points]:
    for start in range(0, len(points), SEALED_AT):
        yield points.part(start, start + SEALED_AT)

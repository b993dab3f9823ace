"""Reading metric points: whole, downsampled for charts, as summaries or as plain values."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any

import numpy as np

from studio.metrics.models import Metric, MetricChunk
from studio.metrics.packing import EMPTY, Floats, Ints, Points, by_step, join, unpack
from studio.runs.models import Run

MAX_POINTS = 2_000
CHUNKS_AT_ONCE = 128
# Two buckets of four points.
FEWEST = 8


@dataclass(frozen=True, slots=True)
class Line:
    """One metric for a chart: columns of equal length by step, and how many points there are.

    `n_points` counts the points in the step range before downsampling.
    """

    metric: Metric
    points: Points
    n_points: int

    @property
    def is_downsampled(self) -> bool:
        return len(self.points) < self.n_points


def points_of(metric: Metric) -> Points:
    """All points of the metric by step; points of one step in the order they came (1 query)."""
    chunks = MetricChunk.objects.filter(metric=metric).order_by("id")
    return by_step(join([unpack(data) for data in chunks.values_list("data", flat=True)]))


def series(
    metrics: Sequence[Metric],
    *,
    max_points: int = MAX_POINTS,
    steps: tuple[int | None, int | None] = (None, None),
) -> list[Line]:
    """The metrics as lines of about `max_points` points at most, in the order given.

    `steps` = (first, last), both included, None for open. One query for all metrics; memory holds
    the points of one metric at a time. Kinds without numbers come whole.
    """
    by_id = {metric.pk: metric for metric in metrics}
    lines = {
        metric_id: _line(by_id[metric_id], points, max_points, steps)
        for metric_id, points in _read(by_id)
    }
    return [lines.get(m.pk) or Line(m, EMPTY, 0) for m in metrics]


def _read(metric_ids: Collection[int]) -> Iterator[tuple[int, Points]]:
    """(metric id, its points by step), one metric after the other, streamed (1 query)."""
    rows = (
        MetricChunk.objects.filter(metric__in=metric_ids)
        .order_by("metric_id", "id")
        .values_list("metric_id", "data")
        .iterator(chunk_size=CHUNKS_AT_ONCE)
    )
    for metric_id, group in groupby(rows, key=lambda row: row[0]):
        yield metric_id, by_step(join([unpack(data) for _, data in group]))


def _line(
    metric: Metric, points: Points, max_points: int, steps: tuple[int | None, int | None]
) -> Line:
    first, last = steps
    start = 0 if first is None else int(np.searchsorted(points.steps, first, "left"))
    stop = len(points) if last is None else int(np.searchsorted(points.steps, last, "right"))
    part = points.part(start, max(start, stop))
    if isinstance(part.values, list):
        return Line(metric, part, len(part))
    kept = downsample(part.steps, part.values, max_points)
    thin = Points(part.steps[kept], part.times[kept], part.values[kept])
    return Line(metric, thin, len(part))


def downsample(x: Ints | Floats, y: Floats, n: int) -> Ints:
    """Indices, ascending, of about `n` points that draw the same line as all of them.

    `x` ascends. The range of x is cut into n / 4 buckets of equal width; of each, the first, the
    last, the least and the greatest point stay (M4, doi 10.14778/2732951.2732953), so no spike is
    lost. The very first and last point stay too. Where points without a finite y lie between two
    kept ones, one of them stays, so that the line breaks there: at most 2 n + 2 points in all.
    """
    if len(y) <= max(n, FEWEST):
        return np.arange(len(y))
    finite = np.isfinite(y)
    if finite.all():
        return _m4(x, y, n)
    drawn = np.flatnonzero(finite)
    kept = drawn[_m4(x[drawn], y[drawn], n)] if len(drawn) else drawn
    gaps = np.flatnonzero(~finite)
    # For each kept point, the first gap behind it; it breaks the line if it comes before the next.
    behind = np.searchsorted(gaps, kept)
    has_gap = np.append(behind[1:], len(gaps)) > behind
    breaks = gaps[behind[has_gap]]
    return np.unique(np.concatenate([[0], kept, breaks, [len(y) - 1]]))


def _m4(x: Ints | Floats, y: Floats, n: int) -> Ints:
    """M4 over finite values. Own code: tsdownsample's lost extremes of uneven x (a test shows)."""
    if len(y) <= n:
        return np.arange(len(y))
    across = x.astype(np.float64)
    edges = np.linspace(across[0], across[-1], max(2, n // 4), endpoint=False)
    starts = np.unique(np.searchsorted(across, edges))
    kept = []
    for start, stop in pairwise([*starts.tolist(), len(y)]):
        bucket = y[start:stop]
        kept += [start, start + int(bucket.argmin()), start + int(bucket.argmax()), stop - 1]
    return np.unique(np.array(kept))


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
    values = {metric_id: _plain(points) for metric_id, points in _read(by_id)}
    return {metric.name: values.get(pk, []) for pk, metric in by_id.items()}


def _plain(points: Points) -> list[Any]:
    return points.values if isinstance(points.values, list) else points.values.tolist()

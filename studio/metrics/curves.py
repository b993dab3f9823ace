"""Metrics as lines of one chart: any horizontal axis, smoothed, thinned, the zoomed part fine.

A full chunk is read by its outline, a few hundred points among which its extremes are, unless the
part that is shown holds so few points that all of them can be read.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from operator import itemgetter
from typing import Literal

import numpy as np
from django.db.models import BinaryField, Case, F, When

from studio.metrics.models import Metric, MetricChunk
from studio.metrics.outlines import Count
from studio.metrics.packing import Floats, Points, by_step, join, unpack
from studio.metrics.series import CHUNKS_AT_ONCE, points_of_each
from studio.metrics.smoothing import ema
from studio.metrics.thinning import downsample

Axis = Literal["step", "relative", "time", "metric"]
Range = tuple[float, float]
# So many points, of all lines together, are read whole; and so many for each one drawn: fewer, and
# an outline would be coarser than the chart.
READ_WHOLE = 400_000
READ_FOR_ONE = 100
# Floats, a little within what the database takes for a step.
MAX_STEP = 2.0**63 - 2.0**11
# A zoom reads a little more on either side, so that lines run to the edges of the chart.
ZOOM_MARGIN = 0.05
# Points of a line, however many lines there are: two for each pixel of a wide screen are most.
SHORTEST, LONGEST = 100, 4_000


NOTHING = np.empty(0)
NONE = Count()


@dataclass(frozen=True, slots=True)
class Line:
    """x and y of equal length."""

    x: Floats
    y: Floats


@dataclass(frozen=True, slots=True)
class Curve:
    """A line: x and y of equal length and, when asked for, the smoothed line. count: what the part
    that is shown holds, thinned or not; times: of the points, in epoch seconds, along steps only.
    """

    metric: Metric
    x: Floats
    y: Floats
    smooth: Line | None = None
    count: Count = NONE
    times: Floats = field(default_factory=lambda: NOTHING)

    @property
    def is_thinned(self) -> bool:
        return len(self.x) < self.count.n_points


@dataclass(frozen=True, slots=True)
class Wish:
    """How the lines are drawn. zoom: an end may be infinite; is_whole: read all points, however
    many (what is smoothed depends on all of them); starts: run id -> epoch seconds of its beginning
    (for "relative"); across: run id -> the metric that is the horizontal axis (for "metric");
    max_points: of all lines together."""

    axis: Axis = "step"
    zoom: Range | None = None
    smooth: float = 0.0
    is_timed: bool = False
    is_whole: bool = False
    starts: Mapping[int, float] | None = None
    across: Mapping[int, Metric] | None = None
    max_points: int = 40_000


def curves(metrics: Sequence[Metric], wish: Wish) -> list[Curve]:
    """The metrics as lines, in the order given; one without points is an empty line.

    Of every bucket of a line the first, last, least and greatest point stay (`thinning`), so that
    no spike is lost at any zoom. Queries: 1, and 1 more to read a zoomed part whole. One metric's
    points are in memory at a time.
    """
    each = min(LONGEST, max(SHORTEST, wish.max_points // max(1, len(metrics))))
    by_id, across = {metric.pk: metric for metric in metrics}, _across(wish)
    found = {pk: _curve(by_id[pk], read, wish, across, each) for pk, read in _points(metrics, wish)}
    return [found.get(m.pk) or Curve(m, NOTHING, NOTHING) for m in metrics]


@dataclass(frozen=True, slots=True)
class _Read:
    """Points by step; `hidden` counts those they stand for."""

    points: Points
    hidden: Count = NONE


def _curve(
    metric: Metric, read: _Read, wish: Wish, across: Mapping[int, Points], max_points: int
) -> Curve:
    points = read.points
    if isinstance(points.values, list):
        return Curve(metric, NOTHING, NOTHING)
    x, y = _columns(metric, points, wish, across)
    times = points.times if wish.axis == "step" else NOTHING
    smooth = None
    if wish.smooth:
        # Where time stands still or an axis runs backwards there is no gap to weigh.
        clock = x if wish.is_timed else np.arange(len(x), dtype=np.float64)
        smooth = ema(clock, y, wish.smooth)
    if wish.zoom is not None and wish.axis != "metric":
        inside = part_of(x, wish.zoom)
        x, y, times = x[inside], y[inside], times[inside]
        smooth = None if smooth is None else smooth[inside]
    order = np.arange(len(x)) if wish.axis == "metric" else x
    kept = downsample(order, y, max_points)
    line = None
    if smooth is not None:
        drawn = downsample(order, smooth, max_points)
        line = Line(x[drawn], smooth[drawn])
    seen = times[kept] if len(times) else NOTHING
    return Curve(metric, x[kept], y[kept], line, Count.of(y) + read.hidden, seen)


def _columns(
    metric: Metric, points: Points, wish: Wish, across: Mapping[int, Points]
) -> tuple[Floats, Floats]:
    """x and y; x ascends, but for a metric as the axis, whose line goes in the order of steps."""
    y = np.asarray(points.values, np.float64)
    if wish.axis == "step":
        return points.steps.astype(np.float64), y
    if wish.axis == "metric":
        other = across.get(metric.run_id)
        if other is None or not len(other):
            return NOTHING, NOTHING
        at = np.searchsorted(other.steps, points.steps, "right") - 1
        has_pair = (at >= 0) & (other.steps[np.maximum(at, 0)] == points.steps)
        return np.asarray(other.values, np.float64)[at[has_pair]], y[has_pair]
    order = np.argsort(points.times, kind="stable")
    start = (wish.starts or {}).get(metric.run_id, 0.0) if wish.axis == "relative" else 0.0
    return points.times[order] - start, y[order]


def part_of(x: Floats, zoom: Range) -> slice:
    """Where ascending x lies within a zoom and its margin; an end may be infinite."""
    low, high = _ends(zoom)
    first = int(np.searchsorted(x, low, "left"))
    return slice(first, max(first, int(np.searchsorted(x, high, "right"))))


def _ends(zoom: Range) -> Range:
    low, high = zoom
    margin = ZOOM_MARGIN * (high - low) if math.isfinite(high - low) else 0.0
    return low - margin, high + margin


def _across(wish: Wish) -> dict[int, Points]:
    """run id -> points of the metric that is the horizontal axis (1 query)."""
    if wish.axis != "metric" or not wish.across:
        return {}
    run_of = {metric.pk: run for run, metric in wish.across.items()}
    return {
        run_of[pk]: points
        for pk, points in points_of_each(run_of)
        if not isinstance(points.values, list)
    }


def _points(metrics: Sequence[Metric], wish: Wish) -> Iterator[tuple[int, _Read]]:
    """(metric id, its points), one after the other; of a zoom into much those in it."""
    by_id = {metric.pk: metric for metric in metrics}
    most = min(READ_WHOLE, READ_FOR_ONE * wish.max_points)
    is_short = sum(metric.n_points for metric in metrics) <= most
    # Steps are paired one by one: an outline has too few of them.
    if is_short or wish.is_whole or wish.axis == "metric":
        read = points_of_each(by_id, **_steps_in(wish))
        yield from ((pk, _Read(points)) for pk, points in read)
    elif wish.zoom is None:
        yield from ((pk, _joined(parts, {})) for pk, parts in _outlines(by_id, wish))
    else:
        inside = {
            pk: [seen for part in parts if (seen := _inside(by_id[pk], part, wish))]
            for pk, parts in _outlines(by_id, wish)
        }
        fine = _fine([part for parts in inside.values() for part in parts], most)
        yield from ((pk, _joined(parts, fine)) for pk, parts in inside.items())


@dataclass(frozen=True, slots=True)
class _Part:
    """A chunk as it was read; `share` of its points lie in the zoom."""

    chunk: int
    points: Points
    hidden: Count
    share: float = 1.0

    @property
    def n_points(self) -> int:
        return len(self.points) + self.hidden.n_points


def _joined(parts: Sequence[_Part], fine: Mapping[int, Points]) -> _Read:
    points = by_step(join([fine.get(part.chunk, part.points) for part in parts]))
    rough = (part.hidden.times(part.share) for part in parts if part.chunk not in fine)
    return _Read(points, sum(rough, NONE))


def _steps_in(wish: Wish) -> dict[str, int]:
    """Conditions of the chunks that a zoom along steps shows; what is smoothed needs them all."""
    if wish.zoom is None or wish.axis != "step" or wish.smooth:
        return {}
    low, high = (int(max(-MAX_STEP, min(end, MAX_STEP))) for end in _ends(wish.zoom))
    return {"last_step__gte": low - 1, "first_step__lte": high}


def _outlines(metric_ids: Collection[int], wish: Wish) -> Iterator[tuple[int, list[_Part]]]:
    """(metric id, its chunks by their outlines, those without one whole), in order (1 query)."""
    bytes_of = Case(
        When(outline=None, then=F("data")), default=F("outline__data"), output_field=BinaryField()
    )
    counted = ("n_points", "outline__n_gaps", "outline__n_low")
    rows = (
        MetricChunk.objects.filter(metric__in=metric_ids, **_steps_in(wish))
        .order_by("metric_id", "id")
        .values_list("metric_id", "id", bytes_of, *counted)
        .iterator(chunk_size=CHUNKS_AT_ONCE)
    )
    for metric_id, group in groupby(rows, key=itemgetter(0)):
        yield metric_id, [_part(pk, unpack(data), *counts) for _, pk, data, *counts in group]


def _part(chunk: int, points: Points, n_points: int, n_gaps: int, n_low: int) -> _Part:
    if len(points) == n_points:
        return _Part(chunk, points, NONE)
    shown = Count.of(np.asarray(points.values))
    return _Part(chunk, points, Count(n_points, n_gaps, n_low) + shown.times(-1))


def _inside(metric: Metric, part: _Part, wish: Wish) -> _Part | None:
    """The chunk with its share, if it reaches into the zoom."""
    x, _ = _columns(metric, part.points, wish, {})
    seen = part_of(x, wish.zoom or (-math.inf, math.inf))
    # A zoom between two points of an outline holds none of them.
    is_beside = seen.stop == 0 or seen.start == len(x)
    return None if is_beside else replace(part, share=(seen.stop - seen.start) / len(x))


def _fine(parts: Sequence[_Part], most: int) -> dict[int, Points]:
    """Chunk id -> all its points: of all these, or else of those which the zoom cuts, unless they
    are too many (1 query)."""
    rough = [part for part in parts if part.hidden.n_points]
    for asked in (rough, [part for part in rough if part.share < 1]):
        if asked and sum(part.n_points for part in asked) <= most:
            rows = MetricChunk.objects.filter(pk__in=[part.chunk for part in asked])
            return {pk: unpack(data) for pk, data in rows.values_list("id", "data")}
    return {}

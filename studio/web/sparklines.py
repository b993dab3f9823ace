"""The course of a metric as a line of the size of a word, drawn by the server."""

from collections.abc import Sequence

import numpy as np

from studio.metrics.chunks import SEALED_AT
from studio.metrics.curves import READ_WHOLE, SHORTEST, Wish, curves
from studio.metrics.models import NUMERIC, Metric
from studio.metrics.outlines import OUTLINE_POINTS
from studio.metrics.packing import Floats
from studio.metrics.thinning import downsample

# Two units are a pixel, so that whole numbers are fine enough; the edge is for the line's width.
WIDTH, HEIGHT, EDGE = 128, 32, 3
# A page may show hundreds of them.
MAX_POINTS = 32


def sparklines(metrics: Sequence[Metric]) -> dict[int, str]:
    """Metric id -> points of an SVG polyline, for numbers of which two or more are finite; the
    first metrics only, where all together have more points than one page may read (1 query, none
    without numbers)."""
    drawn = _affordable([one for one in metrics if one.kind in NUMERIC and one.n_points > 1])
    if not drawn:
        return {}
    found = curves(drawn, Wish(max_points=SHORTEST * len(drawn)))
    lines = {curve.metric.pk: polyline(curve.x, curve.y) for curve in found}
    return {pk: line for pk, line in lines.items() if line}


def _affordable(metrics: Sequence[Metric]) -> list[Metric]:
    """The first ones that can be read for READ_WHOLE points, full chunks by their outlines."""
    n_points, kept = 0, []
    for metric in metrics:
        n_full, n_more = divmod(metric.n_points, SEALED_AT)
        n_points += n_full * OUTLINE_POINTS + n_more
        if n_points > READ_WHOLE:
            break
        kept.append(metric)
    return kept


def polyline(x: Floats, y: Floats) -> str:
    """The finite points of a line, x ascending, from edge to edge of the drawing; "" for fewer
    than two. It runs through gaps, and a line that never changes in the middle."""
    finite = np.isfinite(y)
    x, y = x[finite], y[finite]
    if len(y) < 2:
        return ""
    if x[0] == x[-1]:
        x = np.arange(len(y), dtype=np.float64)
    kept = downsample(x, y, MAX_POINTS)
    across = EDGE + _shares(x[kept]) * (WIDTH - 2 * EDGE)
    down = HEIGHT - EDGE - _shares(y[kept]) * (HEIGHT - 2 * EDGE)
    pairs = zip(np.rint(across).astype(int), np.rint(down).astype(int), strict=True)
    return " ".join(f"{i},{j}" for i, j in pairs)


def _shares(values: Floats) -> Floats:
    """Each value as a share of the way from the least to the greatest; 0.5 when all are one."""
    # Halves: the whole way between two doubles may be more than a double holds.
    halves = values / 2
    low, high = halves.min(), halves.max()
    way = high - low
    return np.full(len(values), 0.5) if way == 0 else (halves - low) / way

"""Thinning a series for a chart: fewer points that draw the same line. Pure."""

from itertools import pairwise

import numpy as np

from studio.metrics.packing import Floats, Ints

# Two buckets of four points.
FEWEST = 8


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
    across = x.astype(np.float64, copy=False)
    edges = np.linspace(across[0], across[-1], max(2, n // 4), endpoint=False)
    starts = np.unique(np.searchsorted(across, edges))
    kept = []
    for start, stop in pairwise([*starts.tolist(), len(y)]):
        bucket = y[start:stop]
        kept += [start, start + int(bucket.argmin()), start + int(bucket.argmax()), stop - 1]
    return np.unique(np.array(kept))

"""Smoothing of a series: an exponential moving average that minds the gaps. Pure."""

import numpy as np

from studio.metrics.packing import Floats

# What is left of a value that has been multiplied by less than this is below double precision.
NOTHING = 1e-17


def ema(x: Floats, y: Floats, weight: float) -> Floats:
    """`y` smoothed over ascending `x`; both have length n, values that are not finite stay as is.

    s[0] = y[0]; s[i] = w s[i-1] + (1 - w) y[i] with w = weight ** (gap before i / usual gap): after
    a long gap less of the past is left. `weight` is 0 (as is) to below 1. A point at the x of the
    one before counts as one usual gap later.
    """
    finite = np.isfinite(y)
    if weight <= 0 or int(finite.sum()) < 2:
        return y
    smoothed = y.astype(np.float64, copy=True)
    smoothed[finite] = _scan(_weights(x[finite], weight), y[finite])
    return smoothed


def _weights(x: Floats, weight: float) -> Floats:
    """w for each point; the first one forgets all that came before it."""
    gaps = np.diff(x.astype(np.float64))
    ahead = gaps[gaps > 0]
    usual = float(np.median(ahead)) if len(ahead) else 1.0
    gaps = np.where(gaps > 0, gaps / usual, 1.0)
    return np.concatenate([[0.0], weight**gaps])


def _scan(w: Floats, y: Floats) -> Floats:
    """The recurrence by doubling (Hillis and Steele): as many passes as the memory is long."""
    left, total = w, (1.0 - w) * y
    reach = 1
    while reach < len(y) and left.max() > NOTHING:
        before, share = total, left
        total, left = before.copy(), np.zeros_like(share)
        total[reach:] += share[reach:] * before[:-reach]
        left[reach:] = share[reach:] * share[:-reach]
        reach *= 2
    return total

"""The curves of an accuracy table: each class against the rest, and averages of classes. Pure.

A row [TP, FP, TN, FN] counts what one threshold makes of all samples.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Counts = Sequence[Sequence[float]]
Floats = npt.NDArray[np.float64]
N_BINS = 10


@dataclass(frozen=True, slots=True)
class Curve:
    """Points from the strictest to the laxest threshold, x ascending, and the area under them."""

    x: list[float]
    y: list[float]
    area: float = 0.0


Make = Callable[[Counts], Curve]


def roc_curve(counts: Counts) -> Curve:
    """False against true positive rate, from (0, 0) to (1, 1); area by trapezoids."""
    return _rising((_ratio(fp, fp + tn), _ratio(tp, tp + fn)) for tp, fp, tn, fn in counts)


def gains_curve(counts: Counts) -> Curve:
    """The share of samples called positive against the share of the positives among them, from
    (0, 0) to (1, 1); area by trapezoids."""
    rows = ((tp + fp, tp, tp + fn, tp + fp + tn + fn) for tp, fp, tn, fn in counts)
    return _rising((_ratio(called, n), _ratio(tp, own)) for called, tp, own, n in rows)


def lift_of(gains: Curve) -> Curve:
    """How many times more positives there are among those called than among all samples."""
    points = [(x, y / x) for x, y in zip(gains.x, gains.y, strict=True) if x > 0]
    return Curve([x for x, _ in points], [y for _, y in points])


def precision_recall_curve(counts: Counts) -> Curve:
    """Recall against precision, from (0, 1); a step of recall has the precision at its end.

    Area = average precision, the sum of dR times P.
    """
    # Fewer called positive = stricter; of equal ones the row with more hits comes later.
    rows = sorted({(tp + fp, tp, tp + fn) for tp, fp, _, fn in counts if tp + fp})
    x, y = [0.0], [1.0]
    area = 0.0
    for called, hits, positives in rows:
        recall, precision = _ratio(hits, positives), hits / called
        area += (recall - x[-1]) * precision
        x.append(recall)
        y.append(precision)
    return Curve(x, y, area)


def calibration_curve(counts: Counts, thresholds: Sequence[float]) -> Curve:
    """Mean score against the share of positives, in tenths of the scores.

    A score is known to lie between two thresholds, and is taken for their middle. Empty when the
    thresholds are no probabilities or the counts do not fall with them.
    """
    order = np.argsort(thresholds, kind="stable")
    cuts = np.asarray(thresholds, np.float64)[order]
    rows = np.asarray(counts, np.float64)[order]
    if len(cuts) < 2 or cuts[0] < 0 or cuts[-1] > 1:
        return Curve([], [])
    called = np.append(rows[:, 0] + rows[:, 1], 0.0)
    n, hits = -np.diff(called), -np.diff(np.append(rows[:, 0], 0.0))
    if (n < 0).any() or (hits < 0).any():
        return Curve([], [])
    above = min(1.0, 2 * cuts[-1] - cuts[-2])
    middle = (cuts + np.append(cuts[1:], above)) / 2
    bins = np.minimum((middle * N_BINS).astype(int), N_BINS - 1)
    total, own, score = (np.bincount(bins, part, N_BINS) for part in (n, hits, n * middle))
    filled = total > 0
    x, y = score[filled] / total[filled], own[filled] / total[filled]
    return Curve(x.tolist(), y.tolist())


def average(curves: Sequence[Curve], weights: Sequence[float]) -> Curve:
    """The weighted mean of rising curves at every x of theirs; its area is the mean of areas."""
    share = np.asarray(weights, np.float64) / sum(weights)
    grid = np.unique(np.concatenate([curve.x for curve in curves]))
    # Where a curve jumps it has two values: both are kept, so that no area is lost.
    sides = [_sides(np.asarray(curve.x), np.asarray(curve.y), grid) for curve in curves]
    y = np.tensordot(share, np.stack(sides), axes=1)
    x = np.repeat(grid, 2)
    kept = np.append(True, (np.diff(x) > 0) | (np.diff(y) > 0))
    area = float(share @ [curve.area for curve in curves])
    return Curve(x[kept].tolist(), y[kept].tolist(), area)


def _sides(x: Floats, y: Floats, grid: Floats) -> Floats:
    """The values just before and just after each place of the grid, one after the other."""
    first, behind = np.searchsorted(x, grid, "left"), np.searchsorted(x, grid, "right")
    own, between = behind > first, np.interp(grid, x, y)
    before = np.where(own, y[np.minimum(first, len(x) - 1)], between)
    after = np.where(own, y[behind - 1], between)
    return np.stack([before, after], axis=1).ravel()


def average_precision_recall(curves: Sequence[Curve], weights: Sequence[float]) -> Curve:
    """The weighted mean of the precisions at every recall that all of them reach."""
    share = np.asarray(weights, np.float64) / sum(weights)
    grid = np.unique(np.concatenate([curve.x for curve in curves]))
    grid = grid[(grid > 0) & (grid <= min(curve.x[-1] for curve in curves))]
    at = (np.asarray(c.y)[np.searchsorted(c.x, grid, "left")] for c in curves)
    y = sum(part * values for part, values in zip(share, at, strict=True))
    area = float(share @ [curve.area for curve in curves])
    return Curve([0.0, *grid.tolist()], [1.0, *np.asarray(y).tolist()], area)


def together(tables: Sequence[Counts]) -> list[list[float]]:
    """All classes as one (micro average): their counts added up, threshold by threshold."""
    return [
        [sum(column) for column in zip(*rows, strict=True)] for rows in zip(*tables, strict=True)
    ]


def _rising(points: Iterable[tuple[float, float]]) -> Curve:
    x, y = zip(*sorted({*points, (0.0, 0.0), (1.0, 1.0)}), strict=True)
    return Curve(list(x), list(y), float(np.trapezoid(y, x)))


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0

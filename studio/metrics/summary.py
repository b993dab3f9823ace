"""What the points of one series say about their metric: last, min, max. Pure, plain lists.

Lists beat arrays here: most series of a batch hold one point, and they come out of JSON as lists.
"""

import json
import math
import unicodedata
from dataclasses import dataclass
from typing import Any

from studio.metrics.models import NUMERIC, Metric

MAX_STEP = 2**63 - 1
MAX_CELL = 200


@dataclass(slots=True)
class Series:
    """The points one batch brings for one metric, in the order they came."""

    name: str
    kind: str
    steps: list[int]
    times: list[float]
    values: list[Any]


def add_to(metric: Metric, series: Series) -> None:
    """Bring the summary columns of `metric` up to date with new points (not saved)."""
    steps = series.steps
    metric.n_points += len(steps)
    top = last_index(series)
    metric.next_step = max(metric.next_step, min(steps[top] + 1, MAX_STEP))
    newest, value = (steps[top], series.times[top]), series.values[top]
    known = (metric.last_step, metric.last_at or 0.0)
    if metric.last_step is None or newest > known or (newest == known and _tops(value, metric)):
        metric.last_step, metric.last_at = newest
        _set_last(metric, value)
    if metric.kind in NUMERIC:
        _extend_range(metric, series)


def last_index(series: Series) -> int:
    """Where the greatest (step, time, value) is; values that are no numbers are alike, and of
    equals the one that came last counts."""
    steps, times, values = series.steps, series.times, series.values
    n = len(steps)
    top = max(steps)
    if steps[-1] == top and (n == 1 or steps[-2] != top) and steps.index(top) == n - 1:
        return n - 1
    ranks = values if series.kind in NUMERIC else [0.0] * n
    return max(
        (i for i, step in enumerate(steps) if step == top),
        key=lambda i: (times[i], _rank(ranks[i]), i),
    )


def _rank(value: float) -> float:
    """NaN is below all numbers."""
    return -math.inf if math.isnan(value) else value


def _tops(value: Any, metric: Metric) -> bool:
    """Whether a value of the same step and time takes the place of the last one."""
    if metric.kind not in NUMERIC:
        return True
    last = metric.last if metric.last is not None else float(metric.last_text or "nan")
    return _rank(value) >= _rank(last)


def _set_last(metric: Metric, value: Any) -> None:
    if metric.kind not in NUMERIC:
        metric.last, metric.last_text = None, cell_text(value)
    elif math.isfinite(value):
        metric.last, metric.last_text = value, ""
    else:
        word = "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        metric.last, metric.last_text = None, word


def _extend_range(metric: Metric, series: Series) -> None:
    """Min and max over finite values; of equal values the first one's step stays."""
    values, steps = series.values, series.steps
    if not math.isfinite(sum(values)):
        finite = [i for i, value in enumerate(values) if math.isfinite(value)]
        if not finite:
            return
        values, steps = [values[i] for i in finite], [steps[i] for i in finite]
    low, high = min(values), max(values)
    if metric.min is None or low < metric.min:
        metric.min, metric.min_step = low, steps[values.index(low)]
    if metric.max is None or high > metric.max:
        metric.max, metric.max_step = high, steps[values.index(high)]


def cell_text(value: Any) -> str:
    """What a table cell shows of a value that is no number, at most 200 characters, in the form
    that texts are searched in (NFC)."""
    if isinstance(value, dict):
        value = value.get("path") or value.get("schema_type") or value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = unicodedata.normalize("NFC", text)
    return text if len(text) <= MAX_CELL else text[: MAX_CELL - 1] + "…"

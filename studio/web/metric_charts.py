"""The figures of one metric of one run: reads its points, thins them, says what was left out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from studio.metrics.models import NUMERIC, Kind, Metric
from studio.metrics.packing import Floats, Points
from studio.metrics.series import MAX_POINTS, downsample, points_of
from studio.metrics.smoothing import ema
from studio.runs.models import Run
from studio.web import document_figures, figures
from studio.web.chart_state import AXES, ChartState
from studio.web.figures import Figure, Trace
from studio.web.formats import number

# Kind -> (key, title) of its charts.
VARIANTS: dict[str, tuple[tuple[str, str], ...]] = {
    Kind.ACCURACY_TABLE: (("roc", "ROC"), ("pr", "Precision-recall")),
}
# A zoom reads a little more on either side, so that lines run to the edges of the chart.
ZOOM_MARGIN = 0.05
FIRST_MOMENT = datetime(1, 1, 2, tzinfo=UTC).timestamp()
LAST_MOMENT = datetime(9999, 12, 30, tzinfo=UTC).timestamp()
Bounds = tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure and what is said about it; `figure` is None for kinds that are only a table."""

    figure: Figure | None
    badge: str = ""
    is_thinned: bool = False


def chart_of(
    run: Run,
    metric: Metric,
    state: ChartState,
    *,
    variant: str = "",
    bounds: Bounds = (None, None),
) -> Chart:
    """The chart of a metric as `state` wants it, `bounds` in units of the x axis (1 query)."""
    points = points_of(metric)
    if metric.kind in NUMERIC:
        return _line_chart(run, metric, points, state, bounds)
    if not len(points):
        return Chart(None)
    values = list(points.values)
    if metric.kind == Kind.TABLE:
        return Chart(figures.table(values, slot=run.colour))
    if metric.kind in {Kind.TEXT, Kind.IMAGE}:
        return Chart(None)
    figure = _document(metric, values[-1]["data"], state, variant, run.colour)
    return Chart(figure, _which(points))


def _which(points: Points) -> str:
    n = len(points)
    return f"The last of {n:,}, step {points.steps[-1]}" if n > 1 else ""


def _document(
    metric: Metric, data: dict[str, Any], state: ChartState, variant: str, slot: int
) -> Figure:
    if metric.kind == Kind.CONFUSION_MATRIX:
        return document_figures.confusion_matrix(data, normalised=not state.raw)
    if metric.kind == Kind.ACCURACY_TABLE:
        return document_figures.accuracy_table(data, curve=variant or "roc")
    if metric.kind == Kind.RESIDUALS:
        return document_figures.residuals(data, slot=slot)
    return document_figures.predictions(data, slot=slot)


def _line_chart(
    run: Run, metric: Metric, points: Points, state: ChartState, bounds: Bounds
) -> Chart:
    x, y = _columns(run, points, state.x)
    smooth = ema(x, y, state.smooth)
    inside = _inside(x, bounds)
    x, y, smooth = x[inside], y[inside], smooth[inside]
    kept = downsample(x, y, MAX_POINTS)
    traces = [_trace(metric.name, x, y, kept, state, run.colour)]
    if state.smooth:
        faint = _trace(metric.name, x, y, kept, state, run.colour, role="faint")
        smooth_kept = downsample(x, smooth, MAX_POINTS)
        traces = [faint, _trace(metric.name, x, smooth, smooth_kept, state, run.colour)]
    label = (
        "Time (UTC)"
        if state.x == "time"
        else AXES[state.x] + (" (s)" if state.x == "relative" else "")
    )
    figure = figures.lines(traces, x_label=label, log_y=state.log)
    is_thinned = len(kept) < len(y)
    return Chart(figure, badge_of(y, n_shown=len(kept), log=state.log), is_thinned)


def _columns(run: Run, points: Points, axis: str) -> tuple[Floats, Floats]:
    """x ascending, and y. Times are seconds: since the epoch, or since the run's start."""
    y = np.asarray(points.values, np.float64)
    if axis == "step":
        return points.steps.astype(np.float64), y
    order = np.argsort(points.times, kind="stable")
    x, y = points.times[order], y[order]
    if axis == "relative":
        started_at = run.started_at or run.created_at
        x = x - started_at.timestamp()
    return x, y


def _inside(x: Floats, bounds: Bounds) -> slice:
    low, high = bounds
    width = high - low if low is not None and high is not None else 0.0
    first = 0 if low is None else int(np.searchsorted(x, low - ZOOM_MARGIN * width, "left"))
    last = len(x) if high is None else int(np.searchsorted(x, high + ZOOM_MARGIN * width, "right"))
    return slice(first, max(first, last))


def _trace(
    name: str,
    x: Floats,
    y: Floats,
    kept: Any,
    state: ChartState,
    slot: int,
    *,
    role: str = "line",
) -> Trace:
    shown = x[kept].tolist()
    return Trace(
        name, iso_times(shown) if state.x == "time" else shown, y[kept].tolist(), slot, role
    )


def iso_times(times: Sequence[float]) -> list[str]:
    """Epoch seconds as UTC moments; those beyond the calendar stay at its ends."""
    bounded = (min(max(t, FIRST_MOMENT), LAST_MOMENT) for t in times)
    return [f"{datetime.fromtimestamp(t, UTC):%Y-%m-%d %H:%M:%S.%f}" for t in bounded]


def badge_of(y: Floats, *, n_shown: int, log: bool) -> str:
    """What the line does not show: thinned points, gaps, values a log axis has no place for."""
    said = []
    if n_shown < len(y):
        said.append(f"{n_shown:,} of {len(y):,} points, min/max kept")
    elif len(y):
        said.append(f"{len(y):,} point{'' if len(y) == 1 else 's'}")
    if n_gaps := int((~np.isfinite(y)).sum()):
        said.append(f"{n_gaps:,} NaN or infinite")
    if log and (n_low := int((y <= 0).sum())):
        said.append(f"{n_low:,} not above 0 left out")
    return " · ".join(said)


def label_of(metric: Metric) -> str:
    """The chart in one sentence, for those who cannot see it."""
    if metric.kind not in NUMERIC or metric.last_step is None:
        return f"Chart of {metric.name}"
    text = f"Chart of {metric.name}: {metric.n_points:,} points, last {last_of(metric)}"
    if metric.min is not None and metric.max is not None:
        text += f", from {number(metric.min)} to {number(metric.max)}"
    return text


def last_of(metric: Metric) -> str:
    return metric.last_text or number(metric.last)

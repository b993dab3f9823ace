"""The figures of one metric of one run: reads its points, thins them, says what was left out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from studio.metrics.curves import Curve, Line, Wish, curves
from studio.metrics.models import NUMERIC, Kind, Metric
from studio.metrics.outlines import Count
from studio.metrics.packing import Floats, Points
from studio.metrics.series import points_of
from studio.runs.models import Run
from studio.web import document_figures, figures
from studio.web.chart_state import AXES, ChartState
from studio.web.figures import Figure, Trace, Xs
from studio.web.formats import number

# Kind -> (key, title) of its charts.
VARIANTS: dict[str, tuple[tuple[str, str], ...]] = {
    Kind.ACCURACY_TABLE: (("roc", "ROC"), ("pr", "Precision-recall")),
}
# Of a line.
MAX_POINTS = 2_000
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
    """The chart of a metric as `state` wants it, `bounds` in units of the x axis (1 query, and 1
    more for a part of many points)."""
    if metric.kind in NUMERIC:
        return _line_chart(run, metric, state, bounds)
    points = points_of(metric)
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


def _line_chart(run: Run, metric: Metric, state: ChartState, bounds: Bounds) -> Chart:
    (curve,) = curves([metric], _wish(run, state, bounds))
    traces = [_trace(metric.name, curve, state, run.colour)]
    if curve.smooth is not None:
        faint = replace(traces[0], role="faint")
        traces = [faint, _trace(metric.name, curve.smooth, state, run.colour)]
    label = (
        "Time (UTC)"
        if state.x == "time"
        else AXES[state.x] + (" (s)" if state.x == "relative" else "")
    )
    figure = figures.lines(traces, x_label=label, log_y=state.log)
    return Chart(figure, badge_of(curve, log=state.log), curve.is_thinned)


def _wish(run: Run, state: ChartState, bounds: Bounds) -> Wish:
    low, high = bounds
    return Wish(
        axis=state.x,  # type: ignore[arg-type]
        zoom=None
        if low is None and high is None
        else (-math.inf if low is None else low, math.inf if high is None else high),
        smooth=state.smooth,
        is_timed=True,
        is_whole=bool(state.smooth),
        starts={run.pk: (run.started_at or run.created_at).timestamp()},
        max_points=MAX_POINTS,
    )


def _trace(name: str, line: Curve | Line, state: ChartState, slot: int) -> Trace:
    return Trace(name, xs_of(line.x, state.x), line.y.tolist(), slot)


def xs_of(x: Floats, axis: str) -> Xs:
    """x as a figure wants them: numbers, or moments on an axis of time."""
    shown = x.tolist()
    return iso_times(shown) if axis == "time" else shown


def iso_times(times: Sequence[float]) -> list[str]:
    """Epoch seconds as UTC moments; those beyond the calendar stay at its ends."""
    bounded = (min(max(t, FIRST_MOMENT), LAST_MOMENT) for t in times)
    return [f"{datetime.fromtimestamp(t, UTC):%Y-%m-%d %H:%M:%S.%f}" for t in bounded]


def badge_of(curve: Curve, *, log: bool) -> str:
    """How many points a line has, and what it does not show of them."""
    n, said = curve.count.n_points, left_out(curve.count, n_shown=len(curve.x), log=log)
    if n and not curve.is_thinned:
        said = [f"{n:,} point{'' if n == 1 else 's'}", *said]
    return " · ".join(said)


def left_out(count: Count, *, n_shown: int, log: bool) -> list[str]:
    """What lines do not show: thinned points, gaps, values a log axis has no place for."""
    said = []
    if n_shown < count.n_points:
        said.append(f"{n_shown:,} of {count.n_points:,} points, min/max kept")
    if count.n_gaps:
        said.append(f"{count.n_gaps:,} NaN or infinite")
    if log and count.n_low:
        said.append(f"{count.n_low:,} not above 0 left out")
    return said


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

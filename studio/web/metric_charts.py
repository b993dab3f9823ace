"""The figures of one metric of one run: reads its points, thins them, says what was left out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from studio.metrics.curves import Curve, Line, Wish, curves
from studio.metrics.models import NUMERIC, Kind, Metric
from studio.metrics.outlines import Count
from studio.metrics.packing import Floats, Points
from studio.metrics.series import points_of
from studio.metrics.thinning import downsample
from studio.runs.models import Run
from studio.web import accuracy_figures, document_figures, documents, figures, text_figures
from studio.web.chart_state import AXES, ChartState
from studio.web.figures import Figure, Trace, Xs
from studio.web.formats import number

# Kind -> (key, title) of its charts.
VARIANTS: dict[str, tuple[tuple[str, str], ...]] = {Kind.ACCURACY_TABLE: accuracy_figures.CHARTS}
# Of a line.
MAX_POINTS = 2_000
FIRST_MOMENT = datetime(1, 1, 2, tzinfo=UTC).timestamp()
LAST_MOMENT = datetime(9999, 12, 30, tzinfo=UTC).timestamp()
Bounds = tuple[float | None, float | None]


NO_NUMBERS = "No numbers to draw: see the table"


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure and what is said about it; `figure` is None when there is only a table."""

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
        return Chart(None, "No values yet")
    if metric.kind == Kind.TABLE:
        return _table_chart(run, metric, state, list(points.values))
    if metric.kind == Kind.TEXT:
        return _text_chart(run, points, state)
    if not documents.is_document(metric.kind):
        return Chart(None, NO_NUMBERS)
    document = list(points.values)[-1]
    if documents.problem_of(metric.kind, document):
        return Chart(None, "Not drawn, see below")
    data = document["data"]
    figure = _document(metric, data, state, variant, run.colour)
    if not figure["data"]:
        return Chart(None, NOT_CALIBRATED if variant == "calibration" else NO_NUMBERS)
    said = [_which(points)]
    if metric.kind == Kind.ACCURACY_TABLE:
        said.append(accuracy_figures.note_of(data))
    return Chart(figure, " · ".join(filter(None, said)))


NOT_CALIBRATED = "Its thresholds are no probabilities, so nothing can be said of calibration"


def _which(points: Points) -> str:
    n = len(points)
    return f"The last of {n:,}, step {points.steps[-1]}" if n > 1 else ""


def _document(
    metric: Metric, data: dict[str, Any], state: ChartState, variant: str, slot: int
) -> Figure:
    if metric.kind == Kind.CONFUSION_MATRIX:
        return document_figures.confusion_matrix(data, normalised=state.shares)
    if metric.kind == Kind.ACCURACY_TABLE:
        charts = dict(accuracy_figures.CHARTS)
        return accuracy_figures.accuracy_table(data, curve=variant if variant in charts else "roc")
    if metric.kind == Kind.RESIDUALS:
        return document_figures.residuals(data, slot=slot)
    return document_figures.predictions(data, slot=slot)


def _table_chart(run: Run, metric: Metric, state: ChartState, rows: list[dict[str, Any]]) -> Chart:
    columns = figures.numeric_columns(rows)
    if not columns:
        return Chart(None, NO_NUMBERS)
    x, y = figures.pair_of(columns, *state.pair_of(metric.name))
    heights = np.array([figures.numbers_of(rows, name) for name in (x, y)])
    kept = downsample(np.arange(len(rows)), heights[1], MAX_POINTS)
    shown = [rows[i] for i in kept]
    n_rows = f"{len(rows):,} row{'' if len(rows) == 1 else 's'}"
    is_thinned = len(shown) < len(rows)
    said = [f"{len(shown):,} of {n_rows}, min/max kept" if is_thinned else n_rows]
    n_gaps = int((~np.isfinite(heights)).any(axis=0).sum())
    said += [f"{n_gaps:,} without two finite numbers"] if n_gaps else []
    return Chart(figures.table(shown, (x, y), slot=run.colour), " · ".join(said))


def _text_chart(run: Run, points: Points, state: ChartState) -> Chart:
    start = (run.started_at or run.created_at).timestamp()
    steps = points.steps.astype(np.float64)
    x = {"step": steps, "time": points.times, "relative": points.times - start}[state.x]
    drawn = text_figures.texts(xs_of(x, state.x), list(points.values), slot=run.colour)
    if drawn is None:
        return Chart(None, "Too many different texts to draw: see the table")
    drawn["layout"]["xaxis"]["title"]["text"] = axis_label(state)
    if state.x != "step":
        set_clock(drawn, state.x, run)
    return Chart(drawn, f"{len(points):,} values")


def axis_label(state: ChartState) -> str:
    if state.x == "time":
        return "Time (UTC)"
    return AXES[state.x] + (" (s)" if state.x == "relative" else "")


def _line_chart(run: Run, metric: Metric, state: ChartState, bounds: Bounds) -> Chart:
    (curve,) = curves([metric], _wish(run, state, bounds))
    traces = [_trace(metric.name, curve, state, run.colour)]
    if curve.smooth is not None:
        faint = replace(traces[0], role="faint")
        traces = [faint, _trace(metric.name, curve.smooth, state, run.colour)]
    figure = figures.lines(traces, x_label=axis_label(state), log_y=state.log)
    figures.mark_gaps(figure, traces[0])
    set_clock(figure, state.x, run, curve.times)
    return Chart(figure, badge_of(curve, log=state.log), curve.is_thinned)


def set_clock(figure: Figure, axis: str, run: Run, times: Floats | None = None) -> None:
    """Tell the page which moment each place of the horizontal axis is (static/js/moments.js):
    `layout.meta.clock` has the axis, the start of the run in ms of Unix time and, for an axis of
    steps, how many ms after it each point of the first trace was logged."""
    start_ms = round((run.started_at or run.created_at).timestamp() * 1000)
    clock: dict[str, Any] = {"axis": axis, "start_ms": start_ms}
    if axis == "step":
        known = np.nan_to_num(np.empty(0) if times is None else times)
        bounded = np.clip(known, FIRST_MOMENT, LAST_MOMENT)
        clock["after_ms"] = np.rint(bounded * 1000 - start_ms).astype(np.int64).tolist()
    figure["layout"]["meta"] = {"clock": clock}


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

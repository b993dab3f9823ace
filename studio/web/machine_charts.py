"""What a chart of a machine draws, and its points as rows: for a page, and all of them as CSV."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from django.db.models import Min

from studio.metrics.curves import Axis, Curve, Wish, curves
from studio.metrics.models import MetricChunk
from studio.metrics.outlines import Count
from studio.metrics.packing import Floats, unpack
from studio.metrics.series import points_of_each
from studio.runs.models import Run
from studio.web import figures
from studio.web.figures import Trace
from studio.web.machines import NOTES, Host, Panel, heads_of
from studio.web.metric_charts import MAX_POINTS, Bounds, Chart, left_out, set_clock, xs_of
from studio.web.metric_tables import MAX_ROWS, Table, cell, csv_lines, moment

N_COLOURS = 12
AXES: dict[Axis, str] = {"time": "Time (UTC)", "relative": "Relative time (s)"}


def chart_of(run: Run, panel: Panel, axis: Axis, bounds: Bounds = (None, None)) -> Chart:
    """The lines of a panel, the run's own in the run's colour; `bounds` in units of the axis (1
    query, and 1 more for a part of many points)."""
    low, high = bounds
    wish = Wish(
        axis=axis,
        zoom=None
        if low is None and high is None
        else (-math.inf if low is None else low, math.inf if high is None else high),
        starts={run.pk: (run.started_at or run.created_at).timestamp()},
        max_points=MAX_POINTS * len(panel.lines),
    )
    found = curves([line.metric for line in panel.lines], wish)
    _, divisor = panel.scale
    traces = [
        Trace(
            line.words,
            xs_of(curve.x, axis),
            (curve.y * (line.factor / divisor)).tolist(),
            (run.colour + i) % N_COLOURS,
        )
        for i, (line, curve) in enumerate(zip(panel.lines, found, strict=True))
    ]
    figure = figures.lines(traces, x_label=AXES[axis], y_label=panel.scale[0])
    figure["layout"]["yaxis"] |= {"rangemode": "tozero", "hoverformat": ".4~g"}
    set_clock(figure, axis, run)
    return Chart(figure, _badge(panel, found), any(curve.is_thinned for curve in found))


def _badge(panel: Panel, found: Sequence[Curve]) -> str:
    count = sum((curve.count for curve in found), Count())
    said = left_out(count, n_shown=sum(len(curve.x) for curve in found), log=False)
    n = max((curve.count.n_points for curve in found), default=0)
    if not any(curve.is_thinned for curve in found):
        said = [f"{n:,} sample{'' if n == 1 else 's'}", *said]
    if panel.key in NOTES:
        said.append(NOTES[panel.key])
    if panel.n_left_out:
        said.append(f"{len(panel.lines)} of {len(panel.lines) + panel.n_left_out} lines shown")
    return " · ".join(said)


def begins_of(hosts: Sequence[Host]) -> dict[str, float]:
    """Name of a host -> when its first sample was taken, in epoch seconds (1 query): the first
    chunk of its metric of most points."""
    longest = {max(h.lines, key=lambda one: one.metric.n_points).metric.pk: h.name for h in hosts}
    of_them = MetricChunk.objects.filter(metric__in=longest).order_by().values("metric")
    firsts = MetricChunk.objects.filter(pk__in=of_them.annotate(first=Min("id")).values("first"))
    found = firsts.values_list("metric_id", "data")
    return {longest[metric]: float(unpack(data).times.min()) for metric, data in found}


def tables_of(panels: Sequence[Panel]) -> list[Table]:
    """The last samples of each panel, newest first, in the units of its chart (1 query)."""
    ids = [line.metric.pk for panel in panels for line in panel.lines]
    # One metric at a time: of a long run only the end is kept.
    lasts = {pk: _last(points.times, points.values) for pk, points in points_of_each(ids)}
    return [_table(panel, lasts) for panel in panels]


def _last(times: Floats, values: Floats | list[Any]) -> list[tuple[float, float]]:
    y = np.asarray(values, np.float64)
    order = np.argsort(times, kind="stable")[-MAX_ROWS:]
    return list(zip(times[order].tolist(), y[order].tolist(), strict=True))


def _table(panel: Panel, lasts: dict[int, list[tuple[float, float]]]) -> Table:
    _, divisor = panel.scale
    by_time: dict[float, list[float | None]] = {}
    for i, line in enumerate(panel.lines):
        for at, value in lasts.get(line.metric.pk, []):
            row = by_time.setdefault(at, [None] * len(panel.lines))
            row[i] = value * line.factor / divisor
    rows = [
        [cell(moment(at)), *map(cell, by_time[at])]
        for at in sorted(by_time, reverse=True)[:MAX_ROWS]
    ]
    n = max([len(by_time), *(line.metric.n_points for line in panel.lines)])
    return Table(["Time (UTC)", *heads_of(panel)], rows, n)


def csv_of(panel: Panel) -> Iterator[str]:
    """All samples by time as CSV text, a column for each metric under its whole name, the values
    as they were logged (1 query)."""
    names = [line.metric.name for line in panel.lines]
    place = {line.metric.pk: i for i, line in enumerate(panel.lines)}
    by_time: dict[float, list[float | None]] = {}
    for pk, points in points_of_each(place):
        values = np.asarray(points.values, np.float64).tolist()
        for at, value in zip(points.times.tolist(), values, strict=True):
            by_time.setdefault(at, [None] * len(names))[place[pk]] = value
    yield from csv_lines(["time", *names], ([moment(at), *by_time[at]] for at in sorted(by_time)))

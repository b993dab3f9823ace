"""Line charts of many runs above a list: one line for each metric of each run."""

from collections.abc import Sequence
from typing import Any

from studio.custom_views.charts import AXES, HIDDEN_DIGITS, ChartSpec
from studio.metrics.curves import Curve, Wish, curves
from studio.metrics.models import NUMERIC, Metric
from studio.metrics.outlines import Count
from studio.runs.models import Run
from studio.web import list_figures
from studio.web.charted_runs import NOTHING, Charted, Drawn, said_of, version_of
from studio.web.list_figures import Mark, RunLine
from studio.web.metric_charts import left_out, xs_of

# Points of all lines together.
MAX_POINTS = 40_000


def drawn_lines(some: Charted, chart: ChartSpec, seen: str) -> Drawn | None:
    """The figure, None while it is still the version `seen` (1 query and those of `curves`)."""
    names = list(dict.fromkeys(column.name for column in chart.y if column.family == "metric"))
    across = chart.x[0].name if chart.axis == "metric" and chart.x else ""
    rows = Metric.objects.filter(run__in=some.runs, name__in=[*names, across], kind__in=NUMERIC)
    by_run: dict[int, dict[str, Metric]] = {}
    for metric in rows:
        by_run.setdefault(metric.run_id, {})[metric.name] = metric
    version = _version(some.runs, by_run)
    if version == seen:
        return None
    runs = {run.pk: run for run in some.runs}
    asked = [
        by_run[run.pk][name]
        for run in some.runs
        for name in names
        if name in by_run.get(run.pk, {})
    ]
    found = curves(asked, _wish(chart, some.runs, by_run, across))
    lines = [line for curve in found for line in _run_lines(curve, runs, chart, names)]
    figure = list_figures.run_lines(
        lines,
        x_label=_across_label(chart),
        y_label=names[0] if len(names) == 1 else "",
        log_x=chart.log_x,
        log_y=chart.log_y,
        zoom_x=chart.zoom_x,
        zoom_y=chart.zoom_y or (_clipped(found) if chart.clip else None),
    )
    n_runs = len({curve.metric.run_id for curve in found if len(curve.x)})
    if not n_runs:
        figure = list_figures.nothing(NOTHING)
    return Drawn(
        figure,
        said_of(some, n_runs, more=_points_said(found, chart)),
        version,
        any(not run.is_terminal for run in some.runs),
        is_thinned=any(curve.is_thinned for curve in found),
        head=["Run", "Metric", "Points", "Last", "Min", "Max"],
        lines=lambda: [_summary(curve.metric, runs) for curve in found],
    )


def _version(runs: Sequence[Run], by_run: dict[int, dict[str, Metric]]) -> str:
    return version_of(
        [
            (
                run.pk,
                run.is_terminal,
                run.display_name,
                sorted((m.pk, m.n_points) for m in by_run.get(run.pk, {}).values()),
            )
            for run in runs
        ]
    )


def _wish(
    chart: ChartSpec, runs: Sequence[Run], by_run: dict[int, dict[str, Metric]], across: str
) -> Wish:
    return Wish(
        axis=chart.axis,  # type: ignore[arg-type]
        zoom=chart.zoom_x,
        smooth=chart.smooth,
        is_timed=chart.smoothing == "time",
        starts={run.pk: (run.started_at or run.created_at).timestamp() for run in runs},
        across={pk: held[across] for pk, held in by_run.items() if across in held},
        max_points=MAX_POINTS,
    )


def _across_label(chart: ChartSpec) -> str:
    if chart.axis == "metric":
        return chart.x[0].label
    words = {"relative": "Relative time (s)", "time": "Time (UTC)"}
    return words.get(chart.axis, AXES["step"])


def _run_lines(
    curve: Curve, runs: dict[int, Run], chart: ChartSpec, names: Sequence[str]
) -> list[RunLine]:
    """The line of a curve; smoothed, with the raw one faint behind it."""
    run = runs[curve.metric.run_id]
    mark = Mark(run.uid, run.display_name, run.colour)
    label = f"{run.display_name} · {curve.metric.name}" if len(names) > 1 else run.display_name
    more: dict[str, Any] = {
        "dash": names.index(curve.metric.name),
        "is_hidden": run.uid[:HIDDEN_DIGITS] in chart.hidden,
    }
    if curve.smooth is None:
        return [RunLine(mark, label, xs_of(curve.x, chart.axis), curve.y.tolist(), **more)]
    return [
        RunLine(mark, label, xs_of(curve.x, chart.axis), curve.y.tolist(), role="faint", **more),
        RunLine(mark, label, xs_of(curve.smooth.x, chart.axis), curve.smooth.y.tolist(), **more),
    ]


def _clipped(found: Sequence[Curve]) -> tuple[float, float] | None:
    shown = (curve.y if curve.smooth is None else curve.smooth.y for curve in found)
    return list_figures.fences([value for values in shown for value in values.tolist()])


def _points_said(found: Sequence[Curve], chart: ChartSpec) -> list[str]:
    """What the lines do not show."""
    count = sum((curve.count for curve in found), Count())
    said = left_out(count, n_shown=sum(len(curve.x) for curve in found), log=chart.log_y)
    if chart.clip and _clipped(found):
        said.append("outliers clipped")
    return said


def _summary(metric: Metric, runs: dict[int, Run]) -> list[Any]:
    last = metric.last_text or metric.last
    name = runs[metric.run_id].display_name
    return [name, metric.name, metric.n_points, last, metric.min, metric.max]

"""What a chart above a list draws of the values of its runs, and what is said about it."""

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from studio.custom_views.charts import KINDS, ChartSpec
from studio.runs.models import colour_of
from studio.runs.status import TERMINAL
from studio.search.column_values import Cell
from studio.search.columns import Column
from studio.search.printer import print_key
from studio.search.tree import Key
from studio.web import field_figures, list_figures
from studio.web.access import Request
from studio.web.charted_runs import NOTHING, Drawn, charted, measured, said_of, version_of
from studio.web.field_figures import Dimension
from studio.web.figures import Figure
from studio.web.list_figures import Mark, Value
from studio.web.metric_charts import iso_times
from studio.web.run_chart_lines import drawn_lines
from studio.web.run_rows import Listing

UNCHOSEN = "Choose what to draw"


def drawn(request: Request, listing: Listing, chart: ChartSpec, *, seen: str = "") -> Drawn | None:
    """The chart of a list; None while it is still the version `seen`.

    Queries: those of the list's page, one or two for the values, and those of `curves`.
    """
    if chart.missing:
        return Drawn(list_figures.nothing(UNCHOSEN), UNCHOSEN, "", False)
    if chart.kind == "line":
        return drawn_lines(charted(request, listing, chart.kind), chart, seen)
    columns = list(dict.fromkeys([*chart.x, *chart.y, *chart.z]))
    some = measured(request, listing, chart.kind, columns)
    runs = some.runs
    is_live = not set(runs.statuses) <= TERMINAL
    held = {column: _values(runs.values[column]) for column in columns}
    version = version_of(runs.uids, runs.names, is_live, *held.values())
    if version == seen:
        return None
    slots = map(colour_of, runs.uids)
    marks = list(map(Mark, runs.uids, runs.names, slots))
    figure, n_drawn = _FIGURES[chart.kind](marks, chart, held)
    if not n_drawn:
        figure = list_figures.nothing(NOTHING)

    def lines() -> list[list[Any]]:
        return list(map(list, zip(runs.names, *(held[column] for column in columns), strict=True)))

    head = ["Run", *(column.label for column in columns)]
    badge = said_of(some, n_drawn)
    return Drawn(figure, badge, version, is_live, head=head, lines=lines)


def _values(cells: Sequence[Cell]) -> list[Value]:
    """Cells as a chart takes them; few differ, in most columns."""
    known = {cell: _value(cell) for cell in set(cells)}
    return [known[cell] for cell in cells]


def _value(value: Cell) -> Value:
    """A cell as a chart takes it: numbers of parameters as numbers, moments as ISO times."""
    if isinstance(value, datetime):
        return iso_times([value.timestamp()])[0]
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return float(value) if math.isfinite(value) else None
    if not isinstance(value, str):
        return None
    try:
        number = float(value)
    except ValueError:
        return value or "(set)"
    return number if math.isfinite(number) else None


# What draws a value or more of each run. Each returns the figure and how many runs are in it.

Held = dict[Column, list[Value]]


def _n_drawn(*columns: Sequence[Value]) -> int:
    return sum(None not in values for values in zip(*columns, strict=True))


def _scatter(marks: Sequence[Mark], chart: ChartSpec, held: Held) -> tuple[Figure, int]:
    x, y = held[chart.x[0]], held[chart.y[0]]
    z = held[chart.z[0]] if chart.z else None
    labels = (chart.x[0].label, chart.y[0].label, chart.z[0].label if chart.z else "")
    figure = list_figures.scatter(
        marks,
        x,
        y,
        z,
        labels=labels,
        log_x=chart.log_x,
        log_y=chart.log_y,
        zoom_x=chart.zoom_x,
        zoom_y=chart.zoom_y,
        times=tuple(part[0].type == "time" for part in (chart.x, chart.y)),
        best=chart.best,
    )
    return figure, _n_drawn(x, y) if z is None else _n_drawn(x, y, z)


def _bars(marks: Sequence[Mark], chart: ChartSpec, held: Held) -> tuple[Figure, int]:
    columns = [(column.label, held[column]) for column in chart.y]
    n_drawn = sum(any(isinstance(v[i], float) for _, v in columns) for i in range(len(marks)))
    return list_figures.bars(marks, columns, log_y=chart.log_y, zoom=chart.zoom_x), n_drawn


def _boxes(marks: Sequence[Mark], chart: ChartSpec, held: Held) -> tuple[Figure, int]:
    y, by = held[chart.y[0]], held[chart.x[0]] if chart.x else None
    labels = (chart.y[0].label, chart.x[0].label if chart.x else "")
    figure = list_figures.boxes(marks, y, by, labels=labels, log_y=chart.log_y, zoom=chart.zoom_y)
    return figure, sum(isinstance(value, float) for value in y)


def _parallel(marks: Sequence[Mark], chart: ChartSpec, held: Held) -> tuple[Figure, int]:
    rows = zip(*(held[column] for column in chart.y), strict=True)
    kept = [i for i, row in enumerate(rows) if any(value is not None for value in row)]
    dimensions = []
    for column in chart.y:
        is_time, values = column.type == "time", [held[column][i] for i in kept]
        if is_time:
            values = list(map(_seconds, values))
        dimensions.append(
            Dimension(column.label, key_text(column), values, chart.log_y, is_time=is_time)
        )
    return field_figures.parallel([marks[i] for i in kept], dimensions), len(kept)


def _seconds(moment: Value) -> float | None:
    """Epoch seconds of an ISO time in UTC."""
    if not isinstance(moment, str):
        return None
    return datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()


def key_text(column: Column) -> str:
    """The key of conditions on a column; "" where there is none to ask."""
    if column.of or column.family in ("tags", "star", "description", "children"):
        return ""
    return print_key(Key(column.family, column.name, column.stat))


def _contour(marks: Sequence[Mark], chart: ChartSpec, held: Held) -> tuple[Figure, int]:
    x, y, z = (held[part[0]] for part in (chart.x, chart.y, chart.z))
    labels = (chart.x[0].label, chart.y[0].label, chart.z[0].label)
    figure = field_figures.contour(
        marks,
        x,
        y,
        z,
        labels=labels,
        log_x=chart.log_x,
        log_y=chart.log_y,
        zoom_x=chart.zoom_x,
        zoom_y=chart.zoom_y,
    )
    return figure, len(figure["data"][-1]["x"])


_FIGURES: dict[str, Callable[[Sequence[Mark], ChartSpec, Held], tuple[Figure, int]]] = {
    "scatter": _scatter,
    "bar": _bars,
    "box": _boxes,
    "parallel": _parallel,
    "contour": _contour,
}


def label_of(chart: ChartSpec, shown: Drawn) -> str:
    """The chart in one sentence, for those who cannot see it."""
    return f"{KINDS[chart.kind]} chart of {chart.label}: {shown.badge}"

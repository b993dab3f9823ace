"""Figures that draw many runs at once: lines, scatter, bars, boxes. Pure, as `figures`.

`customdata` holds the uid of each mark's run: a click on it leads there.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from studio.web.figures import Figure, axis, finite, template_words, words
from studio.web.formats import number

# A legend with more lines hides the chart: hovering a line names it.
MAX_LEGEND = 12
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
MAX_DOTS = 60
# Tukey's fences: outliers lie further than this many interquartile ranges from the quartiles.
FENCE = 3.0

Value = float | str | None


class Mark(NamedTuple):
    """A run in a chart: its uid, its name, and the slot of its colour."""

    uid: str
    name: str
    slot: int


@dataclass(frozen=True, slots=True)
class RunLine:
    """One metric of one run; x and y of equal length, x numbers or ISO times. role: as in
    `figures`; dash: which of DASHES; is_hidden: in the legend only."""

    mark: Mark
    label: str
    x: Sequence[float] | Sequence[str]
    y: Sequence[float]
    role: str = "line"
    dash: int = 0
    is_hidden: bool = False


def run_lines(lines: Sequence[RunLine], *, x_label: str, y_label: str, **axes: Any) -> Figure:
    """A line for each run and metric. axes: log_x, log_y, and the ranges zoom_x, zoom_y."""
    shown = [line for line in lines if line.role != "faint"]
    is_time = any(isinstance(x, str) for line in lines for x in line.x[:1])
    zoom_x = axes.get("zoom_x")
    layout = {
        "xaxis": dated(x_label, zoom=zoom_x)
        if is_time
        else scale(x_label, log=axes.get("log_x", False), zoom=zoom_x),
        "yaxis": scale(y_label, log=axes.get("log_y", False), zoom=axes.get("zoom_y")),
        "showlegend": 1 < len(shown) <= MAX_LEGEND,
        "hovermode": "closest" if len(shown) > MAX_LEGEND else "x",
    }
    return {"data": [_line(line) for line in lines], "layout": layout}


def _line(line: RunLine) -> dict[str, Any]:
    is_faint, first = line.role == "faint", next(iter(line.x), 0.0)
    dots = len(line.x) <= MAX_DOTS and not is_faint
    return {
        "type": "scatter",
        "mode": "lines+markers" if dots else "lines",
        "name": words(line.label),
        "legendgroup": line.mark.uid,
        "uid": f"{line.mark.uid}-{line.dash}-{line.role}",
        "x": list(line.x) if isinstance(first, str) else finite(map(float, line.x)),
        "y": finite(map(float, line.y)),
        "visible": "legendonly" if line.is_hidden else True,
        "line": {"dash": DASHES[line.dash % len(DASHES)]},
        "meta": {"slot": line.mark.slot, "role": line.role, "uid": line.mark.uid},
        "connectgaps": False,
        "showlegend": not is_faint,
        "hoverinfo": "skip" if is_faint else "all",
        "hovertemplate": None if is_faint else f"%{{y}}<extra>{template_words(line.label)}</extra>",
    }


def scale(label: str, *, log: bool = False, zoom: tuple[float, float] | None = None) -> Figure:
    """An axis; `zoom` in units of the values, also of a logarithmic one."""
    made = axis(label, type="log" if log else "linear")
    if zoom is not None and (not log or zoom[0] > 0):
        made["range"] = [math.log10(end) for end in zoom] if log else list(zoom)
    return made


def dated(label: str, *, zoom: tuple[float, float] | None = None) -> Figure:
    """An axis of moments; `zoom` in epoch seconds."""
    made = axis(label, type="date")
    if zoom is not None:
        made["range"] = [1000 * end for end in zoom]
    return made


def nothing(text: str) -> Figure:
    """A figure that says why there is none."""
    note = {"text": words(text), "showarrow": False, "xref": "paper", "yref": "paper"}
    hidden = {"visible": False, "fixedrange": True}
    layout = {"xaxis": hidden, "yaxis": hidden, "annotations": [{**note, "x": 0.5, "y": 0.5}]}
    return {"data": [], "layout": layout}


def scatter(
    marks: Sequence[Mark],
    x: Sequence[Value],
    y: Sequence[Value],
    z: Sequence[Value] | None,
    *,
    labels: tuple[str, str, str],
    **axes: Any,
) -> Figure:
    """A dot for each run that has x, y and z; `z` colours them by number, else each by its run.

    axes: as of `run_lines`, times: whether x and y are ISO times, and best: "min" or "max" draws
    a line of the least or greatest y so far.
    """
    axes_of = (x, y) if z is None else (x, y, z)
    kept = [i for i in range(len(marks)) if all(drawable(values[i]) for values in axes_of)]
    trace: dict[str, Any] = {
        "type": "scatter",
        "mode": "markers",
        "x": [_place(x[i]) for i in kept],
        "y": [_place(y[i]) for i in kept],
        "customdata": [marks[i].uid for i in kept],
        "text": [words(marks[i].name) for i in kept],
        "meta": {"slot": 0, "role": "dots", "slots": [marks[i].slot for i in kept]},
        "showlegend": False,
        "hovertemplate": _hover(labels, with_z=z is not None),
    }
    if z is not None:
        colours = [z[i] if isinstance(z[i], int | float) and drawable(z[i]) else None for i in kept]
        trace["marker"] = {"color": colours}
        trace["meta"] = {"slot": 0, "role": "graded"}
    layout = {
        **{
            f"{name}axis": dated(label, zoom=axes.get(f"zoom_{name}"))
            if is_time
            else _value_axis(
                label, trace[name], axes.get(f"log_{name}", False), axes.get(f"zoom_{name}")
            )
            for name, label, is_time in zip(
                "xy", labels, axes.get("times", (False, False)), strict=False
            )
        },
        "hovermode": "closest",
        "showlegend": False,
        "meta": {"scale": None if z is None else scale_legend(labels[2], trace["marker"]["color"])},
    }
    path = _best_so_far(trace["x"], trace["y"], axes.get("best", ""))
    return {"data": [trace, *path], "layout": layout}


def _best_so_far(x: Sequence[Value], y: Sequence[Value], best: str) -> list[Figure]:
    """The steps of the least or greatest y from left to right; none of words."""
    heights = [value for value in y if isinstance(value, int | float)]
    if not best or len(heights) < len(y):
        return []
    dots = sorted(zip(x, heights, strict=True), key=lambda dot: (isinstance(dot[0], str), dot[0]))
    better = np.minimum if best == "min" else np.maximum
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "x": [place for place, _ in dots],
            "y": better.accumulate([height for _, height in dots]).tolist() if dots else [],
            "line": {"shape": "hv"},
            "meta": {"slot": 0, "role": "best"},
            "hovertemplate": "best so far %{y}<extra></extra>",
            "showlegend": False,
        }
    ]


def _place(value: Value) -> Value:
    """A value as an axis of words writes it."""
    return words(value) if isinstance(value, str) else value


def scale_legend(label: str, values: Sequence[float | None]) -> dict[str, str] | None:
    """What the lightest and the darkest colour mean; None where nothing is coloured."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    return {"label": label, "low": number(min(known)), "high": number(max(known))}


def _hover(labels: tuple[str, str, str], *, with_z: bool) -> str:
    x, y, z = map(template_words, labels)
    shade = f"<br>{z} %{{marker.color}}" if with_z else ""
    return f"%{{text}}<br>{x} %{{x}}<br>{y} %{{y}}{shade}<extra></extra>"


def _value_axis(
    label: str, values: Sequence[Value], log: bool, zoom: tuple[float, float] | None
) -> Figure:
    """An axis of numbers, or of words in the order of the alphabet."""
    if any(isinstance(value, str) for value in values):
        shown = {} if zoom is None else {"range": list(zoom)}
        return axis(label, type="category", categoryorder="category ascending", **shown)
    return scale(label, log=log, zoom=zoom)


def drawable(value: Value) -> bool:
    """Whether a value has a place on an axis: a word or a finite number."""
    if isinstance(value, str):
        return True
    return value is not None and math.isfinite(value)


def bars(
    marks: Sequence[Mark],
    columns: Sequence[tuple[str, Sequence[Value]]],
    *,
    log_y: bool = False,
    zoom: tuple[float, float] | None = None,
) -> Figure:
    """A group of bars for each column, a bar for each run, in the order of the list, from the top.

    One column draws each run in its own colour, several each column in its own. `zoom` is of the
    values.
    """
    names = _distinct([mark.name for mark in marks])
    data = [
        {
            "type": "bar",
            "orientation": "h",
            "name": words(label),
            "y": list(range(len(marks))),
            "x": [
                value if isinstance(value, int | float) and drawable(value) else None
                for value in values
            ],
            "customdata": [mark.uid for mark in marks],
            "text": [words(mark.name) for mark in marks],
            "textposition": "none",
            "meta": {"slot": index, "role": "bars"}
            | ({"slots": [mark.slot for mark in marks]} if len(columns) == 1 else {}),
            "hovertemplate": f"%{{text}}<br>{template_words(label)} %{{x}}<extra></extra>",
        }
        for index, (label, values) in enumerate(columns)
    ]
    ticks = {"tickvals": list(range(len(marks))), "ticktext": [words(name) for name in names]}
    label = columns[0][0] if len(columns) == 1 else ""
    layout = {
        "xaxis": scale(label, log=log_y, zoom=zoom),
        "yaxis": axis("", range=[len(marks) - 0.5, -0.5], showgrid=False, fixedrange=True, **ticks),
        "barmode": "group",
        "bargap": 0.25,
        "hovermode": "closest",
        "showlegend": len(columns) > 1,
    }
    return {"data": data, "layout": layout}


def _distinct(names: Sequence[str]) -> list[str]:
    """Names cut to what an axis has room for."""
    return [name if len(name) <= 24 else name[:23] + "…" for name in names]


def boxes(
    marks: Sequence[Mark],
    y: Sequence[Value],
    by: Sequence[Value] | None,
    *,
    labels: tuple[str, str],
    log_y: bool = False,
    zoom: tuple[float, float] | None = None,
) -> Figure:
    """A box over the runs of each value in `by`, one over all without it; quartiles by linear
    interpolation, whiskers to the furthest run within 1.5 interquartile ranges."""
    groups: dict[str, list[int]] = {}
    for i, value in enumerate(y):
        if isinstance(value, int | float) and drawable(value):
            own = "all" if by is None else "none" if by[i] is None else _text(by[i])
            groups.setdefault(own, []).append(i)
    data = [
        {
            "type": "box",
            "name": words(name),
            "y": [y[i] for i in members],
            "customdata": [marks[i].uid for i in members],
            "text": [words(marks[i].name) for i in members],
            "boxpoints": "all" if len(members) <= MAX_DOTS else "outliers",
            "jitter": 0.4,
            "pointpos": 0,
            "meta": {"slot": index % 12, "role": "box"},
            "hovertemplate": "%{text}<br>%{y}<extra></extra>",
        }
        for index, (name, members) in enumerate(sorted(groups.items(), key=lambda g: _order(g[0])))
    ]
    layout = {
        "xaxis": axis(labels[1] if by is not None else "", type="category", fixedrange=True),
        "yaxis": scale(labels[0], log=log_y, zoom=zoom),
        "showlegend": False,
        "hovermode": "closest",
    }
    return {"data": data, "layout": layout}


def _text(value: Value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _order(name: str) -> tuple[int, float, str]:
    """Numbers by size, then words, then those without a value."""
    try:
        number = float(name)
    except ValueError:
        number = math.nan
    if math.isfinite(number):
        return (0, number, name)
    return (2 if name == "none" else 1, 0.0, name)


def fences(values: Sequence[float]) -> tuple[float, float] | None:
    """The range outside which values are outliers (Tukey, 3 interquartile ranges); None where
    nothing lies outside, or the quartiles are equal."""
    array = np.asarray(values, np.float64)
    array = array[np.isfinite(array)]
    if len(array) < 4:
        return None
    low, high = np.quantile(array, (0.25, 0.75))
    reach = FENCE * (high - low)
    if reach <= 0:
        return None
    inside = array[(array >= low - reach) & (array <= high + reach)]
    if len(inside) == len(array):
        return None
    margin = 0.05 * float(inside.max() - inside.min())
    return float(inside.min()) - margin, float(inside.max()) + margin

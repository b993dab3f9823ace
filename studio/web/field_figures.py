"""Figures of many values of many runs: parallel coordinates and contours. Pure, as `figures`.

Plotly's own parallel coordinates need WebGL code that the content policy refuses, so they are drawn
from ordinary lines: axis i stands at x = i, and a value's height on it is between 0 and 1.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from studio.metrics.packing import Floats
from studio.web.figures import Figure, axis, template_words, words
from studio.web.formats import number
from studio.web.list_figures import Mark, Value, drawable, scale, scale_legend

Range = tuple[float, float]
N_SHADES = 12
# Runs without a value meet below the axis.
NOWHERE = -0.13
# So many words have room beside an axis.
MAX_WORDS = 30
N_TICKS = 5
# Cells of a contour's grid along each side.
N_CELLS = 48
# So many runs are weighed at once: 256 of them take 5 MB.
AT_ONCE = 256
LONGEST_WORD = 18
DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Dimension:
    """An axis of parallel coordinates: its name, the key of conditions on it ("" for none), and a
    value for each run; is_time: these are epoch seconds."""

    label: str
    key: str
    values: Sequence[Value]
    is_log: bool = False
    is_time: bool = False


@dataclass(frozen=True, slots=True)
class _Rail:
    """A dimension with the height of each run on it, and what is written beside it."""

    heights: Floats
    ticks: list[tuple[float, str]]
    facts: dict[str, Any]


def parallel(marks: Sequence[Mark], dimensions: Sequence[Dimension]) -> Figure:
    """A line for each run across the axes, shaded by the last one; runs that lack every value are
    left out. `meta.axes` tells the browser what a brushed part of each axis means."""
    rails = [_rail(dimension) for dimension in dimensions]
    shades = _shades(rails[-1].heights)
    data: list[Figure] = []
    for shade in range(N_SHADES):
        members = np.flatnonzero(shades == shade)
        if len(members):
            block = np.column_stack([rail.heights[members] for rail in rails])
            data.append(_bundle(marks, members, block, shade))
    data += [_guide(i) for i in range(len(rails))]
    layout = {
        "xaxis": axis(
            "",
            # Room for what is written on the right of the last axis.
            range=[-0.25, len(rails) - 0.5],
            tickvals=list(range(len(rails))),
            ticktext=[words(d.label) for d in dimensions],
            showgrid=False,
            showline=False,
            zeroline=False,
            fixedrange=True,
            side="top",
        ),
        "yaxis": axis(
            "", range=[NOWHERE - 0.07, 1.05], visible=False, fixedrange=True, zeroline=False
        ),
        "annotations": [
            _annotation(i, height, text)
            for i, rail in enumerate(rails)
            for height, text in rail.ticks
        ],
        "showlegend": False,
        "hovermode": "closest",
        "margin": {"l": 8, "r": 8, "t": 24, "b": 4},
        "dragmode": "select",
        "selectdirection": "v",
        "meta": {"axes": [rail.facts for rail in rails], "scale": _shade_legend(dimensions[-1])},
    }
    return {"data": data, "layout": layout}


def _bundle(marks: Sequence[Mark], members: Any, block: Floats, shade: int) -> Figure:
    """The lines of one shade as one trace: thousands of traces would not stay usable.

    charts.js makes x, and uid and name of each point, from `meta`: they would be most of the JSON.
    """
    rounded: Any = np.round(block, 4).tolist()
    return {
        "type": "scatter",
        "mode": "lines",
        "y": [height for heights in rounded for height in (*heights, None)],
        "meta": {
            "slot": 0,
            "role": "shade",
            "shade": shade / (N_SHADES - 1),
            "n": len(marks),
            "uids": [marks[i].uid for i in members],
            "names": [words(marks[i].name) for i in members],
        },
        "hovertemplate": "%{text}<extra></extra>",
        "showlegend": False,
    }


def _shade_legend(dimension: Dimension) -> dict[str, str] | None:
    numbers = [value for value in dimension.values if isinstance(value, float) and drawable(value)]
    legend = scale_legend(dimension.label, numbers)
    if legend and dimension.is_time:
        low, high = min(numbers), max(numbers)
        legend |= {"low": _moment(low, high - low), "high": _moment(high, high - low)}
    return legend


def _guide(index: int) -> Figure:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [index, index],
        "y": [0, 1],
        "meta": {"slot": 0, "role": "rail"},
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _annotation(index: int, height: float, text: str) -> Figure:
    return {
        "x": index,
        "y": height,
        "text": words(text),
        "showarrow": False,
        "xanchor": "left",
        "xshift": 5,
        "font": {"size": 11},
    }


def _rail(dimension: Dimension) -> _Rail:
    values = [value if drawable(value) else None for value in dimension.values]
    if any(isinstance(value, str) for value in values):
        return _worded(dimension, [None if v is None else str(v) for v in values])
    numbers = np.array([np.nan if v is None else float(v) for v in values], np.float64)
    is_log = (
        dimension.is_log
        and not dimension.is_time
        and bool(np.all(numbers[np.isfinite(numbers)] > 0))
    )
    on_scale = np.log10(numbers) if is_log else numbers
    known = on_scale[np.isfinite(on_scale)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
    # In halves, so that the distance of the largest numbers is one too.
    width = high / 2 - low / 2
    heights = (
        (on_scale / 2 - low / 2) / width if width else np.where(np.isfinite(on_scale), 0.5, np.nan)
    )
    facts = {"key": dimension.key, "low": low, "high": high, "is_log": is_log}
    facts["is_time"] = dimension.is_time
    steps = np.linspace(0, 1, N_TICKS) if width else np.array([0.5])
    places = [low * (1 - s) + high * s for s in steps.tolist()]
    ticks = [
        (
            s,
            _moment(place, high - low)
            if dimension.is_time
            else number(float(f"{10**place if is_log else place:.4g}")),
        )
        for s, place in zip(steps.tolist(), places, strict=True)
        if len(known)
    ]
    return _with_missing(heights, ticks, facts)


def _worded(dimension: Dimension, values: Sequence[str | None]) -> _Rail:
    names = sorted({value for value in values if value is not None})
    place = {name: i / (len(names) - 1) if len(names) > 1 else 0.5 for i, name in enumerate(names)}
    heights = np.array([np.nan if v is None else place[v] for v in values], np.float64)
    every = max(1, math.ceil(len(names) / MAX_WORDS))
    ticks = [(place[name], _cut(name)) for name in names[::every]]
    facts = {"key": dimension.key, "words": [[place[name], name] for name in names]}
    return _with_missing(heights, ticks, facts)


def _with_missing(heights: Floats, ticks: list[tuple[float, str]], facts: dict[str, Any]) -> _Rail:
    is_missing = ~np.isfinite(heights)
    if is_missing.any():
        ticks = [*ticks, (NOWHERE, "none")]
    return _Rail(np.where(is_missing, NOWHERE, heights), ticks, facts)


def _moment(seconds: float, span_s: float) -> str:
    """A moment in UTC as short as its axis allows."""
    form = (
        "%Y-%m-%d" if span_s > 2 * DAY_S else "%d %b %H:%M" if span_s > DAY_S / 24 else "%H:%M:%S"
    )
    return datetime.fromtimestamp(seconds, UTC).strftime(form)


def _cut(word: str) -> str:
    return word if len(word) <= LONGEST_WORD else word[: LONGEST_WORD - 1] + "…"


def _shades(heights: Floats) -> Any:
    """The shade of each run, 0 … N_SHADES - 1; of those without a value the first."""
    return np.clip((heights * N_SHADES).astype(int), 0, N_SHADES - 1)


def contour(
    marks: Sequence[Mark],
    x: Sequence[Value],
    y: Sequence[Value],
    z: Sequence[Value],
    *,
    labels: tuple[str, str, str],
    log_x: bool = False,
    log_y: bool = False,
    zoom_x: Range | None = None,
    zoom_y: Range | None = None,
) -> Figure:
    """The field of z over x and y, between the runs by inverse distances squared (Shepard's
    method), with a dot for each run; only runs with three numbers count."""
    kept = [i for i in range(len(marks)) if all(_is_number(v) for v in (x[i], y[i], z[i]))]
    kept = [i for i in kept if not (log_x and x[i] <= 0) and not (log_y and y[i] <= 0)]  # type: ignore[operator]
    xs, ys, zs = (np.array([v[i] for i in kept], np.float64) for v in (x, y, z))
    layout = {
        "xaxis": scale(labels[0], log=log_x, zoom=zoom_x),
        "yaxis": scale(labels[1], log=log_y, zoom=zoom_y),
        "hovermode": "closest",
        "showlegend": False,
        "meta": {"scale": scale_legend(labels[2], zs.tolist())},
    }
    data: list[Figure] = []
    if len(kept) >= 3 and np.ptp(xs) > 0 and np.ptp(ys) > 0:
        data.append(_field(xs, ys, zs, log_x=log_x, log_y=log_y))
    data.append(_dots(marks, kept, xs, ys, zs, labels))
    return {"data": data, "layout": layout}


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and drawable(value)


def _field(xs: Floats, ys: Floats, zs: Floats, *, log_x: bool, log_y: bool) -> Figure:
    flat = [(np.log10(v) if log else v) for v, log in ((xs, log_x), (ys, log_y))]
    spans = [float(v.max() - v.min()) for v in flat]
    unit = [(v - v.min()) / span for v, span in zip(flat, spans, strict=True)]
    cells = np.linspace(0, 1, N_CELLS)
    total, weights = np.zeros((N_CELLS, N_CELLS)), np.zeros((N_CELLS, N_CELLS))
    for first in range(0, len(zs), AT_ONCE):
        px, py, pz = (v[first : first + AT_ONCE] for v in (unit[0], unit[1], zs))
        across = (cells[:, None] - px) ** 2
        up = (cells[:, None] - py) ** 2 + 1e-6
        near = 1.0 / (up[:, None, :] + across[None, :, :])
        weights += near.sum(axis=2)
        total += near @ pz
    ends = [v.min() + cells * span for v, span in zip(flat, spans, strict=True)]
    return {
        "type": "contour",
        "x": _rounded(10 ** ends[0] if log_x else ends[0]),
        "y": _rounded(10 ** ends[1] if log_y else ends[1]),
        "z": _rounded(total / weights),
        "contours": {"coloring": "fill", "showlines": True},
        "ncontours": 14,
        "meta": {"slot": 0, "role": "field"},
        "hoverinfo": "skip",
    }


def _rounded(values: Any) -> Any:
    """Nested lists of numbers of 6 digits, of the greatest among them: enough for any screen."""
    top = float(np.abs(values).max(initial=0))
    places = 6 - math.ceil(math.log10(top)) if top > 0 and math.isfinite(top) else 6
    return np.round(values, min(places, 300)).tolist()


def _dots(
    marks: Sequence[Mark],
    kept: Sequence[int],
    xs: Floats,
    ys: Floats,
    zs: Floats,
    labels: tuple[str, str, str],
) -> Figure:
    x, y, z = map(template_words, labels)
    return {
        "type": "scatter",
        "mode": "markers",
        "x": xs.tolist(),
        "y": ys.tolist(),
        "customdata": [marks[i].uid for i in kept],
        "text": [
            f"{words(marks[i].name)}<br>{z} {value:.6g}" for i, value in zip(kept, zs, strict=True)
        ],
        "meta": {"slot": 0, "role": "pins"},
        "hovertemplate": f"%{{text}}<br>{x} %{{x}}<br>{y} %{{y}}<extra></extra>",
        "showlegend": False,
    }

"""Series -> Plotly figures, as plain dictionaries. Pure: no database, no request.

Colours, fonts and the theme are the browser's business (charts.js reads the page's tokens); a
figure holds data, axes and words only: `meta.slot` names a colour of the palette, `meta.role` how
a trace is drawn ("line", "faint", "band", "guide", "cells"). Names are escaped: Plotly reads some
HTML in texts.
"""

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from studio.wire import dump_numbers

Figure = dict[str, Any]
Xs = Sequence[float] | Sequence[str]

# Below this many points each one gets a dot.
MAX_DOTS = 60


@dataclass(frozen=True, slots=True)
class Trace:
    """One line: x and y of equal length, a palette slot, and its role in the chart."""

    label: str
    x: Xs
    y: Sequence[float]
    slot: int = 0
    role: str = "line"


def words(text: str) -> str:
    """Text as Plotly shows it literally."""
    return html.escape(str(text), quote=False)


def template_words(text: str) -> str:
    """Text inside a hover template, where %{…} would be read as a variable."""
    return words(text).replace("%{", "%\N{ZERO WIDTH SPACE}{")


def finite(values: Iterable[float]) -> list[float | None]:
    """NaN and infinities as gaps (JSON has no word for them)."""
    return [value if math.isfinite(value) else None for value in values]


def axis(label: str, **more: Any) -> dict[str, Any]:
    return {"title": {"text": words(label)}, **more}


def lines(
    traces: Sequence[Trace], *, x_label: str, y_label: str = "", log_y: bool = False
) -> Figure:
    """A line chart; x are numbers, or ISO dates for a time axis."""
    is_time = any(isinstance(x, str) for trace in traces for x in trace.x[:1])
    shown = [trace for trace in traces if trace.role != "faint"]
    layout = {
        "xaxis": axis(x_label, type="date" if is_time else "linear"),
        "yaxis": axis(y_label, type="log" if log_y else "linear"),
        "showlegend": len(shown) > 1,
        "hovermode": "x unified",
    }
    return {"data": [_line(trace) for trace in traces], "layout": layout}


def _line(trace: Trace) -> dict[str, Any]:
    is_faint = trace.role == "faint"
    dots = len(trace.x) <= MAX_DOTS and not is_faint
    label = template_words(trace.label)
    return {
        "type": "scatter",
        "mode": "lines+markers" if dots else "lines",
        "name": words(trace.label),
        "x": list(trace.x),
        "y": finite(map(float, trace.y)),
        "meta": {"slot": trace.slot, "role": trace.role},
        "connectgaps": False,
        "showlegend": not is_faint,
        "hoverinfo": "skip" if is_faint else "all",
        "hovertemplate": None if is_faint else f"%{{y}}<extra>{label}</extra>",
    }


def numeric_columns(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The columns that hold numbers, and beside them at most nothing, in the order they first
    appear."""
    seen: dict[str, bool | None] = {}
    for row in rows:
        for key, value in row.items():
            known = seen.setdefault(key, None)
            if value is not None:
                seen[key] = known is not False and is_number(value)
    return [key for key, fits in seen.items() if fits]


def is_number(value: Any) -> bool:
    """Whether a cell holds a number; those that are not finite are stored as words."""
    return (isinstance(value, int | float) and not isinstance(value, bool)) or value in NOT_FINITE


NOT_FINITE = ("NaN", "Infinity", "-Infinity")
SYMBOLS = {"NaN": "x", "Infinity": "triangle-up", "-Infinity": "triangle-down"}
# More marks would be a line of their own.
MAX_MARKS = 200
# The horizontal axis that counts the rows.
ROW = ""


def pair_of(columns: Sequence[str], x: str | None, y: str | None) -> tuple[str, str]:
    """Which two of the numeric columns are drawn: those asked for, else the first two; one alone
    over the number of its row. There is at least one."""
    first, second = (columns[0], columns[1]) if len(columns) > 1 else (ROW, columns[0])
    chosen_x = x if x is not None and (x == ROW or x in columns) else first
    return chosen_x, y if y is not None and y in columns else second


def table(rows: Sequence[dict[str, Any]], pair: tuple[str, str], *, slot: int) -> Figure:
    """One numeric column over another one, or over the number of the row, in the order of rows."""
    x_name, y_name = pair
    x, y = numbers_of(rows, x_name), numbers_of(rows, y_name)
    kept = [i for i, value in enumerate(x) if math.isfinite(value)]
    trace = Trace(y_name, [x[i] for i in kept], [y[i] for i in kept], slot)
    return lines([trace], x_label=x_name or "row", y_label=y_name)


def mark_gaps(figure: Figure, trace: Trace) -> None:
    """Add marks where the line of `trace` has no finite value: at the upper edge of the chart for
    infinity, at the lower one for its negative and for NaN."""
    gaps = [i for i, value in enumerate(trace.y) if not math.isfinite(value)]
    gaps = gaps[:: -(-len(gaps) // MAX_MARKS)] if gaps else []
    if not gaps:
        return
    what = dump_numbers([float(trace.y[i]) for i in gaps])
    figure["data"].append(
        {
            "type": "scatter",
            "mode": "markers",
            "name": "not finite",
            "x": [trace.x[i] for i in gaps],
            "y": [0.97 if word == "Infinity" else 0.03 for word in what],
            "yaxis": "y2",
            "marker": {"symbol": [SYMBOLS[word] for word in what]},
            "meta": {"slot": trace.slot, "role": "marks"},
            "text": what,
            "hovertemplate": "%{text}<extra></extra>",
            "showlegend": False,
        }
    )
    edge = {"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True}
    figure["layout"]["yaxis2"] = edge


def numbers_of(rows: Sequence[dict[str, Any]], column: str) -> list[float]:
    """A column as numbers, what is missing as NaN; ROW: the numbers of the rows, from 0."""
    if column == ROW:
        return list(map(float, range(len(rows))))
    return [_float(row.get(column)) for row in rows]


def _float(value: Any) -> float:
    """A cell as a number; what is none, or missing, as NaN."""
    if value is None or isinstance(value, bool):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf

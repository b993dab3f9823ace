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
    """The columns with a number in every row that has them, in the order they first appear."""
    seen: dict[str, bool] = {}
    for row in rows:
        for key, value in row.items():
            fits = isinstance(value, int | float) and not isinstance(value, bool)
            seen[key] = seen.get(key, True) and (fits or value in NOT_FINITE)
    return [key for key, fits in seen.items() if fits]


NOT_FINITE = ("NaN", "Infinity", "-Infinity")


def table(rows: Sequence[dict[str, Any]], *, slot: int) -> Figure | None:
    """The second numeric column over the first; one alone over the row; None without numbers."""
    columns = numeric_columns(rows)
    if not columns or not rows:
        return None
    x_name, y_name = (columns[0], columns[1]) if len(columns) > 1 else ("row", columns[0])
    y = [_float(row.get(y_name)) for row in rows]
    x = [_float(row.get(x_name)) for row in rows] if len(columns) > 1 else list(range(len(rows)))
    kept = [i for i, value in enumerate(x) if math.isfinite(value)]
    trace = Trace(y_name, [x[i] for i in kept], [y[i] for i in kept], slot)
    return lines([trace], x_label=x_name, y_label=y_name)


def _float(value: Any) -> float:
    """A cell as a number; what is none, or missing, as NaN."""
    return math.nan if value is None or isinstance(value, bool) else float(value)

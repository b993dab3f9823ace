"""Series -> Plotly figures, as plain dictionaries. Pure: no database, no request.

Colours, fonts and the theme are the browser's business (charts.js reads the page's tokens); a
figure holds data, axes and words only. Names are escaped: Plotly reads some HTML in texts.
"""

import html
import math
from collections.abc import Iterable, Sequence
from typing import Any


def words(text: str) -> str:
    """Text as Plotly shows it literally."""
    return html.escape(str(text), quote=False)


def finite(values: Iterable[float]) -> list[float | None]:
    """NaN and infinities as gaps (JSON has no word for them)."""
    return [value if math.isfinite(value) else None for value in values]


def line(
    name: str, traces: Sequence[tuple[str, Sequence[float], Sequence[float], int]], *, x_label: str
) -> dict[str, Any]:
    """A line chart; `traces` are (label, x, y, palette slot), x and y of equal length."""
    data = [
        {
            "type": "scatter",
            "mode": "lines+markers" if len(x) <= 60 else "lines",
            "name": words(label),
            "x": list(map(float, x)),
            "y": finite(map(float, y)),
            "meta": {"slot": slot},
            "connectgaps": False,
            "hovertemplate": f"%{{y}}<extra>{words(label)}</extra>",
        }
        for label, x, y, slot in traces
    ]
    layout = {
        "xaxis": {"title": {"text": words(x_label)}},
        "yaxis": {"title": {"text": words(name)}},
        "showlegend": len(traces) > 1,
        "hovermode": "x unified",
    }
    return {"data": data, "layout": layout}


def confusion_matrix(
    labels: Sequence[str], matrix: Sequence[Sequence[float]], *, normalised: bool
) -> dict[str, Any]:
    """A heat map, rows = true class, columns = predicted; `normalised` divides by the row sums."""
    rows = [list(map(float, row)) for row in matrix]
    if normalised:
        rows = [[v / sum(row) if sum(row) else 0.0 for v in row] for row in rows]
    names = [words(label) for label in labels]
    trace = {
        "type": "heatmap",
        "z": rows,
        "x": names,
        "y": names,
        "texttemplate": "%{z:.2f}" if normalised else "%{z:d}",
        "hovertemplate": "true %{y}<br>predicted %{x}<br>%{z}<extra></extra>",
        "showscale": False,
    }
    layout = {
        "xaxis": {"title": {"text": "predicted"}, "type": "category"},
        "yaxis": {"title": {"text": "true"}, "type": "category", "autorange": "reversed"},
    }
    return {"data": [trace], "layout": layout}

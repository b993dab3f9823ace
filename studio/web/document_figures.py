"""Charts of the documents a run may log: confusion matrix, residuals, predictions.

Pure. Each function takes the `data` of a document whose shape the wire has checked. Those of an
accuracy table are in `accuracy_figures`.
"""

import itertools
from collections.abc import Sequence
from typing import Any

from studio.web.figures import Figure, Trace, axis, lines, words

# Numbers in cells are readable up to this many classes.
MAX_CLASSES_IN_CELLS = 25
# Names beside the cells: more would lie over each other. Longer ones are cut; the cell says all.
MAX_NAMES = 25
MAX_NAME = 16
SMALLEST_TEXT = 8
# With more classes the chart takes the whole width.
MAX_CLASSES_IN_CARD = 12


def confusion_matrix(data: dict[str, Any], *, normalised: bool) -> Figure:
    """Cells of true classes (rows) and predicted ones (columns); `normalised` by row sums.

    The cells are bars of width 1: Plotly's heat map writes `style` attributes, which the content
    policy refuses.
    """
    labels = [str(label) for label in data["class_labels"]]
    matrix = [list(map(float, row)) for row in data["matrix"]]
    shown = [shares(row) for row in matrix] if normalised else matrix
    n = len(labels)
    cells = [(row, column) for row in range(n) for column in range(n)]
    trace = {
        "type": "bar",
        "orientation": "h",
        "y": [row for row, _ in cells],
        "base": [column - 0.5 for _, column in cells],
        "x": [1] * len(cells),
        "width": 1,
        "marker": {"color": [shown[row][column] for row, column in cells], "line": {"width": 1}},
        "meta": {"role": "cells", "slot": 0},
        "text": [_cell(shown[r][c], normalised) for r, c in cells]
        if n <= MAX_CLASSES_IN_CELLS
        else [],
        "textposition": "inside",
        "insidetextanchor": "middle",
        "textangle": 0,
        "constraintext": "both",
        "hovertext": [
            f"true {words(labels[r])}<br>predicted {words(labels[c])}<br>"
            f"{matrix[r][c]:g} ({100 * shares(matrix[r])[c]:.1f} % of the row)"
            for r, c in cells
        ],
        "hoverinfo": "text",
        "showlegend": False,
    }
    named = range(0, n, -(-n // MAX_NAMES) or 1)
    ticks = {"tickvals": list(named), "ticktext": [_short(labels[i]) for i in named]}
    ticks |= {"tickfont": {"size": 10}} if n > MAX_CLASSES_IN_CARD else {}
    bounds = {"range": [-0.5, n - 0.5], "showgrid": False, "zeroline": False, **ticks}
    layout = {
        "xaxis": axis("predicted", **bounds),
        "yaxis": axis("true", **{**bounds, "range": [n - 0.5, -0.5]}),
        "barmode": "overlay",
        "bargap": 0,
        "hovermode": "closest",
        "showlegend": False,
        "uniformtext": {"mode": "hide", "minsize": SMALLEST_TEXT},
        "meta": {"is_large": n > MAX_CLASSES_IN_CARD},
    }
    return {"data": [trace], "layout": layout}


def _short(label: str) -> str:
    return words(label if len(label) <= MAX_NAME else f"{label[: MAX_NAME - 1]}…")


def shares(row: Sequence[float]) -> list[float]:
    """The row divided by its sum; zeros for an empty row."""
    total = sum(row)
    return [value / total if total else 0.0 for value in row]


def _cell(value: float, normalised: bool) -> str:
    return f"{value:.2f}" if normalised else f"{value:g}"


def residuals(data: dict[str, Any], *, slot: int) -> Figure:
    """The histogram as logged: one bar a bin, as wide as the bin."""
    trace = _bars(list(map(float, data["bin_edges"])), data["bin_counts"], slot)
    layout = {
        "xaxis": axis("predicted − actual"),
        "yaxis": axis("count"),
        "bargap": 0,
        "hovermode": "closest",
        "showlegend": False,
    }
    return {"data": [trace], "layout": layout}


def _bars(edges: Sequence[float], counts: Sequence[float], slot: int) -> dict[str, Any]:
    spans = list(itertools.pairwise(edges))
    return {
        "type": "bar",
        "x": [(low + high) / 2 for low, high in spans],
        "width": [high - low for low, high in spans],
        "y": list(counts),
        "meta": {"slot": slot, "role": "bars"},
        "hovertext": [f"{low:.4g} to {high:.4g}" for low, high in spans],
        "hovertemplate": "%{hovertext}: %{y}<extra></extra>",
        "showlegend": False,
    }


def predictions(data: dict[str, Any], *, slot: int) -> Figure:
    """Mean prediction of each bin of true values, a band of its error, and where both agree; below
    it how many true values each bin has."""
    edges = list(map(float, data["bin_edges"]))
    bins = zip(
        edges, edges[1:], data["bin_averages"], data["bin_errors"], data["bin_counts"], strict=False
    )
    filled = [((low + high) / 2, mean, error) for low, high, mean, error, n in bins if n]
    x = [middle for middle, _, _ in filled]
    upper = [mean + error for _, mean, error in filled]
    lower = [mean - error for _, mean, error in filled]
    ends = [edges[0], edges[-1]]
    traces = [
        Trace("± error", [*x, *reversed(x)], [*upper, *reversed(lower)], slot, role="band"),
        Trace("mean prediction", x, [mean for _, mean, _ in filled], slot),
        Trace("ideal", ends, ends, role="guide"),
    ]
    figure = lines(traces, x_label="actual", y_label="predicted")
    band = figure["data"][0]
    band |= {"mode": "lines", "fill": "toself", "hoverinfo": "skip", "hovertemplate": None}
    figure["data"][2]["mode"] = "lines"
    figure["data"].append({**_bars(edges, data["bin_counts"], slot), "yaxis": "y2"})
    figure["layout"]["xaxis"] |= {"anchor": "y2"}
    figure["layout"]["yaxis"] |= {"domain": [0.3, 1]}
    figure["layout"] |= {"yaxis2": axis("count", domain=[0, 0.22], rangemode="tozero"), "bargap": 0}
    return figure

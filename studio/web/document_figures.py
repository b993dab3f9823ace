"""Charts of the documents a run may log: confusion matrix, accuracy table, residuals, predictions.

Pure. Each function takes the `data` of a document whose shape the wire has checked.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from studio.web.figures import Figure, Trace, axis, lines, template_words, words

Counts = Sequence[Sequence[float]]
# A legend with more lines than this hides the chart.
MAX_CLASSES = 24
N_SLOTS = 12
# A legend with more entries than this does not fit inside the chart.
MAX_INSIDE = 8
# Numbers in cells are readable up to this many classes.
MAX_CLASSES_IN_CELLS = 25


@dataclass(frozen=True, slots=True)
class Curve:
    """Points from the strictest to the laxest threshold, and the area under them."""

    x: list[float]
    y: list[float]
    area: float


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
    ticks = {"tickvals": list(range(n)), "ticktext": [words(label) for label in labels]}
    bounds = {"range": [-0.5, n - 0.5], "showgrid": False, "zeroline": False, **ticks}
    layout = {
        "xaxis": axis("predicted", **bounds),
        "yaxis": axis("true", **{**bounds, "range": [n - 0.5, -0.5]}),
        "barmode": "overlay",
        "bargap": 0,
        "hovermode": "closest",
        "showlegend": False,
    }
    return {"data": [trace], "layout": layout}


def shares(row: Sequence[float]) -> list[float]:
    """The row divided by its sum; zeros for an empty row."""
    total = sum(row)
    return [value / total if total else 0.0 for value in row]


def _cell(value: float, normalised: bool) -> str:
    return f"{value:.2f}" if normalised else f"{value:g}"


def roc_curve(counts: Counts) -> Curve:
    """False against true positive rate of rows [TP, FP, TN, FN]; area by trapezoids."""
    rates = {(_ratio(fp, fp + tn), _ratio(tp, tp + fn)) for tp, fp, tn, fn in counts}
    x, y = zip(*sorted(rates | {(0.0, 0.0), (1.0, 1.0)}), strict=True)
    steps = zip(x, x[1:], y, y[1:], strict=False)
    area = sum((x1 - x0) * (y0 + y1) / 2 for x0, x1, y0, y1 in steps)
    return Curve(list(x), list(y), area)


def precision_recall_curve(counts: Counts) -> Curve:
    """Recall against precision, from (0, 1); area = average precision, sum of dR times P."""
    # Fewer called positive = stricter; of equal ones the row with more hits comes later.
    rows = sorted({(tp + fp, tp, tp + fn) for tp, fp, _, fn in counts if tp + fp})
    x, y = [0.0], [1.0]
    area = 0.0
    for called, hits, positives in rows:
        recall, precision = _ratio(hits, positives), hits / called
        area += (recall - x[-1]) * precision
        x.append(recall)
        y.append(precision)
    return Curve(x, y, area)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def together(tables: Sequence[Counts]) -> list[list[float]]:
    """All classes as one (micro average): their counts added up, threshold by threshold."""
    return [
        [sum(column) for column in zip(*rows, strict=True)] for rows in zip(*tables, strict=True)
    ]


def accuracy_table(data: dict[str, Any], *, curve: str) -> Figure:
    """One curve a class and their micro average; `curve` is "roc" or "pr"."""
    tables = data["probability_tables"]
    labels = [str(label) for label in data["class_labels"]]
    make, area = (roc_curve, "AUC") if curve == "roc" else (precision_recall_curve, "AP")
    named = [(labels[i], make(table), i % N_SLOTS) for i, table in enumerate(tables[:MAX_CLASSES])]
    traces = [
        Trace(f"{label} ({area} {found.area:.3f})", found.x, found.y, slot)
        for label, found, slot in named
    ]
    if len(tables) > 1:
        micro = make(together(tables))
        traces.append(Trace(f"all ({area} {micro.area:.3f})", micro.x, micro.y, role="strong"))
    if curve == "roc":
        traces.append(Trace("chance", [0.0, 1.0], [0.0, 1.0], role="guide"))
        figure = lines(traces, x_label="false positive rate", y_label="true positive rate")
    else:
        figure = lines(traces, x_label="recall", y_label="precision")
    for trace in figure["data"]:
        trace["mode"] = "lines"
        trace["hovertemplate"] = (
            f"%{{x:.3f}}, %{{y:.3f}}<extra>{template_words(trace['name'])}</extra>"
        )
    figure["layout"] |= {"hovermode": "closest", "legend": legend_place(len(traces), curve)}
    for name in ("xaxis", "yaxis"):
        figure["layout"][name]["range"] = [-0.02, 1.02]
    return figure


def legend_place(n: int, curve: str) -> dict[str, Any]:
    """The corner that such curves leave empty, or beside the chart when there are many."""
    if n > MAX_INSIDE:
        return {"orientation": "v", "x": 1.02, "y": 1, "yanchor": "top"}
    corner = {"x": 1, "xanchor": "right"} if curve == "roc" else {"x": 0, "xanchor": "left"}
    return {"orientation": "v", "y": 0, "yanchor": "bottom", **corner}


def residuals(data: dict[str, Any], *, slot: int) -> Figure:
    """The histogram as logged: one bar a bin, as wide as the bin."""
    edges = list(map(float, data["bin_edges"]))
    spans = list(itertools.pairwise(edges))
    trace = {
        "type": "bar",
        "x": [(low + high) / 2 for low, high in spans],
        "width": [high - low for low, high in spans],
        "y": list(data["bin_counts"]),
        "meta": {"slot": slot, "role": "bars"},
        "hovertext": [f"{low:.4g} to {high:.4g}" for low, high in spans],
        "hovertemplate": "%{hovertext}: %{y}<extra></extra>",
    }
    layout = {
        "xaxis": axis("predicted − actual"),
        "yaxis": axis("count"),
        "bargap": 0,
        "hovermode": "closest",
        "showlegend": False,
    }
    return {"data": [trace], "layout": layout}


def predictions(data: dict[str, Any], *, slot: int) -> Figure:
    """Mean prediction of each bin of true values, a band of its error, and where both agree."""
    edges = data["bin_edges"]
    bins = zip(
        edges, edges[1:], data["bin_averages"], data["bin_errors"], data["bin_counts"], strict=False
    )
    filled = [((low + high) / 2, mean, error) for low, high, mean, error, n in bins if n]
    x = [middle for middle, _, _ in filled]
    upper = [mean + error for _, mean, error in filled]
    lower = [mean - error for _, mean, error in filled]
    ends = [float(edges[0]), float(edges[-1])] if edges else []
    traces = [
        Trace("± error", [*x, *reversed(x)], [*upper, *reversed(lower)], slot, role="band"),
        Trace("mean prediction", x, [mean for _, mean, _ in filled], slot),
        Trace("ideal", ends, ends, role="guide"),
    ]
    figure = lines(traces, x_label="actual", y_label="predicted")
    band = figure["data"][0]
    band |= {"mode": "lines", "fill": "toself", "hoverinfo": "skip", "hovertemplate": None}
    figure["data"][2]["mode"] = "lines"
    return figure

"""The charts of an accuracy table: ROC, precision-recall, lift, cumulative gains, calibration.

Pure. One line a class, then the averages: micro (all decisions together), macro (every class counts
the same) and weighted (by how many samples a class has).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from studio.metrics.thinning import downsample
from studio.web import accuracy_curves
from studio.web.accuracy_curves import Counts, Curve
from studio.web.figures import Figure, Trace, lines, template_words, words

# (key, title) of the charts.
CHARTS = (
    ("roc", "ROC"),
    ("pr", "Precision-recall"),
    ("lift", "Lift"),
    ("gains", "Cumulative gains"),
    ("calibration", "Calibration"),
)
# More lines than this make a chart nobody reads.
MAX_CLASSES = 24
# With more classes than this only the averages are shown at first.
MAX_CLASSES_SHOWN = 12
# Of a line.
MAX_POINTS = 1_000
N_SLOTS = 12
# name -> (what it is called, how its line is drawn)
AVERAGES = {
    "micro": ("micro average", "solid"),
    "macro": ("macro, dashed", "dash"),
    "weighted": ("weighted, dotted", "dot"),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """How a chart is made: from the counts of a class, the mean of classes, what is done with each
    in the end; the words of the axes and of the area; the baseline's name and its two heights."""

    make: Callable[[Counts], Curve]
    mean: Callable[[Sequence[Curve], Sequence[float]], Curve]
    x: str
    y: str
    area: str = ""
    base: tuple[str, float, float] | None = None
    finish: Callable[[Curve], Curve] = lambda curve: curve


PLANS = {
    "roc": Plan(
        accuracy_curves.roc_curve,
        accuracy_curves.average,
        "false positive rate",
        "true positive rate",
        "AUC",
        ("chance", 0.0, 1.0),
    ),
    "pr": Plan(
        accuracy_curves.precision_recall_curve,
        accuracy_curves.average_precision_recall,
        "recall",
        "precision",
        "AP",
    ),
    "lift": Plan(
        accuracy_curves.gains_curve,
        accuracy_curves.average,
        "share of samples",
        "lift",
        base=("chance", 1.0, 1.0),
        finish=accuracy_curves.lift_of,
    ),
    "gains": Plan(
        accuracy_curves.gains_curve,
        accuracy_curves.average,
        "share of samples",
        "share of positives",
        "area",
        ("chance", 0.0, 1.0),
    ),
}
CALIBRATION = Plan(
    accuracy_curves.gains_curve,
    accuracy_curves.average,
    "mean score",
    "share of positives",
    base=("ideal", 0.0, 1.0),
)


@dataclass(frozen=True, slots=True)
class Class:
    """A class that some samples have, and some have not. `points`: rows of both of its tables."""

    label: str
    slot: int
    n_samples: float
    table: Counts
    points: Counts


@dataclass(frozen=True, slots=True)
class Named:
    """A curve of the chart; `slot` is None for an average."""

    name: str
    curve: Curve
    slot: int | None = None


def accuracy_table(data: dict[str, Any], *, curve: str) -> Figure:
    """One line a class, the averages of more than one, and the baseline; `curve` is a key of
    CHARTS. The table has classes and thresholds."""
    if curve == "calibration":
        return _calibration(data)
    plan, classes = PLANS[curve], classes_of(data)
    made = [plan.make(one.points) for one in classes]
    named = [
        Named(one.label, plan.finish(found), one.slot)
        for one, found in zip(classes, made, strict=True)
    ]
    if len(classes) > 1:
        micro = plan.make(accuracy_curves.together(data["probability_tables"]))
        sizes = [one.n_samples for one in classes]
        named += [
            Named("micro", plan.finish(micro)),
            Named("macro", plan.finish(plan.mean(made, [1.0] * len(made)))),
            Named("weighted", plan.finish(plan.mean(made, sizes))),
        ]
    if curve == "pr":
        plan = replace(plan, base=_prevalence(data["probability_tables"]))
    figure = _figure(named, plan)
    if curve == "pr":
        for trace in figure["data"]:
            # Average precision is the area below such steps.
            trace["line"] = {**trace.get("line", {}), "shape": "vh"}
    return figure


def _prevalence(tables: Sequence[Counts]) -> tuple[str, float, float]:
    """The precision of whoever guesses: the share of positives among all decisions."""
    tp, fp, tn, fn = (sum(column) for column in zip(*(t[0] for t in tables), strict=True))
    share = (tp + fn) / (tp + fp + tn + fn or 1)
    return "chance", share, share


def classes_of(data: dict[str, Any]) -> list[Class]:
    """The classes that can be told from the rest: without samples there is no rate."""
    found = []
    tables = zip(data["probability_tables"], data["percentile_tables"], strict=True)
    for i, (table, percentiles) in enumerate(tables):
        tp, fp, tn, fn = table[0]
        if tp + fn > 0 and fp + tn > 0:
            label, slot = str(data["class_labels"][i]), i % N_SLOTS
            found.append(Class(label, slot, tp + fn, table, _points_of(table, percentiles)))
    return found


def _points_of(table: Counts, percentiles: Counts) -> Counts:
    """The rows of both tables when they count the same samples: each is a point of the curve."""
    totals = {(tp + fn, tn + fp) for tp, fp, tn, fn in (*table, *percentiles)}
    return [*table, *percentiles] if len(totals) == 1 else table


def _calibration(data: dict[str, Any]) -> Figure:
    cuts = data["probability_thresholds"]
    named = [
        Named(one.label, accuracy_curves.calibration_curve(one.table, cuts), one.slot)
        for one in classes_of(data)
    ]
    if len(named) > 1:
        pooled = accuracy_curves.together(data["probability_tables"])
        named.append(Named("micro", accuracy_curves.calibration_curve(pooled, cuts)))
    named = [one for one in named if one.curve.x]
    return _figure(named, CALIBRATION) if named else {"data": [], "layout": {}}


def _figure(named: Sequence[Named], plan: Plan) -> Figure:
    is_crowded = sum(one.slot is not None for one in named) > MAX_CLASSES_SHOWN
    kept = [one for one in named if one.slot is not None][:MAX_CLASSES]
    kept += [one for one in named if one.slot is None]
    base = [Trace(plan.base[0], [0.0, 1.0], plan.base[1:], role="guide")] if plan.base else []
    figure = lines([*map(_trace, kept), *base], x_label=plan.x, y_label=plan.y)
    for one, trace in zip(kept, figure["data"], strict=False):
        area = f" ({plan.area} {one.curve.area:.3f})" if plan.area else ""
        name = template_words(one.name)
        said, dash = AVERAGES[one.name] if one.slot is None else (one.name, "")
        trace["name"] = words(said + area)
        trace["hovertemplate"] = f"%{{x:.3f}}, %{{y:.3f}}<extra>{name}{area}</extra>"
        trace["meta"]["uid"] = f"{one.name}-{one.slot}"
        if one.slot is None:
            trace["line"] = {"dash": dash}
        elif is_crowded:
            trace["visible"] = "legendonly"
    for trace in figure["data"]:
        trace["mode"] = "lines+markers" if len(trace["x"]) <= accuracy_curves.N_BINS else "lines"
    for trace in figure["data"][len(kept) :]:
        trace |= {"mode": "lines", "hoverinfo": "skip", "hovertemplate": None}
        trace["meta"]["uid"] = "base"
    figure["layout"] |= {"hovermode": "closest", "showlegend": False}
    figure["layout"]["xaxis"]["range"] = [-0.02, 1.02]
    is_lift = plan.y == "lift"
    figure["layout"]["yaxis"] |= {"rangemode": "tozero"} if is_lift else {"range": [-0.02, 1.02]}
    return figure


def _trace(one: Named) -> Trace:
    x, y = np.asarray(one.curve.x), np.asarray(one.curve.y)
    kept = downsample(x, y, MAX_POINTS)
    role = "line" if one.slot is not None else "strong"
    return Trace(one.name, x[kept].tolist(), y[kept].tolist(), one.slot or 0, role)


def note_of(data: dict[str, Any]) -> str:
    """What the charts of a table do not show at first."""
    n = len(data["class_labels"])
    if n <= MAX_CLASSES_SHOWN:
        return ""
    n_offered = f"{MAX_CLASSES} of {n:,}" if n > MAX_CLASSES else str(n)
    return f"Averages of {n:,} classes; tick a class to see it ({n_offered})"

"""Figures and smoothing, by tables of values and against scikit-learn."""

import itertools
import json
import math
import random

import numpy as np
import plotly.graph_objects as go
import pytest
from sklearn import metrics as reference
from sklearn.calibration import calibration_curve

from studio.metrics.smoothing import ema
from studio.web import accuracy_curves, accuracy_figures, document_figures, figures
from studio.web.figures import Trace
from studio.web.staticfiles import package_file
from tests.browser import charting
from tests.browser.charting import counts_of

PREDICTIONS = [
    ("a random classifier", 200, 0),
    ("many equal scores", 200, 1),
    ("two samples", 2, 2),
]


def plotly_reads(figure: dict) -> None:
    """Fails when Plotly knows a property of the figure under another name or type, or JSON not."""
    json.dumps(figure, allow_nan=False)
    go.Figure(figure)


def simple(n: int, seed: int) -> tuple[list[bool], list[float]]:
    chance = random.Random(seed)
    truth = [i % 2 == 0 for i in range(n)]
    digits = 1 if seed == 1 else 6
    return truth, [round(0.3 * t + 0.7 * chance.random(), digits) for t in truth]


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([], []),
        ([0.5], [0.5]),
        ([1, 1, 1], [1.0, 1.0, 1.0]),
        ([1, math.nan, math.inf, -math.inf, 2], [1.0, None, None, None, 2.0]),
        ([1e308, -1e308, 5e-324], [1e308, -1e308, 5e-324]),
    ],
)
def test_a_line_keeps_every_value_and_shows_what_is_not_finite_as_a_gap(values, shown) -> None:
    figure = figures.lines([Trace("loss", list(range(len(values))), values)], x_label="Step")

    assert figure["data"][0]["y"] == shown
    assert figure["data"][0]["connectgaps"] is False
    plotly_reads(figure)


def test_names_are_shown_literally_and_never_as_markup_or_variables() -> None:
    trace = figures.lines([Trace("<b>x</b> %{y}", [0], [1])], x_label="<i>")["data"][0]

    assert trace["name"] == "&lt;b&gt;x&lt;/b&gt; %{y}"
    assert "%{y}</extra>" not in trace["hovertemplate"]


def test_dates_make_a_time_axis_and_log_a_log_axis() -> None:
    figure = figures.lines([Trace("a", ["2026-11-21 05:00:00"], [1])], x_label="t", log_y=True)

    assert figure["layout"]["xaxis"]["type"] == "date"
    assert figure["layout"]["yaxis"]["type"] == "log"
    plotly_reads(figure)


@pytest.mark.parametrize(
    ("rows", "axes"),
    [
        ([{"a": 1, "b": 2, "c": 3}], ("a", "b")),
        ([{"name": "x", "n": 4}], ("row", "n")),
        ([{"a": 1, "b": "NaN"}, {"b": 2, "a": 3}], ("a", "b")),
        ([{"a": None, "b": 10**400}, {"b": 2, "a": 3}], ("a", "b")),
        ([{"a": True, "b": "x"}], None),
        ([{}], None),
        ([], None),
    ],
)
def test_a_table_draws_its_first_two_numeric_columns(rows, axes) -> None:
    columns = figures.numeric_columns(rows)

    assert bool(columns) == (axes is not None)
    if axes is None:
        return
    figure = figures.table(rows, figures.pair_of(columns, None, None), slot=0)
    layout = figure["layout"]
    assert (layout["xaxis"]["title"]["text"], layout["yaxis"]["title"]["text"]) == axes
    plotly_reads(figure)


@pytest.mark.parametrize(("_what", "n", "seed"), PREDICTIONS)
def test_roc_and_its_area_equal_scikit_learn(_what, n, seed) -> None:
    truth, scores = simple(n, seed)
    curve = accuracy_curves.roc_curve(counts_of(truth, scores, sorted(set(scores))))

    fpr, tpr, _ = reference.roc_curve(truth, scores, drop_intermediate=False)
    assert curve.x == pytest.approx(fpr.tolist())
    assert curve.y == pytest.approx(tpr.tolist())
    assert curve.area == pytest.approx(reference.roc_auc_score(truth, scores))


@pytest.mark.parametrize(("_what", "n", "seed"), PREDICTIONS)
def test_precision_recall_and_average_precision_equal_scikit_learn(_what, n, seed) -> None:
    truth, scores = simple(n, seed)
    curve = accuracy_curves.precision_recall_curve(counts_of(truth, scores, sorted(set(scores))))

    precision, recall, _ = reference.precision_recall_curve(truth, scores)
    assert curve.x == pytest.approx(recall[::-1].tolist())
    assert curve.y == pytest.approx(precision[::-1].tolist())
    assert curve.area == pytest.approx(reference.average_precision_score(truth, scores))


def test_calibration_equals_scikit_learn_to_the_width_of_its_thresholds() -> None:
    truth, scores = simple(400, 0)
    cuts = [i / 100 for i in range(101)]
    curve = accuracy_curves.calibration_curve(counts_of(truth, scores, cuts), cuts)

    share, mean = calibration_curve(truth, scores, n_bins=10)
    assert curve.y == pytest.approx(share.tolist())
    assert curve.x == pytest.approx(mean.tolist(), abs=0.005)
    assert accuracy_curves.calibration_curve(counts_of(truth, scores, [-1.0, 5.0]), [-1, 5]).x == []


def test_a_class_nobody_has_makes_no_division_by_zero() -> None:
    empty = [[0, 5, 0, 0], [0, 0, 5, 0]]

    assert accuracy_curves.roc_curve(empty).y[0] == 0.0
    assert accuracy_curves.precision_recall_curve(empty).y == [1.0, 0.0]
    assert accuracy_curves.roc_curve([]).area == 0.5


def test_the_confusion_matrix_divides_by_row_sums_and_survives_an_empty_row() -> None:
    data = charting.matrix_document()["data"]
    shares = document_figures.confusion_matrix(data, normalised=True)["data"][0]
    counts = document_figures.confusion_matrix(data, normalised=False)["data"][0]

    assert shares["marker"]["color"] == pytest.approx(
        [50 / 53, 3 / 53, 0, 4 / 51, 41 / 51, 6 / 51, 0, 0, 0]
    )
    assert counts["text"][:3] == ["50", "3", "0"]


def test_every_document_makes_a_figure_that_plotly_reads() -> None:
    accuracy = charting.accuracy_document()["data"]
    made = [
        document_figures.confusion_matrix(charting.matrix_document()["data"], normalised=True),
        accuracy_figures.accuracy_table(accuracy, curve="roc"),
        accuracy_figures.accuracy_table(accuracy, curve="pr"),
        document_figures.residuals(charting.residuals_document()["data"], slot=3),
        document_figures.predictions(charting.predictions_document()["data"], slot=3),
    ]

    for figure in made:
        plotly_reads(figure)
        assert {trace["type"] for trace in figure["data"]} <= {"scatter", "bar"}


def test_an_empty_bin_of_predictions_is_left_out() -> None:
    figure = document_figures.predictions(charting.predictions_document()["data"], slot=0)

    assert figure["data"][1]["x"] == [5.0, 15.0, 35.0]


def naive_ema(x, y, weight):
    gaps = [b - a for a, b in itertools.pairwise(x)]
    usual = float(np.median([gap for gap in gaps if gap > 0] or [1.0]))
    smoothed = [y[0]]
    for gap, value in zip(gaps, y[1:], strict=True):
        w = weight ** (gap / usual if gap > 0 else 1.0)
        smoothed.append(w * smoothed[-1] + (1 - w) * value)
    return smoothed


@pytest.mark.parametrize("weight", [0.01, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("n", [2, 3, 64, 1000, 5001])
def test_smoothing_equals_the_recurrence_written_out(weight, n) -> None:
    chance = np.random.default_rng(n)
    x = np.cumsum(chance.integers(0, 9, n)).astype(float)
    y = chance.normal(size=n)

    assert ema(x, y, weight).tolist() == pytest.approx(naive_ema(x.tolist(), y.tolist(), weight))


def test_smoothing_leaves_gaps_constants_and_single_points_as_they_are() -> None:
    x = np.arange(4.0)
    holes = ema(x, np.array([1.0, np.nan, 1.0, np.inf]), 0.9)

    assert holes[[0, 2]].tolist() == [1.0, 1.0]
    assert np.isnan(holes[1])
    assert np.isposinf(holes[3])
    assert ema(x[:1], np.array([7.0]), 0.9).tolist() == [7.0]
    assert ema(x, np.full(4, 3.0), 0.99).tolist() == pytest.approx([3.0] * 4)


def test_smoothing_forgets_after_a_long_gap() -> None:
    x = np.array([0.0, 1.0, 2.0, 1000.0])

    assert ema(x, np.array([0.0, 0.0, 0.0, 1.0]), 0.9)[-1] == pytest.approx(1.0)


def test_the_mark_against_injected_map_styles_is_the_one_this_plotly_looks_for() -> None:
    """charts.js holds an id of Plotly's bundle, which changes with its version."""
    bundle = package_file("plotly", "package_data/plotly.min.js").read_text()
    script = (charting.ROOT / "static/js/charts.js").read_text()
    marker = script.split('marker.id = "')[1].split('"')[0]

    assert f'document.getElementById("{marker}")' in bundle
    assert "no-inline-styles" in bundle

"""What may be logged, and what the refusals say."""

from __future__ import annotations

import decimal
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.sdk import Experiment, UserErrorException, values
from studio.wire import Series
from tests.sdk.fake_server import FakeStudio

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.float64(2.5), 2.5),
        (np.array(4), 4),
        (np.bool_(True), True),
        (np.str_("x"), "x"),
        (decimal.Decimal("1.5"), 1.5),
        (10**400, math.inf),
        ("nul\x00 and \ud800", "nul� and ?"),
        (None, None),
    ],
)
def test_scalars_of_all_makes_become_plain(value: Any, expected: Any) -> None:
    found = values.plain(value, "m")
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ([1, 2], "log_list"),
        (range(3), "log_list"),
        (np.arange(3), "log_list"),
        ({"a": 1}, "log_row"),
        (object(), "cannot log object"),
        (1j, "cannot log complex"),
    ],
)
def test_a_wrong_value_is_refused_with_the_call_to_use(value: Any, hint: str) -> None:
    with pytest.raises(UserErrorException, match=hint):
        values.plain(value, "m")


@given(st.text(max_size=100))
def test_any_text_is_made_storable(text: str) -> None:
    Series.parse({"name": "t", "kind": "text", "times": [0], "values": [values.clean_text(text)]})


def test_unequal_columns_are_named() -> None:
    with pytest.raises(UserErrorException, match="'x' has 2, 'y' has 3"):
        values.rows({"x": [1, 2], "y": [1, 2, 3]}, "t")


@pytest.mark.parametrize(
    ("kind", "value", "hint"),
    [
        ("confusion_matrix", {"class_labels": ["a", "b"], "matrix": [[1, 2]]}, "data.matrix"),
        ("confusion_matrix", "{not json", "not JSON"),
        ("confusion_matrix", [1], "dict or JSON text"),
        ("residuals", {"bin_edges": [1], "bin_counts": [1]}, "data.bin_edges"),
        ("predictions", {"bin_counts": [1]}, "data.bin_averages"),
        ("accuracy_table", {"class_labels": ["a"]}, "data.probability_thresholds"),
    ],
)
def test_a_document_of_the_wrong_shape_is_refused(kind: str, value: Any, hint: str) -> None:
    with pytest.raises(UserErrorException, match=hint):
        values.document(value, "m", kind)


def test_numpy_arrays_make_documents() -> None:
    matrix = np.array([[1, 2], [3, 4]])
    found = values.document({"class_labels": ["a", "b"], "matrix": matrix}, "m", "confusion_matrix")
    assert found["data"]["matrix"] == [[1, 2], [3, 4]]


def test_an_image_becomes_an_artifact_and_a_point(
    experiment: Experiment, studio: FakeStudio, tmp_path: Path
) -> None:
    picture = tmp_path / "plot"
    picture.write_bytes(PNG)
    with experiment.start_logging(snapshot_directory=None) as run:
        run.log_image("a plot/1", path=str(picture), step=4)
    (point,) = studio.store.points[run.id, "a plot/1"]
    assert point[0] == 4
    assert point[2]["path"].startswith("images/a_plot_1_")
    assert studio.store.artifacts[run.id, point[2]["path"]] == PNG


def test_a_matplotlib_figure_becomes_a_png(experiment: Experiment, studio: FakeStudio) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    with experiment.start_logging(snapshot_directory=None) as run:
        pyplot.plot([1, 2])
        run.log_image("plot", plot=pyplot)
        pyplot.close("all")
    assert next(iter(studio.store.artifacts.values())).startswith(b"\x89PNG")


def test_an_image_needs_exactly_one_source_that_is_an_image(tmp_path: Path) -> None:
    text = tmp_path / "x.png"
    text.write_text("<svg onload=alert(1)>")
    for arguments in ((None, None), ("a", "b"), (tmp_path / "none.png", None), (text, None)):
        with pytest.raises(UserErrorException):
            values.image_bytes("m", *arguments)


def test_names_and_steps_are_checked(experiment: Experiment) -> None:
    with experiment.start_logging(snapshot_directory=None) as run:
        run.log("x", 1, step=np.int64(3))
        run.log("x", 1, step=4.0)  # type: ignore[arg-type]
        with pytest.raises(UserErrorException, match="step"):
            run.log("x", 1, step=0.5)  # type: ignore[arg-type]
        for name in ("", "n" * 256, 3):
            with pytest.raises(UserErrorException, match="name"):
                run.log(name, 1)  # type: ignore[arg-type]
        run.log_list("empty", [])
        assert [step for step, _, _ in run.metric_points("x")] == [] or run.flush()
        assert [step for step, _, _ in run.metric_points("x")] == [3, 4]
        assert "empty" not in run.get_metrics()

"""What is drawn equals what was logged: through the SDK and the API, against scikit-learn."""

import csv
import io
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as reference

from studio.runs.models import Run
from studio.sdk import Experiment, Workspace
from studio.wire import dump_numbers
from tests import make

pytestmark = pytest.mark.django_db(transaction=True)

AVERAGES = ("micro", "macro", "weighted")
SCALARS = [3.0, 0.1, -1e-300, math.nan, 2**53 + 1.0, math.inf, 5e-324, -math.inf, 0.3]


@dataclass(frozen=True)
class Predictions:
    """labels: shape (n,), indices of the columns of scores, shape (n, classes)."""

    labels: Any
    scores: Any

    @property
    def truth(self) -> Any:
        """Shape (n, classes), one per row."""
        return np.eye(self.scores.shape[1], dtype=int)[self.labels]


def predictions(shares: list[float], *, n: int = 300) -> Predictions:
    """Classes of these shares; scores of two digits, so that many are equal."""
    chance = np.random.default_rng(len(shares))
    labels = np.repeat(np.arange(len(shares)), (np.array(shares) * n).astype(int))
    raw = chance.gamma(1.0, size=(len(labels), len(shares)))
    raw[np.arange(len(labels)), labels] += 0.8
    return Predictions(labels, (raw / raw.sum(axis=1, keepdims=True)).round(2))


CASES = {"two classes": predictions([0.94, 0.06]), "four": predictions([0.55, 0.3, 0.1, 0.05])}


def accuracy_table(made: Predictions) -> dict[str, Any]:
    """As a user builds it: at every score, and at ten quantiles of each class's own."""

    def rows(column: int, cuts: Any) -> list[list[int]]:
        called = made.scores[:, column] >= np.asarray(cuts)[:, None]
        truth = made.truth[:, column].astype(bool)
        hits, wrong = (called & truth).sum(axis=1), (called & ~truth).sum(axis=1)
        rest = ((~truth).sum() - wrong, truth.sum() - hits)
        return np.stack([hits, wrong, *rest], axis=1).tolist()

    cuts, levels = np.unique(made.scores), np.linspace(0, 1, 11)
    classes = range(made.scores.shape[1])
    return {
        "probability_tables": [rows(i, cuts) for i in classes],
        "percentile_tables": [rows(i, np.quantile(made.scores[:, i], levels)) for i in classes],
        "probability_thresholds": cuts.tolist(),
        "percentile_thresholds": levels.tolist(),
        "class_labels": [f"class {i}" for i in classes],
    }


@pytest.fixture
def logged(live_server: Any, people: Any, workspace: Any, tmp_path: Any, monkeypatch: Any) -> Run:
    """A run that logged all of it by the SDK, over HTTP."""
    monkeypatch.setenv("STUDIO_SPOOL_DIR", str(tmp_path / "spool"))
    there = Workspace("lab", url=live_server.url, token=make.token(people.bob, workspace=workspace))
    run = Experiment(there, "drawn").start_logging(snapshot_directory=None)
    for name, made in CASES.items():
        matrix = reference.confusion_matrix(made.labels, made.scores.argmax(axis=1))
        names = [f"class {i}" for i in range(len(matrix))]
        run.log_accuracy_table(name, accuracy_table(made))
        run.log_confusion_matrix(
            f"matrix of {name}", {"class_labels": names, "matrix": matrix.tolist()}
        )
    for step, value in enumerate(SCALARS):
        run.log("loss", value, step=step)
    run.complete()
    return Run.objects.get(uid=run.id)


def figure_of(client: Any, run: Run, name: str, variant: str = "") -> dict[str, Any]:
    address = f"/w/lab/runs/{run.uid}/metrics/figure"
    answer = client.get(address, {"m": name, "variant": variant})
    assert answer.status_code == 200
    return dict(answer.json())


def lines_of(client: Any, run: Run, name: str, variant: str) -> dict[str, Any]:
    """The points of each line by the first word of an average, else by the whole label."""
    drawn = {}
    for trace in figure_of(client, run, name, variant)["data"]:
        label = trace["name"].split(" (")[0]
        key = next((one for one in AVERAGES if label.startswith(one)), label)
        drawn[key] = np.array([trace["x"], trace["y"]], float)
    return drawn


def area(points: Any) -> float:
    return float(np.trapezoid(points[1], points[0]))


def steps(points: Any) -> float:
    """The area under steps whose height is that of their end."""
    return float(np.diff(points[0]) @ points[1][1:])


def same_points(drawn: Any, x: Any, y: Any) -> None:
    """Fails unless both are the same set of points."""
    expected = np.unique(np.round([x, y], 9), axis=1)
    assert np.unique(np.round(drawn, 9), axis=1) == pytest.approx(expected)


def gains(truth: Any, scores: Any) -> tuple[Any, Any]:
    """By definition: of the samples from the highest score on, the share of all, and of positives;
    equal scores are taken together."""
    called = scores[None, :] >= np.unique(scores)[::-1][:, None]
    hits = (called & truth.astype(bool)).sum(axis=1) / truth.sum()
    return np.append(0, called.mean(axis=1)), np.append(0, hits)


def check_rates(client: Any, run: Run, name: str, made: Predictions) -> None:
    roc, pr = (lines_of(client, run, name, key) for key in ("roc", "pr"))
    for i in range(made.scores.shape[1]):
        truth, scores = made.truth[:, i], made.scores[:, i]
        x, y, _ = reference.roc_curve(truth, scores, drop_intermediate=False)
        same_points(roc[f"class {i}"], x, y)
        precision, recall, _ = reference.precision_recall_curve(truth, scores)
        same_points(pr[f"class {i}"], recall, precision)
    for how in AVERAGES:
        auc = reference.roc_auc_score(made.truth, made.scores, average=how)
        assert area(roc[how]) == pytest.approx(auc), (name, how)
        precise = reference.average_precision_score(made.truth, made.scores, average=how)
        assert steps(pr[how]) == pytest.approx(precise), (name, how)


def check_gains(client: Any, run: Run, name: str, made: Predictions) -> None:
    drawn, lift = (lines_of(client, run, name, key) for key in ("gains", "lift"))
    classes = range(made.scores.shape[1])
    expected = {f"class {i}": gains(made.truth[:, i], made.scores[:, i]) for i in classes}
    expected["micro"] = gains(made.truth.ravel(), made.scores.ravel())
    for key, (x, y) in expected.items():
        same_points(drawn[key], x, y)
        same_points(lift[key], x[1:], y[1:] / x[1:])
    at = np.linspace(0.01, 1, 100)
    each = np.array([np.interp(at, *expected[f"class {i}"]) for i in classes])
    for how, mean in (
        ("macro", each.mean(axis=0)),
        ("weighted", made.truth.mean(axis=0) @ each),
    ):
        assert np.interp(at, *drawn[how]) == pytest.approx(mean), (name, how)


def check_matrix(client: Any, run: Run, name: str, made: Predictions) -> None:
    matrix = reference.confusion_matrix(made.labels, made.scores.argmax(axis=1))
    (cells,) = figure_of(client, run, f"matrix of {name}")["data"]
    assert cells["marker"]["color"] == matrix.ravel().tolist()
    assert cells["text"] == [str(n) for n in matrix.ravel()]


def test_documents_are_drawn_as_scikit_learn_counts_them(logged: Run, bob_client: Any) -> None:
    for name, made in CASES.items():
        for check in (check_rates, check_gains, check_matrix):
            check(bob_client, logged, name, made)


def test_numbers_are_drawn_tabled_and_downloaded_as_they_were_logged(
    logged: Run, bob_client: Any
) -> None:
    line, marks = figure_of(bob_client, logged, "loss")["data"]
    assert line["x"] == list(range(len(SCALARS)))
    assert line["y"] == [value if math.isfinite(value) else None for value in SCALARS]
    assert dict(zip(marks["x"], marks["text"], strict=True)) == {
        3: "NaN",
        5: "Infinity",
        7: "-Infinity",
    }

    base = f"/w/lab/runs/{logged.uid}/metrics"
    table = bob_client.get(f"{base}/table", {"m": "loss"}).content.decode()
    assert all(word in table for word in ("NaN", "∞", "−∞"))
    answer = bob_client.get(f"{base}/csv", {"m": "loss"})
    rows = list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert [row[2] for row in rows[1:]] == [
        {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(str(value), str(value))
        for value in SCALARS
    ]
    answer = make.Api(logged.submitter, logged.workspace).get(
        f"/runs/{logged.uid}/metrics/points", name="loss"
    )
    assert answer.json()["values"] == dump_numbers(SCALARS)

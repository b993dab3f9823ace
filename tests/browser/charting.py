"""A run with every kind of metric, logged through the same action as a client's batches."""

import math
import random
import uuid
from pathlib import Path
from typing import Any

from studio.metrics.actions import record_batch
from studio.runs import actions
from studio.wire import Batch
from tests import make

ROOT = Path(__file__).resolve().parents[2]
T0 = 1_795_000_000.0


def log(run: Any, *series: dict[str, Any]) -> None:
    """Store the series in one batch, as the run's submitter."""
    batch = Batch.parse({"batch": str(uuid.uuid4()), "metrics": list(series)})
    record_batch(run, batch, by=make.actor(run.submitter))


def scalars(name: str, values: list[Any], *, first: int = 0) -> dict[str, Any]:
    n = len(values)
    return {
        "name": name,
        "kind": "scalar",
        "steps": list(range(first, first + n)),
        "times": [T0 + first + i for i in range(n)],
        "values": values,
    }


def others(name: str, kind: str, values: list[Any]) -> dict[str, Any]:
    times = [T0 + i for i in range(len(values))]
    return {"name": name, "kind": kind, "steps": None, "times": times, "values": values}


def counts_of(truth: list[bool], scores: list[float], cuts: list[float]) -> list[list[int]]:
    """[TP, FP, TN, FN] of each cut; a score at the cut counts as called."""
    rows = []
    for cut in cuts:
        called = [score >= cut for score in scores]
        tp = sum(c and t for c, t in zip(called, truth, strict=True))
        fp = sum(c and not t for c, t in zip(called, truth, strict=True))
        rows.append([tp, fp, truth.count(False) - fp, truth.count(True) - tp])
    return rows


def document(kind: str, **data: Any) -> dict[str, Any]:
    return {"schema_type": kind, "schema_version": "1.0.0", "data": data}


def accuracy_document(seed: int = 7) -> dict[str, Any]:
    chance = random.Random(seed)
    truth = [chance.randrange(3) for _ in range(240)]
    cuts = [i / 50 for i in range(51)]
    tables = []
    for label in range(3):
        scores = [min(1, max(0, (t == label) * 0.3 + chance.random() * 0.7)) for t in truth]
        tables.append(counts_of([t == label for t in truth], scores, cuts))
    return document(
        "accuracy_table",
        probability_tables=tables,
        percentile_tables=tables,
        probability_thresholds=cuts,
        percentile_thresholds=cuts,
        class_labels=["ash", "birch", "<b>cedar</b>"],
    )


def matrix_document() -> dict[str, Any]:
    labels = ["ash", "birch", "cedar"]
    return document(
        "confusion_matrix", class_labels=labels, matrix=[[50, 3, 0], [4, 41, 6], [0, 0, 0]]
    )


def residuals_document() -> dict[str, Any]:
    return document("residuals", bin_edges=[-2, -1, 0, 1, 3], bin_counts=[3, 22, 18, 2])


def predictions_document() -> dict[str, Any]:
    return document(
        "predictions",
        bin_edges=[0, 10, 20, 30, 40],
        bin_averages=[6.0, 14.5, 0.0, 33.0],
        bin_errors=[1.5, 2.0, 0.0, 3.5],
        bin_counts=[12, 30, 0, 9],
    )


def log_every_kind(run: Any) -> None:
    chance = random.Random(3)
    loss = [2 * math.exp(-i / 90) + 0.25 + chance.random() * 0.2 for i in range(400)]
    accuracy = [1 - value / 3 for value in loss]
    log(
        run,
        scalars("loss", loss),
        scalars("accuracy", accuracy),
        scalars("once", [0.5]),
        scalars("holes", [1.0, "NaN", 2.0, "Infinity", 3.0]),
        others("weights", "list", [0.5, 1.5, -0.5, 2.0]),
        others("note", "text", ["warming up", "=2+5", None, True]),
        others(
            "grid", "table", [{"alpha": a / 10, "score": a * a / 50, "who": "x"} for a in range(9)]
        ),
        others("matrix", "confusion_matrix", [matrix_document()]),
        others("table of accuracy", "accuracy_table", [accuracy_document()]),
        others("errors", "residuals", [residuals_document()]),
        others("predicted", "predictions", [predictions_document()]),
    )


def six_runs(experiment: Any) -> list[Any]:
    """Five runs with two metrics, a parameter and a tag (the last lacks the tag), and one with
    nothing; the first is still running."""
    runs = []
    for i in range(5):
        tags = {"model": ("bert", "unet")[i % 2]} if i < 4 else {}
        run = make.run(
            experiment, display_name=f"net {i}", parameters={"lr": str(10.0**-i)}, tags=tags
        )
        loss = [2 * math.exp(-s / (20 + 10 * i)) + 0.05 * ((s * 7 + i) % 5) for s in range(120)]
        log(run, scalars("loss", loss), scalars("accuracy", [1 - v / (3 + i) for v in loss]))
        runs.append(run)
    runs.append(make.run(experiment, display_name="bare <b>run</b>"))
    for run in runs[1:]:
        actions.complete_run(run, by=make.actor(run.submitter))
    return runs

"""What the real MLflow wrote comes as its own client reads it, once."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from studio.artifacts.models import Artifact
from studio.lineage.models import LoggedModel, RunInput
from studio.metrics.models import Metric
from studio.metrics.series import points_of
from studio.runs.limits import whole_value
from studio.runs.models import Run
from tests.importers.test_mlflow import bring
from tests.mlflow_clients.client import ROOT, SETTINGS, TODAY
from tests.prepared import clean_environment
from tests.rows import all_rows, changed_tables

pytestmark = [pytest.mark.live, pytest.mark.django_db]

SCRIPT = Path(__file__).parent / "make_mlflow.py"
STATUSES = {"FINISHED": "Completed", "FAILED": "Failed", "RUNNING": "Failed"}
SPECIAL = {"mlflow.runName", "mlflow.note.content", "mlflow.parentRunId"}
# What MLflow's databases hold for an infinity, and its client reads.
INFINITE = {"1.7976931348623157e+308": "inf"}


def written(folder: Path, store: str) -> dict[str, Any]:
    """What MLflow's client wrote into the store and reads there."""
    work = folder / "work"
    work.mkdir()
    env = {**clean_environment(), **SETTINGS, "HOME": str(work), "MLFLOW_ALLOW_FILE_STORE": "true"}
    # A folder has its files in it; a database says where they are.
    files = "" if store.startswith("file:") else f"file://{folder / 'files'}"
    asked = [ROOT / TODAY / "bin" / "python", SCRIPT, store, files]
    done = subprocess.run(asked, env=env, cwd=work, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("kind", ["mlflow-folder", "mlflow-db"])
def test_what_mlflow_wrote_is_what_comes_and_once(
    kind: str, workspace: Any, tmp_path: Path
) -> None:
    place = tmp_path / ("mlruns" if kind == "mlflow-folder" else "mlflow.db")
    store = f"file://{place}" if kind == "mlflow-folder" else f"sqlite:///{place}"
    source = str(place) if kind == "mlflow-folder" else store
    told = written(tmp_path, store)

    said, problem = bring(kind, source, "--artifacts", str(tmp_path / "files"))

    assert (f"{len(told['runs'])} runs imported" in said, problem) == (True, ""), said
    assert Run.objects.count() == len(told["runs"]) == 5
    for one in told["runs"]:
        compare(one)
    assert dict(LoggedModel.objects.values_list("uid", "name")) == told["models"]
    before = all_rows()
    said, problem = bring(kind, source, "--artifacts", str(tmp_path / "files"))
    assert not changed_tables(before), said


def compare(one: dict[str, Any]) -> None:
    """The run as it is here, and as MLflow's client reads it there."""
    run = Run.objects.get(uid=one["uid"])
    assert (run.display_name, run.status) == (one["name"], STATUSES[one["status"]])
    assert round(run.created_at.timestamp() * 1000) == one["start"]
    if one["end"]:
        assert run.ended_at is not None
        assert round(run.ended_at.timestamp() * 1000) == one["end"]
    parameters = {row.key: whole_value(row.value, row.rest) for row in run.parameters.all()}
    assert parameters == one["params"]
    tags = {row.key: whole_value(row.value, row.rest) or "" for row in run.tags.all()}
    assert tags == {key: value for key, value in one["tags"].items() if key not in SPECIAL}
    parent = one["tags"].get("mlflow.parentRunId")
    assert (run.parent.uid if run.parent else None) == parent
    found = {}
    for metric in Metric.objects.filter(run=run):
        points = points_of(metric)
        rows = zip(points.steps.tolist(), points.times.tolist(), points.values, strict=True)
        found[metric.name] = sorted([[s, round(t * 1000), repr(float(v))] for s, t, v in rows])
    there = {
        name: sorted([[s, t, INFINITE.get(v, v)] for s, t, v in points])
        for name, points in one["metrics"].items()
    }
    assert found == there
    files = Artifact.objects.filter(run=run, path__startswith="notes/")
    assert list(files.values_list("path", flat=True)) == one["files"]
    uses = RunInput.objects.filter(run=run).select_related("dataset")
    assert [[use.dataset.name, use.dataset.digest] for use in uses] == one["inputs"]

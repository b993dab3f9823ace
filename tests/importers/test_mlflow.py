"""MLflow's folders, databases and servers, through the command line."""

import json
import math
import os
import sqlite3
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from studio.artifacts.models import Artifact
from studio.importers.mlflow_lines import parsed
from studio.metrics.models import Metric
from studio.runs.models import Experiment, Run
from tests.importers import made_mlruns
from tests.importers.made_mlruns import RUNS
from tests.rows import all_rows, changed_tables

pytestmark = pytest.mark.django_db


def bring(kind: str, source: Any, *more: str) -> tuple[str, str]:
    """What the command says, and with which code it ends ("" for 0)."""
    out = StringIO()
    try:
        call_command("import", kind, str(source), "--workspace=lab", *more, stdout=out)
    except CommandError as ended:
        return out.getvalue(), f"{ended.returncode}: {ended}"
    return out.getvalue(), ""


def test_a_folder_comes_whole_and_once(workspace: Any, people: Any, tmp_path: Path) -> None:
    source = made_mlruns.folder(tmp_path / "mlruns")
    empty = all_rows()
    assert "3 runs would be imported" in bring("mlflow-folder", source, "--dry-run")[0]
    assert not changed_tables(empty)

    said, problem = bring("mlflow-folder", source, "--user=bob")

    assert (said.splitlines()[0].strip(), problem) == ("3 runs imported", "")
    first, child, open_one = (Run.objects.get(uid=uid) for uid in RUNS[:3])
    assert (first.status, child.status, child.parent) == ("Completed", "Failed", first)
    assert open_one.status_reason.startswith("It was Running in the source")
    assert first.experiment.title == "Vision: first"
    assert first.description_row.text == "It *works*."
    metric = Metric.objects.get(run=first)
    assert (metric.name, metric.n_points, metric.last_text) == ("val/loss", 2, "NaN")
    assert Artifact.objects.filter(path="notes/a.txt").count() == 3
    before = all_rows()
    assert "3 runs were here already" in bring("mlflow-folder", source)[0]
    assert not changed_tables(before)
    assert "1 runs imported" in bring("mlflow-folder", source, "--deleted")[0]


def test_what_is_broken_is_told_and_the_rest_comes(workspace: Any, tmp_path: Path) -> None:
    source = made_mlruns.folder(tmp_path / "mlruns")
    home = source / "1" / RUNS[0]
    made_mlruns.write(home / "metrics" / "val" / "loss", "17000 0.5 0\n17001 0.\nx y z\n1 2")
    made_mlruns.write(home / "metrics" / "long", b"9" * 1_000_000)
    made_mlruns.write(home / "params" / "latin", b"caf\xe9")
    made_mlruns.write(source / "2" / RUNS[2] / "meta.yaml", "status: &a [*a")
    (source / "2" / RUNS[3] / "meta.yaml").unlink()
    secret = tmp_path / "secret"
    secret.write_text("not yours")
    os.symlink(secret, home / "artifacts" / "link")
    os.symlink(tmp_path, source / "2" / "linked")
    os.mkfifo(home / "artifacts" / "pipe")

    said, problem = bring("mlflow-folder", source, f"--report={tmp_path / 'report.json'}")

    report = json.loads((tmp_path / "report.json").read_text())
    assert problem == f"1: {report['n_problems']} problems."
    assert (report["n_new"], report["n_skipped"]) == (2, 3)
    told = "\n".join(f"{one['place']}: {one['why']}" for one in report["problems"])
    for words in ("val/loss, line 3", "long, line 1", "latin", "meta.yaml", "link: A link", "pipe"):
        assert words in told, told
    assert Metric.objects.get(run__uid=RUNS[0]).n_points == 3
    assert sorted(Artifact.objects.values_list("path", flat=True)) == ["notes/a.txt"] * 2
    assert "Not a point" in said


def test_a_run_that_goes_on_in_a_folder_grows_here(workspace: Any, tmp_path: Path) -> None:
    source = made_mlruns.folder(tmp_path / "mlruns")
    bring("mlflow-folder", source)
    home = source / "2" / RUNS[2]
    with (home / "metrics" / "val" / "loss").open("a") as file:
        file.write(f"{made_mlruns.START + 2} 0.25 2\n")
    meta = (home / "meta.yaml").read_text().replace("status: 1", "status: 3")
    made_mlruns.write(home / "meta.yaml", meta.replace("null", str(made_mlruns.START + 5_000)))

    said, _ = bring("mlflow-folder", source)

    run = Run.objects.get(uid=RUNS[2])
    assert "1 runs had grown and were completed" in said
    assert (run.status, run.duration_s) == ("Completed", 4.998)
    assert Metric.objects.get(run=run).n_points == 3


@pytest.mark.data
def test_a_database_of_many_runs_comes_in_a_few_transactions(
    workspace: Any, tmp_path: Path, django_assert_max_num_queries: Any
) -> None:
    source = made_mlruns.database(tmp_path / "mlflow.db", 300)
    with django_assert_max_num_queries(220):
        said, problem = bring("mlflow-db", f"sqlite:///{source}")

    assert (said.splitlines()[0].strip(), problem) == ("300 runs imported", "")
    assert "--artifacts" in said
    assert Run.objects.count() == Experiment.objects.get(name="Many").last_number == 300
    assert Metric.objects.filter(n_points=4).count() == 900
    before = all_rows()
    assert "300 runs were here already" in bring("mlflow-db", source)[0]
    assert not changed_tables(before)


def test_one_run_is_the_same_from_a_folder_and_a_database(workspace: Any, tmp_path: Path) -> None:
    bring("mlflow-folder", made_mlruns.folder(tmp_path / "mlruns"))
    source = made_mlruns.database(tmp_path / "mlflow.db", 1)
    with sqlite3.connect(source) as db:
        db.execute("UPDATE runs SET run_uuid = ?", [RUNS[0]])

    bring("mlflow-db", source)

    assert Run.objects.count() == 3


def test_files_that_are_no_database_and_hostile_ones_are_refused(
    workspace: Any, tmp_path: Path
) -> None:
    words = tmp_path / "words.db"
    words.write_text("not a database" * 100)
    view = tmp_path / "view.db"
    with sqlite3.connect(view) as db:
        db.execute("CREATE TABLE experiments (experiment_id INTEGER, name TEXT)")
        db.execute(
            "CREATE VIEW runs AS WITH RECURSIVE n(run_uuid, status, start_time) AS "
            "(SELECT 1, 1, 1 UNION ALL SELECT run_uuid + 1, 1, 1 FROM n) SELECT * FROM n"
        )
    before = all_rows()
    for source in (words, view, tmp_path / "missing.db", "http://127.0.0.1:9"):
        assert bring("mlflow-db", source)[1].startswith("2: ")
    for source in ("ftp://host", "http://user:secret@host", "nothing"):
        problem = bring("mlflow-server", source)[1]
        assert problem.startswith("2: ")
        assert "secret" not in problem
    assert bring("mlflow-folder", tmp_path)[1].startswith("2: ")
    assert not changed_tables(before)


@given(st.binary(max_size=60))
def test_any_line_is_a_point_or_no_point(line: bytes) -> None:
    try:
        step, at_s, value = parsed(line)
    except ValueError:
        return
    assert -(2**63) <= step < 2**63
    assert math.isfinite(at_s)
    assert isinstance(value, float)


@given(st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**53), st.floats(allow_nan=False))
def test_a_line_says_its_point_exactly(step: int, at_ms: int, value: float) -> None:
    assert parsed(f"{at_ms} {value!r} {step}\n".encode()) == (step, at_ms / 1000, value)

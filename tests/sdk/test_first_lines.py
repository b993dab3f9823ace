"""The shortest programs people write."""

from __future__ import annotations

import subprocess
import sys

import pytest

from studio.sdk import Experiment, PropertyConflictException, Run, Workspace
from tests.sdk.conftest import Training
from tests.sdk.fake_server import FakeStudio


def test_six_lines_make_a_completed_run_with_its_metric(
    studio: FakeStudio, training: Training
) -> None:
    done = training.run(
        """
        run = exp.start_logging()
        run.log("message", "Hello from run!")
        print("printed")
        run.complete()
        """
    )
    assert done.returncode == 0, done.stderr
    record = studio.run()
    assert record["status"] == "Completed"
    assert studio.values(record["uid"], "message") == ["Hello from run!"]
    assert bytes(studio.store.logs[record["uid"], "logs/output.txt"]) == b"printed\n"
    assert record["definition"]["python_version"].startswith("3.")
    assert "urllib3" in record["definition"]["packages"]


def test_importing_the_sdk_loads_no_server_and_no_numpy() -> None:
    code = (
        "import sys, studio.sdk;"
        "heavy = {'django', 'celery', 'numpy', 'yaml', 'ninja', 'pydantic', 'matplotlib'};"
        "bad = heavy & set(sys.modules);"
        "sys.exit(str(bad) if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_kind_of_metric_reads_back_in_one_shape(experiment: Experiment) -> None:
    with experiment.start_logging(snapshot_directory=None) as run:
        run.log("loss", 0.5)
        run.log("once", 3)
        run.log("loss", float("nan"), step=2)
        run.log("category", "Red")
        run.log("flag", True)
        run.log_list("fibonacci", (n for n in [0, 1, 1, 2]))
        run.log_row("wave", angle=0.0, cos=1.0)
        run.log_row("wave", angle=1.0, sin=0.5)
        run.log_table("table", {"x": [1, 2], "y": ["a", "b"]})
        run.log_confusion_matrix("cm", {"class_labels": ["a"], "matrix": [[3]]})
        run.log_residuals("res", {"bin_edges": [0, 1], "bin_counts": [4]})
        found = run.get_metrics()
    assert found["once"] == [3.0]
    assert found["loss"][0] == 0.5
    assert found["loss"][1] != found["loss"][1]
    assert found["category"] == ["Red"]
    assert found["flag"] == [True]
    assert found["fibonacci"] == [0.0, 1.0, 1.0, 2.0]
    assert found["wave"] == {"angle": [0.0, 1.0], "cos": [1.0, None], "sin": [None, 0.5]}
    assert found["table"] == {"x": [1, 2], "y": ["a", "b"]}
    assert found["cm"][0]["data"]["matrix"] == [[3]]
    assert found["res"][0]["schema_type"] == "residuals"


def test_tags_merge_and_properties_are_write_once(experiment: Experiment) -> None:
    with experiment.start_logging(snapshot_directory=None) as run:
        run.tag("quality", "great run")
        run.set_tags({"quality": "fantastic run", "rank": 1})
        run.tag("worth another look")
        assert run.tags == {"quality": "fantastic run", "rank": "1", "worth another look": None}
        assert run.remove_tags(["quality"]) == ["quality"]
        assert "quality" not in run.get_tags()
        run.add_properties({"author": "azureml-user"})
        run.add_properties({"author": "azureml-user", "new": "key"})
        with pytest.raises(PropertyConflictException, match="author"):
            run.add_properties({"author": "different-user", "third": "x"})
        assert run.get_properties()["author"] == "azureml-user"
        assert "third" not in run.get_properties()


def test_a_run_is_found_again_by_its_id(workspace: Workspace, experiment: Experiment) -> None:
    with experiment.start_logging(snapshot_directory=None, display_name="<b>x</b>") as run:
        run.description = "# notes"
    for again in (Run(experiment, run.id), Run.get(workspace, run.id), workspace.get_run(run.id)):
        assert again == run
        assert again.description == "# notes"
        assert again.get_status() == "Completed"
        assert again.parent is None
        assert "<b>" not in again._repr_html_()
    assert [found.id for found in experiment.get_runs()] == [run.id]

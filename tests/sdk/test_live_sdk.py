"""The SDK against a real studio with a real worker, as a user's program uses it."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.sdk import (
    ActivityFailedException,
    Experiment,
    PropertyConflictException,
    RunCanceled,
    ScriptRunConfig,
    Workspace,
)
from tests.live.studio import ROOT, Studio
from tests.waiting import wait_until

pytestmark = pytest.mark.live

SIX_LINES = """
from studio.sdk import Workspace, Experiment, Run, ScriptRunConfig
ws = Workspace.from_config()
exp = Experiment(workspace=ws, name="explore-runs")
run = exp.start_logging(); run.log("message", "Hello from run!"); run.complete()
print(run.id)
"""
HELLO = """
import pathlib, sys
from studio.sdk import Run
run = Run.get_context(allow_offline=False)
print("hello", *sys.argv[1:])
run.log(name="message", value="Hello from run!")
for step in range(20):
    run.log("loss", 1 / (step + 1), step=step)
pathlib.Path("outputs").mkdir(exist_ok=True)
pathlib.Path("outputs/model.txt").write_text("weights")
for i, child in enumerate(run.create_children(count=5)):
    child.log(name="Hello from child run ", value=i)
    child.complete()
"""
PARENT = """
from studio.sdk import Run, ScriptRunConfig
run = Run.get_context()
for fruit in ["Apple", "Banana"]:
    run.log("Status", f"Launching {fruit}")
    run.submit_child(ScriptRunConfig(".", "child.py", arguments=["--fruit", fruit]))
for child in run.get_children():
    child.wait_for_completion()
"""
CHILD = """
import sys
from studio.sdk import Run
run = Run.get_context()
run.log("fruit", sys.argv[2])
run.parent.log("from child", run.id)
"""
WAITING = """
import time
from studio.sdk import Run
run = Run.get_context()
run.on_cancel(lambda: print("checkpoint saved", flush=True))
print("ready", flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    studio = Studio(tmp_path_factory.mktemp("live"))
    yield studio.start()
    studio.stop()


@pytest.fixture
def trials(live: Studio) -> Experiment:
    return Experiment(Workspace.from_config(str(live.folder)), "trials")


def project(folder: Path, **scripts: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in scripts.items():
        (folder / f"{name}.py").write_text(text)
    return folder


def test_the_first_six_lines_work_in_a_folder_below_the_config(live: Studio) -> None:
    below = live.folder / "notebooks" / "first"
    below.mkdir(parents=True)
    script = project(below, hello=SIX_LINES) / "hello.py"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("STUDIO_")}
    environment |= {"PYTHONPATH": str(ROOT), "STUDIO_SPOOL_DIR": str(live.folder / "spool")}
    command = [sys.executable, str(script)]
    done = subprocess.run(command, cwd=below, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    run = live.workspace.get_run(done.stdout.strip())
    assert run.get_status() == "Completed"
    assert run.get_metrics() == {"message": ["Hello from run!"]}
    details = run.get_details()
    assert details["endTimeUtc"] > details["startTimeUtc"]
    assert details["runDefinition"]["python_version"]
    assert run.restore_snapshot(path=below).endswith(".zip")


def test_an_interactive_run_keeps_all_it_is_told(trials: Experiment, tmp_path: Path) -> None:
    with trials.start_logging(snapshot_directory=None, display_name="first try") as run:
        assert run.get_status() == "Running"
        print("shown while it runs")
        run.log("loss", float("nan"), step=0)
        run.log("loss", 0.25, step=1)
        run.log_row("wave", angle=0.5, cos=0.9)
        run.log_list("fibonacci", [0, 1, 1, 2])
        run.log_table("sine", {"angle": [1, 2], "sine": [0.1, 0.2]})
        run.log_confusion_matrix("cm", {"class_labels": ["a", "b"], "matrix": [[1, 2], [3, 4]]})
        run.tag("quality", "great run")
        run.tag("worth another look")
        run.add_properties({"author": "azureml-user"})
        with pytest.raises(PropertyConflictException):
            run.add_properties({"author": "different-user"})
        run.description = "# notes"
        run.upload_file("notes/x.txt", __file__)
        assert "endTimeUtc" not in run.get_details()
    again = trials.workspace.get_run(run.id)
    found = again.get_metrics()
    assert found["loss"][0] != found["loss"][0]
    assert found["loss"][1] == 0.25
    assert found["wave"] == {"angle": [0.5], "cos": [0.9]}
    assert found["fibonacci"] == [0, 1, 1, 2]
    assert found["sine"] == {"angle": [1, 2], "sine": [0.1, 0.2]}
    assert found["cm"][0]["data"]["matrix"] == [[1, 2], [3, 4]]
    assert again.get_tags() == {"quality": "great run", "worth another look": None}
    assert again.get_properties()["author"] == "azureml-user"
    assert (again.display_name, again.description) == ("first try", "# notes")
    assert again.read_log() == b"shown while it runs\n"
    assert {"logs/output.txt", "notes/x.txt"} <= set(again.get_file_names())
    again.download_file("notes/x.txt", tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == Path(__file__).read_bytes()
    assert [event["after"] for event in again.history() if event["kind"] == "status"][-1] == (
        "Completed"
    )


def test_a_submitted_script_logs_to_its_run(
    trials: Experiment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = project(tmp_path / "p", hello=HELLO)
    run = trials.submit(ScriptRunConfig(source, "hello.py", ["--lr", 0.1]), tags={"a": "b"})
    details = run.wait_for_completion(show_output=True)
    assert details["status"] == "Completed"
    assert capsys.readouterr().out.count("hello --lr 0.1\n") == 1
    assert run.get_metrics("loss")["loss"] == [1 / (step + 1) for step in range(20)]
    assert run.get_tags() == {"a": "b"}
    assert "outputs/model.txt" in run.get_file_names()
    children = list(run.get_children())
    assert [child.get_status() for child in children] == ["Completed"] * 5
    with zipfile.ZipFile(run.restore_snapshot(path=tmp_path / "snapshots")) as archive:
        assert archive.namelist() == ["hello.py"]


def test_a_script_submits_children_and_they_reach_their_parent(
    trials: Experiment, tmp_path: Path
) -> None:
    run = trials.submit(
        ScriptRunConfig(project(tmp_path / "p", parent=PARENT, child=CHILD), "parent.py")
    )
    run.wait_for_completion()
    children = list(run.get_children())
    assert {child.get_metrics()["fruit"][0] for child in children} == {"Apple", "Banana"}
    assert set(run.get_metrics()["from child"]) == {child.id for child in children}


def test_a_failing_script_raises_with_its_traceback(trials: Experiment, tmp_path: Path) -> None:
    source = project(tmp_path / "p", bad="raise ValueError('bad batch')")
    run = trials.submit(ScriptRunConfig(source, "bad.py"))
    with pytest.raises(ActivityFailedException, match="bad batch") as caught:
        run.wait_for_completion()
    assert "Traceback" in str(caught.value.error)
    assert run.wait_for_completion(raise_on_error=False)["status"] == "Failed"


def test_cancelling_a_submitted_script_runs_its_hook(trials: Experiment, tmp_path: Path) -> None:
    run = trials.submit(ScriptRunConfig(project(tmp_path / "p", wait=WAITING), "wait.py"))
    wait_until(lambda: b"ready" in run.read_log(), 30)
    run.cancel("seen enough")
    assert run.wait_for_completion()["status"] == "Canceled"
    assert b"checkpoint saved" in run.read_log()


def test_cancelling_an_interactive_run_raises_in_its_main_thread(
    trials: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studio.sdk.outbox.BEAT_S", 0.2)

    def train(run: Any) -> None:
        with run:
            trials.workspace.get_run(run.id).cancel("wrong data")
            wait_until(lambda: False, 20)

    run = trials.start_logging(snapshot_directory=None)
    with pytest.raises(RunCanceled, match="wrong data"):
        train(run)
    assert run.get_status() == "Canceled"

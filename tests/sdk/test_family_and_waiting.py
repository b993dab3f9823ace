"""Children, waiting for a run, its logs and files, offline runs, errors of the service."""

from __future__ import annotations

import io
import re
import threading
from pathlib import Path

import pytest

from studio.sdk import (
    ActivityFailedException,
    AuthenticationException,
    ConnectionFailedException,
    Experiment,
    NotFoundException,
    Run,
    RunEnvironmentException,
    ScriptRunConfig,
    SnapshotException,
    UserErrorException,
    Workspace,
)
from studio.sdk.client import Client, retry_delay_s
from tests.sdk.conftest import Training
from tests.sdk.fake_server import FakeStudio
from tests.sdk.fake_store import Fault
from tests.waiting import wait_until


def test_create_children_makes_them_all_in_one_call(
    experiment: Experiment, studio: FakeStudio
) -> None:
    with experiment.start_logging(snapshot_directory=None) as parent:
        before = len(studio.store.requests)
        children = parent.create_children(count=5)
        assert len(studio.store.requests) == before + 1
        for i, child in enumerate(children):
            child.log("Hello from child run", i)
            child.complete()
        tagged = parent.create_children(tag_key="fruit", tag_values=["Apple", "Banana"])
        assert [child.tags for child in tagged] == [{"fruit": "Apple"}, {"fruit": "Banana"}]
        assert len(list(parent.get_children())) == 7
    assert [child.get_status() for child in children] == ["Completed"] * 5
    assert [studio.values(c.id, "Hello from child run") for c in children] == [
        [i] for i in range(5)
    ]
    assert children[0].parent == parent


def test_the_misuses_of_create_children_have_their_own_errors(experiment: Experiment) -> None:
    with experiment.start_logging(snapshot_directory=None) as parent:
        texts = []
        for wrong in (
            {},
            {"tag_key": "a"},
            {"count": 1, "tag_values": ["b"]},
            {"count": 1001},
            {"count": "3"},
        ):
            with pytest.raises(UserErrorException) as caught:
                parent.create_children(**wrong)  # type: ignore[arg-type]
            texts.append(str(caught.value))
    assert len(set(texts)) == 5
    assert "1,000" in texts[3]


def test_a_child_run_completes_on_exit_and_a_grandchild_reaches_the_root(
    experiment: Experiment, studio: FakeStudio
) -> None:
    def break_in(run: Run) -> None:
        with run:
            assert run.parent is not None
            assert run.parent.parent is not None
            run.parent.parent.log("MyMetric", "data")
            raise ValueError("broken")

    start = experiment.start_logging
    with start(snapshot_directory=None) as root, root.child_run("inner") as child:
        grandchild = child.child_run()
        with pytest.raises(ValueError, match="broken"):
            break_in(grandchild)
        assert grandchild.parent == child
    assert grandchild.get_status() == "Failed"
    assert child.get_status() == "Completed"
    assert studio.values(root.id, "MyMetric") == ["data"]
    found = {run.id for run in root.get_children(recursive=True)}
    assert found == {child.id, grandchild.id}


def test_waiting_shows_new_output_and_raises_when_the_run_failed(
    experiment: Experiment, studio: FakeStudio, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "train.py").write_text("")
    run = experiment.submit(ScriptRunConfig(tmp_path, "train.py"), tags={"a": "b"})
    log = studio.store.logs[run.id, "logs/output.txt"] = bytearray(b"epoch 1\ncaf\xc3")

    def work() -> None:
        wait_until(lambda: any("/logs/" in path for _, path in studio.store.requests))
        with studio.lock:
            log.extend(b"\xa9\nepoch 2\n")
            record = studio.store.runs[run.id]
            record.update(status="Failed", error={"code": "UserError", "message": "boom"})

    threading.Thread(target=work).start()
    with pytest.raises(ActivityFailedException, match="boom") as caught:
        run.wait_for_completion(show_output=True)
    assert caught.value.error["code"] == "UserError"
    out = capsys.readouterr().out
    assert "epoch 1\ncafé\nepoch 2\n" in out
    assert out.index("RunId: " + run.id) < out.index("Streaming logs/output.txt")
    assert "Execution Summary" in out
    assert out.count("epoch") == 2
    assert run.wait_for_completion(raise_on_error=False)["status"] == "Failed"
    assert run.get_details_with_logs()["logFiles"]["logs/output.txt"].endswith("epoch 2\n")


def test_files_go_up_and_come_down(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outputs" / "sub").mkdir(parents=True)
    (tmp_path / "outputs" / "sub" / "model.bin").write_bytes(b"\x00model")
    with experiment.start_logging(snapshot_directory=None) as run:
        run.upload_file("a/x.txt", io.BytesIO(b"streamed"))
        run.upload_files(["b.txt"], [tmp_path / "outputs" / "sub" / "model.bin"])
        with pytest.raises(TypeError):
            run.upload_files(["a"], [])
        with pytest.raises(UserErrorException, match="no file"):
            run.upload_file("x", tmp_path / "none")
    assert run.get_file_names() == ["a/x.txt", "b.txt", "outputs/sub/model.bin"]
    (tmp_path / "down").mkdir()
    run.download_file("a/x.txt", tmp_path / "down")
    assert (tmp_path / "down" / "x.txt").read_bytes() == b"streamed"
    with pytest.raises(UserErrorException, match="no file"):
        run.download_file("c.txt")
    run.download_files("outputs", tmp_path / "all", append_prefix=False)
    assert (tmp_path / "all" / "sub" / "model.bin").read_bytes() == b"\x00model"
    with pytest.raises(UserErrorException, match="no files"):
        run.download_files("nothing")


def test_a_hostile_stored_name_cannot_leave_the_folder(
    experiment: Experiment, studio: FakeStudio, tmp_path: Path
) -> None:
    with experiment.start_logging(snapshot_directory=None) as run:
        run.log("x", 1)
    studio.store.artifacts[run.id, "logs/../../../evil"] = b"x"
    with pytest.raises(UserErrorException):
        run.download_files(output_directory=tmp_path / "d")
    with pytest.raises(UserErrorException):
        run.get_all_logs(tmp_path / "d")
    assert not list(tmp_path.rglob("evil"))


def test_all_logs_keep_their_paths(experiment: Experiment, tmp_path: Path) -> None:
    with experiment.start_logging(snapshot_directory=None) as run:
        print("one\ntwo")
    (written,) = run.get_all_logs(tmp_path / "out")
    assert Path(written) == tmp_path / "out" / "logs" / "output.txt"
    assert Path(written).read_text() == "one\ntwo\n"
    with pytest.raises(UserErrorException, match="is a file"):
        run.get_all_logs(written)


def test_a_run_has_one_snapshot(experiment: Experiment, tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "a.py").write_text("a")
    with experiment.start_logging(snapshot_directory=tmp_path / "p") as run:
        with pytest.raises(SnapshotException, match="already has"):
            run.take_snapshot(tmp_path / "p")
        assert Path(run.restore_snapshot(path=tmp_path / "s")).is_absolute()


def test_a_run_object_of_a_finished_run_says_so_when_cancelled(
    experiment: Experiment, caplog: pytest.LogCaptureFixture
) -> None:
    with experiment.start_logging(snapshot_directory=None) as run:
        run.log("x", 1)
    again = Run(experiment, run.id)
    again.cancel()
    assert "already Completed" in caplog.text
    assert again.get_status() == "Completed"
    again.fail("wrong script", "MyCode")
    assert Run(experiment, run.id)._record["error"] == {"code": "MyCode", "message": "wrong script"}


def test_the_same_script_runs_offline_with_the_whole_surface(
    training: Training, studio: FakeStudio
) -> None:
    training.environment.pop("STUDIO_TOKEN")
    script = training.folder / "hello.py"
    script.write_text(
        """
from studio.sdk import Run
with Run.get_context() as run:
    run.log("message", "Hello", step=1)
    run.log_table("t", {"x": [1, 2]})
    run.tag("quality", "good")
    run.add_properties({"a": "b"})
    children = run.create_children(count=2)
    children[0].complete()
    with run.child_run() as child:
        assert child.parent.id == run.id
    assert len(list(run.get_children())) == 3
    assert run.get_metrics() == {"message": ["Hello"], "t": {"x": [1, 2]}}
    assert run.get_tags() == {"quality": "good"}
    run.display_name = "x"
    run.star()
    assert run.get_details()["properties"] == {"a": "b"}
    assert run.history() == [] and run.flush()
assert run.get_status() == "Completed"
"""
    )
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, str(script)], env=training.environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Attempted to log text metric message: 'Hello'" in done.stdout
    assert not studio.store.requests


def test_a_submitted_run_is_demanded_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studio.sdk.run._context", None)
    with pytest.raises(RunEnvironmentException, match="STUDIO_RUN_ID"):
        Run.get_context(allow_offline=False)


def test_errors_of_the_service_become_exceptions(studio: FakeStudio, workspace: Workspace) -> None:
    with pytest.raises(NotFoundException, match="no run"):
        workspace.get_run("unknown")
    with pytest.raises(AuthenticationException):
        Workspace.get("default", url=studio.url, token="wrong")
    with pytest.raises(UserErrorException, match="two words"):
        Experiment(workspace, "two words")
    studio.stop()
    client = Client(studio.url, "default", "secret", retry_total_s=0.2)
    with pytest.raises(ConnectionFailedException, match=re.escape(studio.url)):
        client.get("")


def test_a_call_is_retried_until_it_succeeds(studio: FakeStudio, workspace: Workspace) -> None:
    studio.faults = [Fault("503", path=""), Fault("drop", path=""), Fault("429", path="")]
    assert workspace.get_details()["name"] == "default"


def test_delays_grow_to_a_minute_and_follow_retry_after() -> None:
    assert all(retry_delay_s(0) <= 0.5 for _ in range(100))
    assert 30 < max(retry_delay_s(50) for _ in range(200)) <= 60
    assert retry_delay_s(0, "7") >= 7
    assert retry_delay_s(0, "nonsense") <= 0.5


def test_search_and_targets_give_objects(
    workspace: Workspace, experiment: Experiment, studio: FakeStudio
) -> None:
    with experiment.start_logging(snapshot_directory=None) as run:
        run.tag("quality", "fantastic run")
        run.add_properties({"author": "azureml-user"})
    wanted = {"author": "azureml-user"}
    both = experiment.get_runs(properties=wanted, tags={"quality": "fantastic run"})
    assert list(both) == [run]
    assert list(experiment.get_runs(tags="quality")) == [run]
    assert not list(experiment.get_runs(tags="other"))
    assert not list(experiment.get_runs(properties=wanted, tags={"quality": "bad"}))
    assert [found.id for found in workspace.runs.search("anything")] == [run.id]
    assert workspace.compute_targets["local"].n_workers == 1
    assert list(workspace.experiments) == ["trials"]

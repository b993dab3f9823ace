"""What is done to a run while the studio is away arrives later, in its order."""

from __future__ import annotations

import io
import logging
import sys
from pathlib import Path

import pytest

from studio.sdk import ConnectionFailedException, Experiment, Run, UserErrorException, Workspace
from studio.sdk.outbox import OUTBOX
from tests.sdk.fake_server import FakeStudio

BIG = 26_000_000


@pytest.fixture
def away(studio: FakeStudio, monkeypatch: pytest.MonkeyPatch) -> FakeStudio:
    """A studio to be stopped; calls give up soon."""
    monkeypatch.setattr("studio.sdk.state.CHANGE_RETRY_S", 0.1)
    return studio


def test_files_labels_and_children_made_meanwhile_arrive_in_their_order(
    experiment: Experiment, away: FakeStudio, caplog: pytest.LogCaptureFixture
) -> None:
    run = experiment.start_logging(snapshot_directory=None, outputs=False)
    away.stop()
    run.upload_file("notes/a.txt", io.BytesIO(b"kept"))
    run.tag("quality", "good")
    run.tag("quality", "better")
    run.display_name = "renamed"
    run.add_properties({"author": "ada"})
    with run.child_run("one") as child:
        child.log("loss", 0.5)
        child.upload_file("b.txt", io.BytesIO(b"of the child"))
    kids = run.create_children(tag_key="fruit", tag_values=["Apple", "Banana"])
    kids[0].log("loss", 1.5)
    assert run.tags == {"quality": "better"}
    assert [kid.tags for kid in kids] == [{"fruit": "Apple"}, {"fruit": "Banana"}]
    assert {kid.parent for kid in kids} == {child.parent} == {run}
    assert "the file notes/a.txt" in caplog.text

    away.start()
    assert run.flush(30)
    store = away.store
    assert store.artifacts[run.id, "notes/a.txt"] == b"kept"
    assert store.artifacts[child.id, "b.txt"] == b"of the child"
    record = store.runs[run.id]
    assert (record["tags"], record["display_name"]) == ({"quality": "better"}, "renamed")
    assert record["properties"]["author"] == "ada"
    assert away.values(child.id, "loss") == [0.5]
    assert away.values(kids[0].id, "loss") == [1.5]
    assert store.runs[child.id]["status"] == "Completed"
    assert store.runs[kids[1].id]["tags"] == {"fruit": "Banana"}
    # And from here on straight away again.
    run.tag("quality", "best")
    assert record["tags"] == {"quality": "best"}
    for each in (*kids, run):
        each.complete()


def test_a_file_too_large_to_be_kept_is_refused_with_words(
    experiment: Experiment, away: FakeStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studio.sdk.files.MOST_KEPT_BYTES", 10)
    run = experiment.start_logging(snapshot_directory=None, outputs=False)
    away.stop()
    run._client.retry_total_s = 0.1
    with pytest.raises(ConnectionFailedException, match="no answer"):
        run.upload_file("large", io.BytesIO(b"more than ten bytes"))
    away.start()
    OUTBOX.flush(10)
    run.complete()


def test_a_file_that_went_is_no_failure_of_the_network(experiment: Experiment) -> None:
    with pytest.raises(UserErrorException, match=r"gone\.bin cannot be read"):
        experiment._client.request("PUT", "/blobs/x", body=Path("gone.bin"))


def test_a_file_that_vanishes_is_left_out_of_the_snapshot(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from studio.sdk import snapshots

    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text(name)
    files = snapshots.collect(tmp_path, snapshots.Limits())
    (tmp_path / "b.py").unlink()
    entries, _ = snapshots._digested(tmp_path, files)
    assert [entry["path"] for entry in entries] == ["a.py"]
    assert "is without b.py (No such file" in caplog.text


def test_the_folder_of_a_prompt_is_taken_up_to_25_mb(studio: FakeStudio, tmp_path: Path) -> None:
    import os
    import subprocess

    (tmp_path / "data.bin").write_bytes(b"")
    os.truncate(tmp_path / "data.bin", BIG)
    code = (
        "from studio.sdk import Experiment, Workspace\n"
        f"w = Workspace('default', url={studio.url!r}, token='secret')\n"
        "run = Experiment(w, 'x').start_logging()\n"
        "run.complete()\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "data.bin (26.0 MB" in done.stderr
    assert "ContentSnapshotId" not in studio.run()["properties"]
    assert not (tmp_path / "outputs").exists()


def test_what_a_snapshot_takes_is_told(
    experiment: Experiment, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "train.py").write_text("print(1)")
    with caplog.at_level(logging.INFO, "studio.sdk"):
        run = experiment.start_logging(snapshot_directory=tmp_path, outputs=False)
    assert f"took 1 files, 0.0 MB, of {tmp_path}" in caplog.text
    run.complete()


def test_lists_ask_for_a_page_when_they_need_it(
    experiment: Experiment, studio: FakeStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studio.sdk.search.PAGE", 2)
    with experiment.start_logging(snapshot_directory=None, outputs=False) as parent:
        made = parent.create_children(count=5)
    listed = [("GET", "/api/v1/workspaces/default/runs")]

    def n_pages() -> int:
        return len([request for request in studio.store.requests if request in listed])

    for found, expected in (
        (parent.get_children(), 5),
        (experiment.get_runs(include_children=True), 6),
        (iter(experiment.workspace.runs.search("", include_children=True)), 6),
    ):
        before = n_pages()
        assert n_pages() == before
        first = next(found)
        assert isinstance(first, Run)
        assert n_pages() == before + 1
        assert len([first, *found]) == expected
        assert n_pages() == before + 3
    assert made


def test_metrics_are_read_in_one_request(experiment: Experiment, studio: FakeStudio) -> None:
    with experiment.start_logging(snapshot_directory=None, outputs=False) as run:
        for i in range(50):
            run.log(f"metric {i}", i)
        with run.child_run() as child:
            child.log("loss", 1)
    before = len(studio.store.requests)
    assert len(run.get_metrics()) == 50
    assert set(run.get_metrics(recursive=True)) == {run.id, child.id}
    assert len(studio.store.requests) == before + 2
    assert set(run.get_metrics(recursive=True, run_type="interactive")) == {run.id, child.id}
    assert run.get_metrics(recursive=True, run_type="step") == {}


def test_a_studio_that_is_away_holds_up_no_run_of_another_studio(
    experiment: Experiment, studio: FakeStudio
) -> None:
    with FakeStudio() as other:
        workspace = Workspace("default", url=other.url, token="secret")
        elsewhere = Experiment(workspace, "exp").start_logging(
            snapshot_directory=None, outputs=False
        )
        other.stop()
        elsewhere.log("x", 1.0)
        assert not elsewhere.flush(0.2)
        with experiment.start_logging(snapshot_directory=None, outputs=False) as run:
            run.log("x", 2.0)
            assert run.flush(20)
        assert studio.store.runs[run.id]["status"] == "Completed"
        assert studio.values(run.id, "x") == [2.0]
        assert not elsewhere.flush(0.2), "the other studio was there, so the test shows nothing"
        other.start()
        assert elsewhere.flush(30)
        assert other.values(elsewhere.id, "x") == [1.0]
        elsewhere.complete()

"""A real worker does background work; programs that write to deleted runs stop."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.live.studio import ROOT, Studio, status_of, write_script
from tests.waiting import wait_until

pytestmark = [pytest.mark.live, pytest.mark.tasks]

ENDLESS = """
import time
from studio.sdk import Run
run = Run.get_context()
for step in range(10_000):
    run.log("loss", 1 / (step + 1), step=step)
    time.sleep(0.05)
"""
DELETED_WHILE_IT_LOGS = """
from studio.sdk import Experiment, Workspace
ws = Workspace.from_config()
run = Experiment(ws, "doomed").start_logging(snapshot_directory=None)
run.log("loss", 1.0)
run.flush()
ws._client.post(f"/runs/{run.id}/delete", {"cancel": True})
for step in range(100):
    run.log("loss", float(step))
run.flush(10)
print(run.id)
"""


def work(studio: Studio, made: dict[str, Any]) -> dict[str, Any]:
    """The report of background work, once a worker has ended it."""
    client = studio.workspace._client
    return wait_until(
        lambda: (found := client.get("/work" + f"/{made['id']}"))["ended_at"] and found,
        timeout_s=30,
        message="the work ended",
    )


def in_trash(studio: Studio, uid: str) -> bool:
    return uid in {item["uid"] for item in studio.workspace._client.items("/trash")}


def test_the_worker_tags_in_bulk_and_undoes_it(shared_studio: Studio) -> None:
    from studio.sdk import Experiment

    experiment = Experiment(shared_studio.workspace, "bulk")
    for _ in range(3):
        experiment.start_logging(snapshot_directory=None).complete()
    client = shared_studio.workspace._client
    chosen = {"query": "", "experiment": "bulk"}
    change = {"action": "tags", "selection": chosen, "arguments": {"set": {"seen": None}}}

    report = work(shared_studio, client.post("/bulk", change))
    assert (report["state"], report["n_done"]) == ("Done", 3)
    undone = work(shared_studio, client.post("/work" + f"/{report['id']}/undo", {}))
    assert (undone["state"], undone["n_done"]) == ("Done", 3)
    assert all("seen" not in run["tags"] for run in client.items("/runs", experiment="bulk"))


def test_a_script_of_a_deleted_run_is_stopped(shared_studio: Studio, tmp_path: Path) -> None:
    from studio.sdk import Experiment, ScriptRunConfig

    folder = write_script(tmp_path / "src", ENDLESS)
    config = ScriptRunConfig(source_directory=str(folder), script="train.py")
    run = Experiment(shared_studio.workspace, "doomed").submit(config)
    status_of(run, "Running")
    wait_until(lambda: run.get_metrics(), timeout_s=20, message="it has logged")

    shared_studio.workspace._client.post(f"/runs/{run.id}/delete", {"cancel": True})

    assert in_trash(shared_studio, run.id)
    wait_until(lambda: not shared_studio.processes_of(run.id), timeout_s=40, message="it ended")


def test_an_interactive_program_of_a_deleted_run_ends_without_trouble(
    shared_studio: Studio,
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", DELETED_WHILE_IT_LOGS],
        cwd=shared_studio.folder,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(shared_studio.folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "refused" in done.stderr
    assert in_trash(shared_studio, done.stdout.split()[-1])

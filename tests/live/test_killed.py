"""kill -9 of worker and web: no run unfinished, no process left, no point lost."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.live.studio import ROOT, Studio, status_of, write_script
from tests.live.test_main_job import log_of, submit
from tests.waiting import wait_until

# The short form has these faults in tests/faults: P1, P2, P5, P13.
pytestmark = [pytest.mark.live, pytest.mark.faults, pytest.mark.tasks, pytest.mark.long]

LONG = os.environ.get("STUDIO_FAULTS") == "long"

TICKING = (
    "import subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'],"
    " start_new_session=True)\n"
    "print('ready', flush=True)\n"
    "for i in range(6000): time.sleep(0.1)\n"
)


def started(studio: Studio, folder: Path) -> Any:
    run = submit(studio, write_script(folder, TICKING))
    status_of(run, "Running")
    wait_until(lambda: "ready" in log_of(run), 20, "the script to begin")
    assert len(studio.processes_of(run.id)) >= 2
    return run


def test_a_killed_worker_ends_its_runs_and_the_next_one_runs(
    own_studio: Studio, tmp_path: Path
) -> None:
    runs = [started(own_studio, tmp_path / str(i)) for i in range(2)]
    queued = submit(own_studio, write_script(tmp_path / "next", "print('after')\n"))
    own_studio.child("worker").send_signal(signal.SIGKILL)
    for run in runs:
        assert status_of(run, "Failed", timeout_s=60) == "Failed"
        assert "worker" in str(run.get_details()["error"])
        assert own_studio.processes_of(run.id) == []
        assert "ready" in log_of(run)
    assert status_of(queued, "Completed", timeout_s=60) == "Completed"


def test_a_cancel_survives_the_death_of_the_worker(own_studio: Studio, tmp_path: Path) -> None:
    run = started(own_studio, tmp_path / "a")
    worker = own_studio.child("worker")
    worker.send_signal(signal.SIGSTOP)
    run.cancel()
    assert run.get_status() == "CancelRequested"
    worker.send_signal(signal.SIGKILL)
    assert status_of(run, "Canceled", timeout_s=60) == "Canceled"
    assert own_studio.processes_of(run.id) == []


LEDGER = """
import sys
from studio.sdk import Workspace, Experiment
run = Experiment(Workspace.from_config(), "ledger").start_logging(snapshot_directory=None)
print(run.id, flush=True)
n = int(sys.argv[1])
for i in range(n):
    run.log("value", float(i), step=i)
    if i % 500 == 0:
        run.flush()
        print("flushed", i, flush=True)
run.complete()
print("done", flush=True)
"""


def test_a_killed_web_server_loses_and_doubles_no_point(own_studio: Studio) -> None:
    n = 100_000 if LONG else 4_000
    client = subprocess.Popen(
        [sys.executable, "-c", LEDGER, str(n)],
        cwd=own_studio.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "STUDIO_HOME": ""},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert client.stdout is not None
    run_id = client.stdout.readline().strip()
    n_kills = 0
    while client.poll() is None and n_kills < (40 if LONG else 2):
        web = own_studio.child("web")
        for process in [*web.children(recursive=True), web]:
            process.send_signal(signal.SIGKILL)
        n_kills += 1
        deadline = time.monotonic() + 3
        wait_until(lambda d=deadline: client.poll() is not None or time.monotonic() > d, 10)
    assert client.wait(180) == 0
    assert n_kills > 0
    run = own_studio.workspace.get_run(run_id)
    assert run.get_status() == "Completed"
    values = run.get_metrics()["value"]
    assert len(values) == n
    assert values == [float(i) for i in range(n)]

"""The main job end to end on a running studio: six lines, submit, follow, cancel."""

import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import pytest

from studio.wire.measures import name_of
from studio.wire.sampling import this_host
from tests.live.studio import ROOT, Studio, status_of, write_script
from tests.waiting import wait_until

pytestmark = [pytest.mark.live, pytest.mark.tasks]

SIX_LINES = """
from studio.sdk import Workspace, Experiment, Run, ScriptRunConfig
ws = Workspace.from_config()
exp = Experiment(workspace=ws, name="explore-runs")
run = exp.start_logging(); run.log("message", "Hello from run!"); run.complete()
print(run.id)
"""

STUBBORN = ROOT / "fixtures" / "training" / "stubborn"


def submit(studio: Studio, folder: Path, script: str = "train.py", **options: Any) -> Any:
    from studio.sdk import Experiment, ScriptRunConfig

    config = ScriptRunConfig(source_directory=str(folder), script=script, **options)
    return Experiment(studio.workspace, "live").submit(config)


def log_of(run: Any) -> str:
    return "".join(run.get_details_with_logs()["logFiles"].values())


def test_the_six_lines_work_with_nothing_configured(shared_studio: Studio) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SIX_LINES],
        cwd=shared_studio.folder,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(shared_studio.folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    run = shared_studio.workspace.get_run(done.stdout.split()[-1])
    assert run.get_status() == "Completed"
    assert run.get_metrics() == {"message": ["Hello from run!"]}


def test_a_submitted_script_runs_logs_and_keeps_its_outputs(
    shared_studio: Studio, tmp_path: Path
) -> None:
    folder = write_script(
        tmp_path / "src",
        "import os, sys\n"
        "from studio.sdk import Run\n"
        "run = Run.get_context()\n"
        "for i in range(20): run.log('loss', 1 / (i + 1), step=i)\n"
        "open('outputs/model.txt', 'w').write('weights')\n"
        "print('arguments', sys.argv[1:])\n"
        "print('secrets', [k for k in os.environ if 'SECRET' in k or 'PASSWORD' in k])\n",
    )
    run = submit(shared_studio, folder, arguments=["--lr", 0.1])
    run.wait_for_completion()
    assert run.get_status() == "Completed"
    assert "arguments ['--lr', '0.1']" in log_of(run)
    assert "secrets []" in log_of(run)
    assert [(name, len(values)) for name, values in run.get_metrics().items()] == [("loss", 20)]
    # However short it was, its worker has looked at the machine.
    (memory,) = run.get_metrics(name_of(this_host(), "host_memory_used_bytes")).values()
    assert memory[0] > 1e6
    assert "outputs/model.txt" in run.get_file_names()
    statuses = [event["after"] for event in run.history() if event["kind"] == "status"]
    assert statuses in (ORDER, ORDER[::-1])


ORDER = ["Queued", "Starting", "Preparing", "Running", "Finalizing", "Completed"]


def test_a_script_that_raises_fails_with_its_traceback(
    shared_studio: Studio, tmp_path: Path
) -> None:
    from studio.sdk import ActivityFailedException

    folder = write_script(
        tmp_path / "src", "print('begin')\nraise ValueError('bad shape (3, 4)')\n"
    )
    run = submit(shared_studio, folder)
    with pytest.raises(ActivityFailedException, match="bad shape"):
        run.wait_for_completion()
    details = run.get_details()
    assert details["status"] == "Failed"
    assert "ValueError: bad shape (3, 4)" in str(details["error"])


def test_the_log_grows_within_two_seconds_of_being_written(
    shared_studio: Studio, tmp_path: Path
) -> None:
    folder = write_script(
        tmp_path / "src",
        "import time\n"
        "for i in range(40): print('tick', i, time.time(), flush=True); time.sleep(0.1)\n",
    )
    run = submit(shared_studio, folder)
    status_of(run, "Running")
    lags = []
    while run.get_status() == "Running" and len(lags) < 8:
        lines = [line for line in log_of(run).splitlines() if line.startswith("tick")]
        if lines:
            lags.append(time.time() - float(lines[-1].split()[2]))
    assert lags
    assert min(lags) < 2
    assert sorted(lags)[len(lags) // 2] < 2
    run.cancel()
    status_of(run, "Canceled", "Completed")


def test_cancel_stops_the_whole_tree_and_says_who(shared_studio: Studio) -> None:
    run = submit(shared_studio, STUBBORN, arguments=["--seconds", "120"])
    status_of(run, "Running")
    wait_until(lambda: "monitor" in log_of(run), 30, "the script's own children")
    assert len(shared_studio.processes_of(run.id)) >= 3
    run.cancel()
    assert status_of(run, "Canceled") == "Canceled"
    assert shared_studio.processes_of(run.id) == []
    asked = [e for e in run.history() if e["after"] == "CancelRequested"]
    assert asked[0]["actor"] == "admin"
    assert asked[0]["at"]


def test_cancel_kills_what_ignores_every_signal_after_the_grace_period(
    shared_studio: Studio,
) -> None:
    run = submit(shared_studio, STUBBORN, arguments=["--seconds", "120", "--ignore-signals"])
    status_of(run, "Running")
    wait_until(lambda: "[monitor" in log_of(run), 30, "the script to turn deaf")
    began = time.monotonic()
    run.cancel()
    # Long before the two minutes that the script takes.
    status_of(run, "Canceled", timeout_s=60)
    # Never before the grace of 3 s is over.
    assert time.monotonic() - began >= 3
    assert shared_studio.processes_of(run.id) == []
    assert run.get_details()["properties"] is not None


def test_a_queued_run_waits_for_a_slot_and_a_cancelled_one_never_starts(
    shared_studio: Studio, tmp_path: Path
) -> None:
    slow = write_script(tmp_path / "slow", "import time\ntime.sleep(60)\n")
    going = [submit(shared_studio, slow) for _ in range(2)]
    for run in going:
        status_of(run, "Running")
    waiting = submit(shared_studio, slow)
    assert waiting.get_status() == "Queued"
    waiting.cancel()
    assert waiting.get_status() == "Canceled"
    for run in going:
        run.cancel()
    for run in going:
        status_of(run, "Canceled")
    statuses = [e["after"] for e in waiting.history() if e["kind"] == "status"]
    assert "Starting" not in statuses


def test_a_child_run_made_in_a_script_belongs_to_it(shared_studio: Studio, tmp_path: Path) -> None:
    folder = write_script(
        tmp_path / "src",
        "from studio.sdk import Run\n"
        "run = Run.get_context()\n"
        "for i in range(3):\n"
        "    with run.child_run() as child: child.log('score', i)\n",
    )
    run = submit(shared_studio, folder)
    run.wait_for_completion()
    children = list(run.get_children())
    assert [child.get_status() for child in children] == ["Completed"] * 3
    assert {child.parent.id for child in children} == {run.id}


def test_the_page_answers_and_asks_to_sign_in(shared_studio: Studio) -> None:
    with urllib.request.urlopen(shared_studio.url + "/", timeout=10) as answer:
        assert "/sign-in" in answer.url
        assert "Content-Security-Policy" in answer.headers


def test_createtoken_prints_only_the_token(shared_studio: Studio) -> None:
    out = shared_studio.manage("createtoken", "admin", "--workspace", "default")
    assert out.startswith("studio_")
    assert len(out.split()) == 1


def test_ctrl_c_leaves_no_process_and_a_second_start_keeps_everything(tmp_path: Path) -> None:
    studio = Studio(tmp_path / "own").start()
    slow = write_script(tmp_path / "slow", "import time\nprint('on')\ntime.sleep(600)\n")
    run = submit(studio, slow)
    status_of(run, "Running")
    pids = [process.pid for process in studio.marked()]
    assert studio.stop() == 0
    assert [pid for pid in pids if psutil.pid_exists(pid)] == []
    assert studio.marked() == []
    token = studio.config["token"]
    studio.start()
    try:
        assert studio.config["token"] == token
        again = studio.workspace.get_run(run.id)
        assert again.get_status() == "Canceled"
        assert "shut down" in str(again.history())
    finally:
        studio.stop()

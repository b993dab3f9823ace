"""One execution per attempt: stopped, killed and replaced workers (P1, P2, P3)."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.live.conftest import show_log
from tests.live.faults import large_source, preparing, rows, second_worker
from tests.live.studio import Studio, status_of, write_script
from tests.live.test_main_job import log_of, submit
from tests.waiting import wait_until

pytestmark = [pytest.mark.live, pytest.mark.faults]

IMPATIENT = {
    "STUDIO_WORKER_BEAT_S": "0.5",
    "STUDIO_WORKER_LOST_AFTER_S": "3",
    "STUDIO_NOT_RESPONDING_AFTER_S": "3",
    "STUDIO_LOST_AFTER_S": "5",
}
EFFECT = (
    "import sys, time\n"
    "with open(sys.argv[1], 'a') as effects: effects.write('started\\n')\n"
    "print('done')\n"
)


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    studio = Studio(tmp_path_factory.mktemp("impatient"), **IMPATIENT).start()
    yield studio
    studio.stop()
    show_log(studio)


def history(run: Any) -> list[str]:
    moves = [event["after"] for event in run.history() if event["kind"] == "status"]
    return moves if moves[0] in {"Queued", "NotStarted"} else moves[::-1]


@pytest.mark.long
def test_a_stopped_worker_that_comes_back_kills_its_process_and_writes_nothing(
    impatient: Studio, tmp_path: Path
) -> None:
    tick = "import time\nfor i in range(6000): print('tick', i, flush=True); time.sleep(0.05)\n"
    run = submit(impatient, write_script(tmp_path / "src", tick))
    status_of(run, "Running")
    wait_until(lambda: "tick 3" in log_of(run), 20, "the script to begin")
    stopped = impatient.child("worker")
    with second_worker(impatient, "other"):
        stopped.send_signal(signal.SIGSTOP)
        try:
            assert status_of(run, "Failed", timeout_s=40) == "Failed"
            ended, log = run.get_details(), log_of(run)
            assert "NotResponding" in history(run)
            assert "Lost" in str(ended["error"])
            assert "tick 3" in str(ended["error"])
            # Its process may live: nobody but the stopped worker can reach it.
            assert impatient.processes_of(run.id) != []
        finally:
            stopped.send_signal(signal.SIGCONT)
        wait_until(lambda: impatient.processes_of(run.id) == [], 15, "the fenced process to end")
        wait_until(lambda: guards_of(impatient) == [], 15, "its guard to end")
        assert log_of(run) == log
        assert run.get_status() == "Failed"
        assert history(run).count("Failed") == 1


def guards_of(studio: Studio) -> list[psutil.Process]:
    return [p for p in studio.marked() if any("guard.py" in word for word in p.cmdline())]


@pytest.mark.long
def test_a_worker_stopped_before_the_start_never_starts_what_another_took_over(
    impatient: Studio, tmp_path: Path
) -> None:
    effects = tmp_path / "effects"
    stopped = impatient.child("worker")
    folder = large_source(tmp_path / "src", EFFECT)
    run = submit(impatient, folder, arguments=[str(effects)])
    preparing(impatient, run)
    stopped.send_signal(signal.SIGSTOP)
    try:
        assert run.get_status() == "Preparing"
        with second_worker(impatient, "another"):
            assert status_of(run, "Completed", timeout_s=60) == "Completed"
            stopped.send_signal(signal.SIGCONT)
            folders = impatient.folder / "home" / "runs"
            wait_until(lambda: list(folders.iterdir()) == [], 20, "the fenced folder to go")
    finally:
        stopped.send_signal(signal.SIGCONT)
    assert effects.read_text() == "started\n"
    assert history(run).count("Queued") == 2
    assert rows(impatient, "SELECT n_attempts FROM compute_job ORDER BY id DESC LIMIT 1") == [(2,)]


def test_a_worker_killed_before_the_start_gives_the_run_to_the_next(
    impatient: Studio, tmp_path: Path
) -> None:
    effects = tmp_path / "effects"
    worker = impatient.child("worker")
    folder = large_source(tmp_path / "src", EFFECT)
    run = submit(impatient, folder, arguments=[str(effects)])
    preparing(impatient, run)
    worker.send_signal(signal.SIGKILL)
    began = time.monotonic()
    assert status_of(run, "Completed", timeout_s=60) == "Completed"
    print(f"completed {time.monotonic() - began:.1f} s after the kill")
    assert effects.read_text() == "started\n"
    assert history(run).count("Queued") == 2


def test_a_cancel_while_the_source_is_copied_starts_nothing(
    impatient: Studio, tmp_path: Path
) -> None:
    effects = tmp_path / "effects"
    folder = large_source(tmp_path / "src", EFFECT)
    run = submit(impatient, folder, arguments=[str(effects)])
    preparing(impatient, run)
    run.cancel()
    assert status_of(run, "Canceled") == "Canceled"
    assert "Running" not in history(run)
    assert not effects.exists()


def test_a_worker_killed_while_it_collects_loses_no_output(
    impatient: Studio, tmp_path: Path
) -> None:
    n = 400
    text = f"for i in range({n}): open(f'outputs/{{i}}', 'w').write(str(i) * 1000)\nprint('end')\n"
    run = submit(impatient, write_script(tmp_path / "src", text))
    wait_until(lambda: run.get_status() == "Finalizing", 30, "Finalizing", every_s=0.01)
    impatient.child("worker").send_signal(signal.SIGKILL)
    assert status_of(run, "Completed", timeout_s=60) == "Completed"
    names = [name for name in run.get_file_names() if name.startswith("outputs/")]
    assert len(names) == len(set(names)) == n
    assert log_of(run).count("end\n") == 1


def test_a_worker_killed_in_its_recovery_too_still_ends_the_run(
    impatient: Studio, tmp_path: Path
) -> None:
    deaf = (
        "import signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('ready', flush=True)\n"
        "time.sleep(600)\n"
    )
    run = submit(impatient, write_script(tmp_path / "src", deaf))
    status_of(run, "Running")
    wait_until(lambda: "ready" in log_of(run), 20, "the script to begin")
    began = time.monotonic()
    for _ in range(3):
        worker = impatient.child("worker")
        worker.send_signal(signal.SIGKILL)
        wait_until(lambda dead=worker.pid: impatient.child("worker").pid != dead, 20)
    assert status_of(run, "Failed", timeout_s=60) == "Failed"
    assert "worker" in str(run.get_details()["error"])
    assert impatient.processes_of(run.id) == []
    print(f"ended {time.monotonic() - began:.1f} s after the first of three kills")

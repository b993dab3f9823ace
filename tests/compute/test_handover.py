"""A run outlives its worker when it was handed over, for a bounded time, and only then."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from studio.compute import launcher
from studio.compute.launcher import AdoptedGuard, GuardHandle, adopt
from tests.compute.test_guard import (
    IGNORE_BOTH,
    READY,
    SLEEP,
    Run,
    end_of,
    is_alive,
    run,
    wait_ready,
)
from tests.waiting import wait_until

__all__ = ["run"]

UNTIL_TOLD = (
    READY + "while not pathlib.Path('go').exists(): time.sleep(0.01)\n"
    "print('trained')\nraise SystemExit(3)\n"
)


def taken_up(handle: GuardHandle) -> AdoptedGuard:
    return wait_until(lambda: adopt(handle.folder, handle.cookie), 5, "the guard to be adopted")


def waits(handle: GuardHandle) -> bool:
    """Whether the guard has noticed that its worker is gone and reads the named pipe."""
    return Path(f"/proc/{handle.guard_pid}/fd/0").resolve().name == launcher.LIFELINE_FILE


def test_a_run_goes_on_from_worker_to_worker_and_its_end_is_seen_by_the_last(run: Run) -> None:
    handle = run(UNTIL_TOLD)
    pid = wait_ready(handle)
    assert handle.hand_over(20)
    assert not handle.hand_over(20)
    guard = taken_up(handle)
    for _ in range(3):
        assert guard.poll() is None
        assert guard.hand_over(20)
        guard = taken_up(handle)
    assert is_alive(pid)
    assert guard.guard_pid == handle.process.pid
    (handle.spec.cwd / "go").touch()
    assert guard.wait(10)
    assert guard.poll() == 0
    status = end_of(handle)
    assert (status.exit_code, status.reason) == (3, None)
    assert handle.log_file.read_text() == "trained\n"
    assert not guard.cancel(), "a guard that is gone can't be told"


def test_an_adopted_run_is_cancelled_and_killed_as_any_other(run: Run) -> None:
    handle = run(IGNORE_BOTH + SLEEP)
    wait_ready(handle)
    handle.hand_over(20)
    guard = taken_up(handle)
    assert guard.cancel()
    wait_until(lambda: getattr(guard.status(), "state", "") == "interrupting")
    guard.hand_over(20)
    guard = taken_up(handle)
    assert guard.kill()
    status = end_of(handle)
    assert (status.reason, status.exit_signal) == ("cancel", signal.SIGKILL)


def test_a_run_that_nobody_takes_up_is_ended_after_the_time(run: Run) -> None:
    handle = run(SLEEP)
    wait_ready(handle)
    began = time.monotonic()
    handle.hand_over(0.5)
    status = end_of(handle)
    assert time.monotonic() - began >= 0.5
    assert status.reason == "worker_lost"
    assert adopt(handle.folder, handle.cookie) is None


def test_the_death_of_the_next_worker_ends_the_run(run: Run) -> None:
    handle = run(SLEEP)
    wait_ready(handle)
    handle.hand_over(20)
    taken_up(handle).close()
    assert end_of(handle).reason == "worker_lost"


def test_nobody_takes_up_a_run_whose_worker_lives_or_was_killed(run: Run) -> None:
    handle = run(SLEEP)
    wait_ready(handle)
    assert adopt(handle.folder, handle.cookie) is None
    handle.close()
    assert end_of(handle).reason == "worker_lost"
    assert adopt(handle.folder, handle.cookie) is None
    assert adopt(handle.folder / "nowhere", handle.cookie) is None


def test_a_guard_killed_after_it_was_adopted_is_noticed(run: Run) -> None:
    handle = run(SLEEP)
    pid = wait_ready(handle)
    handle.hand_over(20)
    guard = taken_up(handle)
    guard.kill_guard()
    assert guard.wait(5)
    assert guard.poll() == -signal.SIGKILL
    assert guard.sweep() == 1
    assert not is_alive(pid)


def test_one_who_opens_the_lifeline_and_says_nothing_changes_nothing(run: Run) -> None:
    handle = run(SLEEP)
    pid = wait_ready(handle)
    handle.hand_over(20)
    wait_until(lambda: waits(handle), 5, "the guard to wait")
    os.close(os.open(handle.folder / launcher.LIFELINE_FILE, os.O_WRONLY | os.O_NONBLOCK))
    guard = taken_up(handle)
    assert guard.hand_over(0.3)
    os.close(os.open(handle.folder / launcher.LIFELINE_FILE, os.O_WRONLY | os.O_NONBLOCK))
    assert end_of(handle).reason == "worker_lost"
    assert not is_alive(pid)


@pytest.mark.parametrize("n", [20])
def test_a_race_between_leaving_and_taking_up_loses_no_run(run: Run, n: int) -> None:
    handle = run(UNTIL_TOLD)
    pid = wait_ready(handle)
    handle.hand_over(20)
    for _ in range(n):
        # At once: the guard may read both words, or neither, before it sees the end of file.
        guard = wait_until(lambda: adopt(handle.folder, handle.cookie), 5, every_s=0)
        guard.hand_over(20)
    guard = taken_up(handle)
    assert is_alive(pid)
    (handle.spec.cwd / "go").touch()
    assert end_of(handle).exit_code == 3


def test_what_is_no_pipe_is_not_taken_for_a_guard(run: Run, tmp_path: Path) -> None:
    handle = run(SLEEP)
    wait_ready(handle)
    lifeline = handle.folder / launcher.LIFELINE_FILE
    handle.hand_over(20)
    wait_until(lambda: waits(handle), 5, "the guard to wait")
    real = lifeline.rename(tmp_path / "real")
    lifeline.write_text("")
    assert adopt(handle.folder, handle.cookie) is None
    assert lifeline.read_text() == ""
    lifeline.unlink()
    lifeline.symlink_to(real)
    assert adopt(handle.folder, handle.cookie) is None


def test_only_the_guard_itself_is_killed_whatever_its_report_says(run: Run) -> None:
    handle = run(SLEEP)
    wait_ready(handle)
    handle.hand_over(20)
    guard = taken_up(handle)
    with subprocess.Popen(["sleep", "600"]) as other:
        report = handle.folder / launcher.STATUS_FILE
        report.write_text(json.dumps({"state": "running", "guard_pid": other.pid}))
        assert guard.guard_pid == other.pid
        guard.kill_guard()
        assert handle.wait(5)
        assert is_alive(other.pid)
        other.kill()
    guard.kill_guard()  # twice: it is gone

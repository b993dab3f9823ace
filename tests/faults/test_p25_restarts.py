"""P25: the studio is replaced and its database changed while runs train; none fails, nothing is
lost."""

import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.conftest import Promise
from tests.faults.trainings import LONG, Training, moves
from tests.live.conftest import show_log
from tests.live.studio import Studio, status_of
from tests.live.test_main_job import log_of
from tests.waiting import wait_until

pytestmark = [pytest.mark.live, pytest.mark.faults]

N_RUNS = 20 if LONG else 3
N_RESTARTS = 5 if LONG else 1
Train = Callable[..., Training]


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    made = Studio(tmp_path_factory.mktemp("restarts"), concurrency=N_RUNS + 1).start()
    yield made
    made.stop()
    show_log(made)


@pytest.fixture
def train(studio: Studio, tmp_path: Path) -> Iterator[Train]:
    """Makes a training by its name; those that a failed test leaves end, so that their slots are
    free for its second try."""
    made: list[Training] = []

    def make(name: str, every_s: float = 0.02) -> Training:
        made.append(Training(studio, tmp_path / name, every_s=every_s))
        return made[-1]

    yield make
    for training in made:
        training.end_file.touch()


def replaced(studio: Studio, name: str, number: int) -> None:
    """Signal one process and wait until another one serves in its place."""
    before = studio.child(name)
    before.send_signal(number)
    wait_until(lambda: not before.is_running() or before.status() == "zombie", 30, f"{name} to end")
    wait_until(lambda: studio.child(name).pid != before.pid, 30, f"another {name}")


def restart_all(studio: Studio) -> float:
    """`kill -HUP` to the whole; seconds until it greets again."""
    assert studio.process is not None
    began, n = time.monotonic(), studio.log.read_text().count("Ctrl-C stops it")
    studio.process.send_signal(signal.SIGHUP)
    wait_until(lambda: studio.log.read_text().count("Ctrl-C stops it") > n, 90, "it to greet again")
    return time.monotonic() - began


def pid_of(training: Training) -> int:
    found = re.match(r"pid (\d+)", log_of(training.run))
    assert found
    return int(found[1])


def test_runs_outlive_every_process_of_the_studio(
    studio: Studio, train: Train, promise: Promise
) -> None:
    promise("P25", "runs outlive restarts", n=N_RUNS)
    every_s = 0.2 if LONG else 0.02
    trainings = [train(str(i), every_s) for i in range(N_RUNS)]
    cancelled = train("cancelled")
    for training in (*trainings, cancelled):
        training.begun()
    pids = {training: pid_of(training) for training in trainings}
    took_s = []
    for _ in range(N_RESTARTS):
        took_s.append(restart_all(studio))
        replaced(studio, "worker", signal.SIGHUP)
        web = studio.child("web")
        serving = {process.pid for process in web.children()}
        web.send_signal(signal.SIGHUP)
        wait_until(
            lambda old=serving, w=web: not old & {p.pid for p in w.children()}, 30, "new web"
        )
        assert all(training.advances() for training in trainings)
    assert {training: pid_of(training) for training in trainings} == pids
    cancelled.run.cancel()
    assert status_of(cancelled.run, "Canceled") == "Canceled"
    assert studio.processes_of(cancelled.run.id) == []
    for training in trainings:
        training.finish()
        assert moves(training.run) == ORDER
    print(f"{N_RUNS} runs, {N_RESTARTS} restarts; away for {max(took_s):.1f} s at most")


ORDER = ["Queued", "Starting", "Preparing", "Running", "Finalizing", "Completed"]


def test_the_death_of_a_worker_that_took_runs_up_ends_them(
    studio: Studio, train: Train, promise: Promise
) -> None:
    promise("P25", "an adopted run ends with its worker")
    training = train("a").begun()
    replaced(studio, "worker", signal.SIGHUP)
    assert training.advances()
    assert studio.processes_of(training.run.id)
    studio.child("worker").send_signal(signal.SIGKILL)
    assert status_of(training.run, "Failed", timeout_s=60) == "Failed"
    assert "worker" in str(training.run.get_details()["error"])
    assert studio.processes_of(training.run.id) == []

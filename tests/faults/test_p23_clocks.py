"""P23: clocks that lie. A worker whose clock is a day off and jumps: no run is lost for it, nothing
lasts less than no time, and order is by step. The studio is in a zone with summer time, not UTC.

The clock of the worker's processes and of its scripts is a library of the test's own, compiled here
and preloaded: the time of day is wrong by as much as a file says. (libfaketime was tried: with it a
`time.sleep` of Python 3.11 fails.)
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.conftest import Promise
from tests.faults.trainings import Training, moves
from tests.live.conftest import show_log
from tests.live.studio import ROOT, Studio, status_of
from tests.postgres import address_of, database_of_its_own
from tests.waiting import wait_until

pytestmark = [pytest.mark.live, pytest.mark.faults]

# A clock that is taken for the truth loses the run within seconds.
IMPATIENT = {
    "STUDIO_WORKER_BEAT_S": "0.5",
    "STUDIO_WORKER_LOST_AFTER_S": "6",
    "STUDIO_NOT_RESPONDING_AFTER_S": "6",
    "STUDIO_LOST_AFTER_S": "12",
}
ZONE = "Europe/Berlin"
DAY_S = 86_400


def library(folder: Path) -> Path:
    """The lying clock, compiled."""
    made = folder / "lying_clock.so"
    source = Path(__file__).with_name("lying_clock.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", made, source], check=True)
    return made


class LyingWorker:
    """A worker of a target of its own whose clock says what `set` told it."""

    def __init__(self, studio: Studio, folder: Path) -> None:
        self.clock = folder / "clock"
        self.set(0)
        self.log = folder / "lying.log"
        env = {
            **studio.env,
            "STUDIO_HOME": str(studio.folder / "home"),
            "LD_PRELOAD": str(library(folder)),
            "LYING_CLOCK": str(self.clock),
            "TZ": ZONE,
        }
        words = [sys.executable, str(ROOT / "manage.py"), "worker", "--target", "lying"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(words, cwd=folder, env=env, stdout=log, stderr=log)
        wait_until(lambda: "serves" in self.log.read_text(), 60, "the lying worker")

    def set(self, wrong_by_s: int) -> None:
        """Change its clock by so much, at once."""
        part = self.clock.with_suffix(".part")
        part.write_text(f"{wrong_by_s}\n")
        os.replace(part, self.clock)

    def says(self) -> str:
        return self.log.read_text()[-3000:]

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(40)


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    # Machines with clocks of their own share a database server; its clock is asked for silence.
    with database_of_its_own() as database:
        address = address_of(database)
        made = Studio(tmp_path / "studio", TZ=ZONE, DATABASE_URL=address, **IMPATIENT).start()
        yield made
        made.stop()
        show_log(made)


@pytest.fixture
def worker(studio: Studio, tmp_path: Path) -> Iterator[LyingWorker]:
    made = LyingWorker(studio, tmp_path)
    yield made
    made.stop()
    print(made.says())


def test_a_worker_whose_clock_jumps_by_days_loses_no_run(
    studio: Studio, worker: LyingWorker, tmp_path: Path, promise: Promise
) -> None:
    promise("P23", "a clock that jumps loses no run")
    training = Training(studio, tmp_path / "a", compute_target="lying").begun()
    for wrong_by_s in (DAY_S, -DAY_S, 3_600, -7_200, 0):
        worker.set(wrong_by_s)
        began = time.monotonic()
        assert training.advances()
        # Longer than a silence that would count, on the worker's own clock many times over.
        wait_until(lambda s=began: time.monotonic() - s > 1.5, 10)  # type: ignore[misc]
        assert training.run.get_status() == "Running"
    worker.set(-DAY_S)
    training.finish()
    assert moves(training.run) == [
        "Queued", "Starting", "Preparing", "Running", "Finalizing", "Completed"
    ]  # fmt: skip
    facts = training.run._client.get(f"/runs/{training.run.id}")
    print({key: value for key, value in facts.items() if key.endswith(("_at", "_s"))})
    assert facts["duration_s"] >= 0
    assert facts["started_at"] <= facts["ended_at"]


def test_a_run_that_began_tomorrow_and_ended_yesterday_took_no_negative_time(
    studio: Studio, worker: LyingWorker, tmp_path: Path, promise: Promise
) -> None:
    promise("P23", "no negative duration")
    worker.set(DAY_S)
    training = Training(studio, tmp_path / "a", compute_target="lying").begun()
    worker.set(-DAY_S)
    training.run.cancel()
    assert status_of(training.run, "Canceled") == "Canceled"
    facts = training.run._client.get(f"/runs/{training.run.id}")
    print({key: value for key, value in facts.items() if key.endswith(("_at", "_s"))})
    assert facts["duration_s"] >= 0
    assert facts["started_at"] <= facts["ended_at"]
    assert moves(training.run)[-2:] == ["CancelRequested", "Canceled"]

"""P23: clocks that lie. A worker whose clock is a day off and jumps: no run is lost for it, nothing
lasts less than no time, and order is by step. The studio is in a zone with summer time, not UTC.

The clock of the worker's processes (guards and scripts that it starts have the machine's own) is
libfaketime's: every program's real calls for the time are answered with what a file says by then.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.trainings import Training, moves
from tests.live.conftest import show_log
from tests.live.studio import ROOT, Studio, status_of
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


def library() -> Path:
    """libfaketime, installed where that is possible."""
    found = find_library()
    if found is None:
        subprocess.run(["apt-get", "install", "-y", "-qq", "libfaketime"], check=True)
        found = find_library()
    assert found is not None, "these tests need libfaketime"
    return found


def find_library() -> Path | None:
    return next(iter(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)


class LyingWorker:
    """A worker of a target of its own whose clock says what `set` told it."""

    def __init__(self, studio: Studio, folder: Path) -> None:
        self.clock = folder / "clock"
        self.set("+0d")
        self.log = folder / "lying.log"
        env = {
            **studio.env,
            "STUDIO_HOME": str(studio.folder / "home"),
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(self.clock),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "TZ": ZONE,
        }
        words = [sys.executable, str(ROOT / "manage.py"), "worker", "--target", "lying"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(words, cwd=folder, env=env, stdout=log, stderr=log)
        wait_until(lambda: "serves" in self.log.read_text(), 60, "the lying worker")

    def set(self, offset: str) -> None:
        """Change its clock by so much, at once."""
        part = self.clock.with_suffix(".part")
        part.write_text(offset + "\n")
        os.replace(part, self.clock)

    def says(self) -> str:
        return self.log.read_text()[-3000:]

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(40)


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    made = Studio(tmp_path / "studio", TZ=ZONE, **IMPATIENT).start()
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
    studio: Studio, worker: LyingWorker, tmp_path: Path
) -> None:
    training = Training(studio, tmp_path / "a", compute_target="lying").begun()
    for offset in ("+1d", "-1d", "+3600", "-7200", "+0d"):
        worker.set(offset)
        began = time.monotonic()
        assert training.advances()
        # Longer than a silence that would count, on the worker's own clock many times over.
        wait_until(lambda s=began: time.monotonic() - s > 1.5, 10)  # type: ignore[misc]
        assert training.run.get_status() == "Running"
    worker.set("-1d")
    training.finish()
    assert moves(training.run) == [
        "Queued", "Starting", "Preparing", "Running", "Finalizing", "Completed"
    ]  # fmt: skip
    facts = training.run._client.get(f"/runs/{training.run.id}")
    print({key: value for key, value in facts.items() if key.endswith(("_at", "_s"))})
    assert facts["duration_s"] >= 0
    assert facts["started_at"] <= facts["ended_at"]


def test_a_run_that_began_tomorrow_and_ended_yesterday_took_no_negative_time(
    studio: Studio, worker: LyingWorker, tmp_path: Path
) -> None:
    worker.set("+1d")
    training = Training(studio, tmp_path / "a", compute_target="lying").begun()
    worker.set("-1d")
    training.run.cancel()
    assert status_of(training.run, "Canceled") == "Canceled"
    facts = training.run._client.get(f"/runs/{training.run.id}")
    print({key: value for key, value in facts.items() if key.endswith(("_at", "_s"))})
    assert facts["duration_s"] >= 0
    assert facts["started_at"] <= facts["ended_at"]
    assert moves(training.run)[-2:] == ["CancelRequested", "Canceled"]

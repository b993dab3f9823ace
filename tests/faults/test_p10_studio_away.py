"""P10: the studio away or hanging in the middle of logging. Nothing is lost or doubled, memory is
bounded, and what a dead trainer kept on disk is sent later. P6 beside it: batches sent again."""

import json
import random
import signal
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.sdk import Experiment
from studio.wire import Batch, Series
from tests.amount import dice, form
from tests.faults.conftest import Promise
from tests.faults.programs import Program, balance
from tests.live.conftest import show_log
from tests.live.studio import Studio, status_of, write_script
from tests.live.test_main_job import submit
from tests.waiting import wait_until

pytestmark = [pytest.mark.live, pytest.mark.faults]

AWAY_S = form(5, 60)
# More than the queue holds, at the pace of the processor.
BURST = form(300_000, 1_000_000)
MOST_GROWTH_BYTES = 64 << 20


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    made = Studio(tmp_path_factory.mktemp("away")).start()
    yield made
    made.stop()
    show_log(made)


# Logs until a file is there; a flush that is answered is told. `patient`: whether its end waits.
TRAIN = """
import os, sys, time
import studio.sdk.run as run_module
from studio.sdk import Experiment, Workspace

if sys.argv[2] == "impatient":
    run_module.END_FLUSH_S = 0.5
with Experiment(Workspace.from_config(), "away").start_logging(
    snapshot_directory=None, outputs=False
) as run:
    os.write(1, f"{run.id}\\n".encode())
    i = 0
    while not os.path.exists(sys.argv[1]):
        run.log("i", float(i), step=i)
        i += 1
        if i == 100 and run.flush():
            os.write(1, b"100\\n")
        time.sleep(0.001)
    run.tag("ended", str(i))
os.write(1, f"{i}\\n".encode())
"""


def begun(studio: Studio, folder: Path, how: str) -> Program:
    return Program(studio, folder, TRAIN, folder / "end", how)


def sent_often(studio: Studio, run: Any, batches: list[dict[str, Any]], name: str) -> None:
    """Send every batch 1 to 5 times, all of them in a random order."""
    chance = dice(name)
    sends = [batch for batch in batches for _ in range(chance.randint(1, 5))]
    chance.shuffle(sends)
    for batch in sends:
        answer = run._client.post(f"/runs/{run.id}/batches", batch)
        assert answer["accepted"] == 10


@pytest.mark.long
def test_an_outage_loses_and_doubles_nothing_of_the_living_the_ended_and_the_killed(
    studio: Studio, tmp_path: Path, promise: Promise
) -> None:
    promise("P10", "the studio away while trainers log", away_s=AWAY_S)
    living = begun(studio, tmp_path / "living", "patient")
    ended = begun(studio, tmp_path / "ended", "impatient")
    killed = begun(studio, tmp_path / "killed", "impatient")
    again = Experiment(studio.workspace, "away").start_logging(snapshot_directory=None)
    batches = [ten_points(number) for number in range(form(20, 200))]
    sent_often(studio, again, batches, "before")
    for program in (living, ended, killed):
        wait_until(lambda p=program: len(p.words()) > 1, 60, "acknowledged points")  # type: ignore[misc]

    assert studio.stop() == 0
    began = time.monotonic()
    for program in (living, ended, killed):
        wait_until(lambda p=program: p.spooled_bytes() > 5_000, 30, "a spool")  # type: ignore[misc]
    killed.process.send_signal(signal.SIGKILL)
    killed.ended(-signal.SIGKILL)
    (ended.folder / "end").touch()
    ended.ended(0)
    assert "studio.sdk.sync" in ended.errors
    assert ended.sync().returncode == 3, "nobody answers yet"
    wait_until(lambda: time.monotonic() - began > AWAY_S, 120)
    studio.start()

    (living.folder / "end").touch()
    living.ended(0)
    for program in (ended, killed):
        assert program.spooled_bytes() > 0
        done = program.sync()
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["n_left"] == 0
        assert program.spooled_bytes() == 0
    for program in (living, ended):
        n = int(program.words()[-1])
        assert program.run.get_metrics()["i"] == [float(i) for i in range(n)]
        assert program.run.get_status() == "Completed"
        assert program.run.get_tags() == {"ended": str(n)}
    stored = killed.run.get_metrics()["i"]
    assert stored == [float(i) for i in range(len(stored))]
    assert len(stored) > 100, "what it kept on disk is not there"
    sent_often(studio, again, batches, "after")
    assert sorted(again.get_metrics()["ten"]) == [float(i) for i in range(10 * len(batches))]
    again.complete()


def ten_points(number: int) -> dict[str, Any]:
    values = [float(number * 10 + i) for i in range(10)]
    series = Series("ten", "scalar", [1.7e9] * 10, values, [int(value) for value in values])
    return Batch(str(uuid.UUID(int=random.getrandbits(128), version=4)), (series,)).dump()


# As fast as it can, from a given moment on; tells how much its memory grew, and the longest wait.
BURSTING = """
import os, sys, time
import psutil
from studio.sdk import Experiment, Workspace

me, n = psutil.Process(), int(sys.argv[2])
with Experiment(Workspace.from_config(), "burst").start_logging(
    snapshot_directory=None, outputs=False
) as run:
    run.log("i", -1.0, step=-1)
    run.flush()
    os.write(1, f"{run.id}\\n".encode())
    while not os.path.exists(sys.argv[1]):
        time.sleep(0.01)
    before, most = me.memory_info().rss, 0
    for i in range(n):
        run.log("i", float(i), step=i)
        if i % 5_000 == 0:
            most = max(most, me.memory_info().rss)
    os.write(1, f"{max(0, most - before)}\\n".encode())
"""

# From that moment on too; kills itself as soon as something waits on its disk.
KILLED = """
import os, signal, sys, time
from pathlib import Path
from studio.sdk import Run
run = Run.get_context(allow_offline=False)
spool, i = Path(os.environ["STUDIO_SPOOL_DIR"]), 0
run.log("i", -1.0, step=-1)
run.flush()
while not os.path.exists(sys.argv[1]):
    time.sleep(0.01)
while sum(file.stat().st_size for file in spool.glob("*.spool")) < 2_000:
    run.log("i", float(i), step=i)
    i += 1
    time.sleep(0.001)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_studio_that_hangs_loses_nothing_and_fills_no_memory(
    studio: Studio, tmp_path: Path, promise: Promise
) -> None:
    promise("P10", "the web server hangs, the queue is full", n=BURST)
    program = Program(studio, tmp_path, BURSTING, tmp_path / "go", BURST)
    source = write_script(tmp_path / "src", KILLED)
    script = submit(studio, source, arguments=[str(tmp_path / "go")])
    wait_until(lambda: program.words(), 60, "the run")
    wait_until(lambda: script.get_metrics("i"), 60, "the script's first point")
    web = studio.child("web")
    stopped = [*web.children(recursive=True), web]
    for process in stopped:
        process.suspend()
    try:
        (tmp_path / "go").touch()
        wait_until(lambda: len(program.words()) > 1, 120, "the end of the burst")
        wait_until(lambda: not studio.processes_of(script.id), 60, "the end of the script")
    finally:
        for process in stopped:
            process.resume()
    program.ended(0)
    grew_bytes = int(program.words()[1])
    promise(grew_mb=grew_bytes / 1e6)
    stored = program.run.get_metrics()["i"]
    everything = {float(i) for i in range(-1, BURST)}
    assert balance(stored, acknowledged=everything, attempted=everything) == BURST + 1
    assert program.run.get_details()["warnings"] == []
    assert grew_bytes < MOST_GROWTH_BYTES
    # The worker sends what the killed script left, before it closes the run.
    assert status_of(script, "Failed", timeout_s=90) == "Failed"
    left = script.get_metrics()["i"]
    assert left == [float(i) for i in range(-1, len(left) - 1)]
    assert len(left) > 10

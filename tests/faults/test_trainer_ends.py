"""However a training process ends, its run says so, and what was logged before is there."""

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.faults.conftest import Promise
from tests.faults.programs import Program, balance
from tests.live.studio import Studio, status_of
from tests.waiting import wait_until

pytestmark = [pytest.mark.live, pytest.mark.faults]

N = 200
HEAD = f"""
import os, signal, sys, time
from studio.sdk import Experiment, Workspace

def begin():
    experiment = Experiment(Workspace.from_config(), "endings")
    run = experiment.start_logging(snapshot_directory=None, outputs=False)
    os.write(1, f"{{run.id}}\\n".encode())
    for i in range({N}):
        run.log("i", float(i), step=i)
    return run

def interrupted():
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)

"""
# script -> (exit code, status, what its error says)
ENDINGS = {
    "with begin(): pass": (0, "Completed", None),
    "with begin(): sys.exit(0)": (0, "Completed", None),
    "with begin(): sys.exit(1)": (1, "Failed", "SystemExit"),
    "with begin(): raise ValueError('bad batch')": (1, "Failed", "bad batch"),
    "run = begin(); raise ValueError('bad batch')": (1, "Failed", "bad batch"),
    "with begin(): interrupted()": (-signal.SIGINT, "Canceled", None),
    "run = begin(); interrupted()": (-signal.SIGINT, "Canceled", None),
    "begin().complete(); os._exit(3)": (3, "Completed", None),
}
# These can tell nobody how they end: the studio finds them silent. The last one gets a warning.
SILENT = {
    "with begin() as run: run.flush(); os._exit(0)": 0,
    "with begin() as run: run.flush(); os.kill(os.getpid(), signal.SIGKILL)": -signal.SIGKILL,
    "run = begin(); sys.exit(0)": 0,
}


def test_the_run_of_a_process_says_how_it_ended(
    studio_on_embedded: Studio, tmp_path: Path, promise: Promise
) -> None:
    promise("P1", "a trainer's end is told", n=len(ENDINGS) + len(SILENT), broker="embedded")
    everything = [float(i) for i in range(N)]
    programs = {
        text: Program(studio_on_embedded, tmp_path / str(number), HEAD + text)
        for number, text in enumerate([*ENDINGS, *SILENT])
    }
    for text, (code, status, error) in ENDINGS.items():
        programs[text].ended(code)
        details = programs[text].run.get_details()
        assert details["status"] == status, text
        assert error is None or error in str(details["error"]), text
    for text, code in SILENT.items():
        programs[text].ended(code)
        run = programs[text].run
        assert status_of(run, "Failed", timeout_s=40) == "Failed", text
        assert "heard" in str(run.get_details()), text
    for text, program in programs.items():
        assert program.run.get_metrics()["i"] == everything, text
        assert program.spooled_bytes() == 0, text
    assert "was not ended" in programs["run = begin(); sys.exit(0)"].errors


FIRST = """
import time
from studio.sdk import Experiment, Workspace
experiment = Experiment(Workspace.from_config(), "notebooks")
run = experiment.start_logging(snapshot_directory=None, outputs=False)
print(run.id, flush=True)
i = 0
while True:
    run.log("i", float(i), step=i)
    if i % 20 == 19 and run.flush(10):
        print(i, flush=True)
    i += 1
    time.sleep(0.002)
"""
SECOND = """
import sys
from studio.sdk import Workspace
run = Workspace.from_config().get_run(sys.argv[1])
run.start()
first = int(sys.argv[2])
with run:
    for i in range(first, first + 500):
        run.log("i", float(i), step=i)
"""


def test_another_process_goes_on_with_the_run_of_a_killed_notebook(
    shared_studio: Studio, tmp_path: Path
) -> None:
    first = Program(shared_studio, tmp_path / "first", FIRST)
    wait_until(lambda: len(first.words()) > 3, 60, "acknowledged points")
    first.process.send_signal(signal.SIGKILL)
    first.ended(-signal.SIGKILL)
    run, acknowledged = first.run, int(first.words()[-1])
    assert run.get_status() == "Running"
    n_most = 1_000_000  # the second process goes on behind whatever the first one came to
    second = Program(shared_studio, tmp_path / "second", SECOND, run.id, n_most)
    second.ended(0)
    assert run.get_status() == "Completed"
    before, after = _parted(run.get_metrics()["i"], n_most)
    balance(before, acknowledged=set(map(float, range(acknowledged + 1))),
            attempted=set(map(float, range(acknowledged + 5_000))))  # fmt: skip
    assert before == [float(i) for i in range(len(before))]
    assert after == [float(i) for i in range(n_most, n_most + 500)]


def _parted(values: list[Any], at: int) -> tuple[list[Any], list[Any]]:
    return [v for v in values if v < at], [v for v in values if v >= at]

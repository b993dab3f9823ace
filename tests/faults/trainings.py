"""Trainings to put under faults: scripts that log points and lines until they are told to end, and
clients beside the studio; each says in the end what must be stored of it."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.live.studio import ROOT, Studio, status_of, write_script
from tests.live.test_main_job import log_of, submit
from tests.waiting import wait_until

LONG = os.environ.get("STUDIO_FAULTS") == "long"

TRAIN = """
import os, sys, time
from studio.sdk import Run
run = Run.get_context(allow_offline=False)
print("pid", os.getpid(), flush=True)
i = 0
while not os.path.exists(sys.argv[1]):
    run.log("value", float(i), step=i)
    print("line", i, flush=True)
    i += 1
    time.sleep(float(sys.argv[2]))
print("end", i, flush=True)
"""


class Training:
    """One submitted run that goes on until `finish`."""

    def __init__(
        self, studio: Studio, folder: Path, *, every_s: float = 0.02, **options: Any
    ) -> None:
        self.studio = studio
        self.end_file = folder / "end"
        source = write_script(folder / "src", TRAIN)
        self.run = submit(studio, source, arguments=[str(self.end_file), str(every_s)], **options)

    def begun(self) -> "Training":
        status_of(self.run, "Running", timeout_s=60)
        wait_until(lambda: "line 3\n" in log_of(self.run), 30, "the training to begin")
        return self

    def n_lines(self) -> int:
        return log_of(self.run).count("\nline ")

    def advances(self) -> bool:
        """Whether its log, as the studio shows it, grows."""
        before = self.n_lines()
        wait_until(lambda: self.n_lines() > before + 5, 40, "the log to grow", every_s=0.2)
        return True

    def finish(self) -> None:
        """Let it end, and require that it ran once, to its end, with every point and line once."""
        self.end_file.touch()
        assert status_of(self.run, timeout_s=90) == "Completed", self.run.get_details()
        said = log_of(self.run).splitlines()
        first, *lines, last = [line for line in said if not line.startswith("studio: ")]
        assert first.startswith("pid ")
        assert lines == [f"line {i}" for i in range(len(lines))]
        assert last == f"end {len(lines)}"
        assert self.run.get_metrics()["value"] == [float(i) for i in range(len(lines))]


def moves(run: Any) -> list[str]:
    """The statuses of a run, in their order."""
    found = [event["after"] for event in run.history() if event["kind"] == "status"]
    return found if found[0] in {"Queued", "NotStarted", "Running"} else found[::-1]


CLIENT = """
import sys
from studio.sdk import Experiment, Workspace
name, n = sys.argv[1], int(sys.argv[2])
run = Experiment(Workspace.from_config(), "clients").start_logging(snapshot_directory=None)
print(run.id, flush=True)
for i in range(n):
    run.log(name, float(i), step=i)
    if i % 50 == 49:
        run.flush()
        print(i + 1, flush=True)
run.complete()
print("done", flush=True)
"""


class Client:
    """A program that logs `n` points through the SDK, and prints how many were acknowledged."""

    def __init__(self, studio: Studio, name: str, n: int) -> None:
        self.studio, self.name, self.n = studio, name, n
        self.out = studio.folder / f"{name}.out"
        env = {**os.environ, "PYTHONPATH": str(ROOT), "STUDIO_HOME": ""}
        env["STUDIO_SPOOL_DIR"] = str(studio.folder / "spool" / name)
        with self.out.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-c", CLIENT, name, str(n)],
                cwd=studio.folder,
                env=env,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def words(self) -> list[str]:
        return self.out.read_text().split()

    def n_acknowledged(self) -> int:
        return max((int(word) for word in self.words()[1:] if word.isdigit()), default=0)

    def check(self) -> None:
        """Require that all of it is stored once and in its order."""
        assert self.process.wait(300) == 0, self.out.read_text()[-3000:]
        assert self.words()[-1] == "done"
        run = self.studio.workspace.get_run(self.words()[0])
        assert run.get_status() == "Completed"
        assert run.get_metrics()[self.name] == [float(i) for i in range(self.n)]


def settles(check: Any, *, within_s: float) -> float:
    """Seconds until `check` is true."""
    began = time.monotonic()
    wait_until(check, within_s, every_s=0.05)
    return time.monotonic() - began

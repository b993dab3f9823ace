"""Workers of a test's own, on targets of its own: started, killed and stopped at will.

The worker that `up` started serves another target; it is the one that notices what happened.
"""

import signal
import subprocess
import sys
import uuid
from pathlib import Path

import psutil

from tests.faults.pausing import go_on, pause
from tests.live.studio import ROOT, Studio
from tests.waiting import wait_until


class Crew:
    """The workers of one target."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.target = f"t{uuid.uuid4().hex[:8]}"
        self.workers: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, node: str = "first", *, slots: int = 5, **environment: str) -> psutil.Process:
        """Another worker; returns once it serves. `node` may be that of a dead one."""
        name = f"{self.target}-{node}"
        words = [sys.executable, str(ROOT / "manage.py"), "worker", "--target", self.target]
        words += ["--node", name, "--concurrency", str(slots)]
        heard = self.log_of(node)
        with heard.open("wb") as log:
            self.workers[node] = subprocess.Popen(
                words,
                cwd=self.studio.folder,
                env={**self.studio.env, **environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(lambda: f"worker {name} serves" in heard.read_text(), 60, "a worker")
        return psutil.Process(self.workers[node].pid)

    def ready(self, node: str = "first") -> None:
        """That worker serves; it is started when it is not there, or was killed."""
        worker = self.workers.get(node)
        if worker is None or worker.poll() is not None:
            self.start(node)

    def log_of(self, node: str) -> Path:
        return self.studio.folder / f"{self.target}-{node}.log"

    def kill(self, node: str = "first") -> None:
        self.workers[node].send_signal(signal.SIGKILL)
        self.workers[node].wait(10)

    def pause(self, node: str = "first") -> None:
        pause(self.studio, self.workers[node].pid)

    def go_on(self, node: str = "first") -> None:
        go_on(self.workers[node].pid)

    def stop(self) -> None:
        for worker in self.workers.values():
            worker.send_signal(signal.SIGCONT)
            worker.terminate()
        for node, worker in self.workers.items():
            worker.wait(40)
            print(f"--- {node}\n{self.log_of(node).read_text()[-3000:]}")

    def guards(self) -> dict[str, psutil.Process]:
        """The guards of this studio, by the folder of their attempt: job and start of the lease."""
        found = {}
        for process in self.studio.marked():
            try:
                words = process.cmdline()
            except psutil.Error:
                continue
            if any("guard.py" in word for word in words):
                found[Path(words[-1]).parent.name] = process
        return found


def folder_of(attempt: str) -> str:
    """The name of the working folder of an attempt."""
    job, _, lease = attempt.partition("-")
    return f"{job}-{lease[:8]}"

"""Workers of a test's own, on targets of its own: started, killed and stopped at will.

The worker that `up` started serves another target; it is the one that notices what happened.
"""

import contextlib
import signal
import sqlite3
import subprocess
import sys
import uuid
from pathlib import Path

import psutil

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
        """SIGSTOP: the worker is there, and says nothing.

        Not in the middle of a transaction: SQLite's lock would stay with it, and nobody else could
        write until it goes on.
        """
        wait_until(lambda: self._is_paused(node), 30, "a moment without a transaction", every_s=0)

    def _is_paused(self, node: str) -> bool:
        worker = self.workers[node]
        worker.send_signal(signal.SIGSTOP)
        # On a busy machine a thread may still finish what it asked of the kernel: a lock.
        wait_until(lambda: are_stopped(worker.pid), 30, "every thread to stop", every_s=0.01)
        path = self.studio.folder / "home" / "studio.sqlite3"
        with contextlib.closing(sqlite3.connect(path, timeout=2, isolation_level=None)) as probe:
            try:
                probe.execute("BEGIN IMMEDIATE")
                probe.execute("ROLLBACK")
            except sqlite3.OperationalError:
                self.go_on(node)
                return False
        return True

    def go_on(self, node: str = "first") -> None:
        self.workers[node].send_signal(signal.SIGCONT)

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


def are_stopped(pid: int) -> bool:
    """Whether no thread of the process runs or waits any more."""
    threads = Path(f"/proc/{pid}/task").glob("*/stat")
    try:
        return all(stat.read_text().rpartition(")")[2].split()[0] == "T" for stat in threads)
    except OSError:
        return False  # a thread ended meanwhile


def folder_of(attempt: str) -> str:
    """The name of the working folder of an attempt."""
    job, _, lease = attempt.partition("-")
    return f"{job}-{lease[:8]}"

"""Real faults for live tests: second workers, held locks, large sources, brokers to kill."""

import contextlib
import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from tests.live.studio import ROOT, Studio, free_port, write_script
from tests.waiting import wait_until


@contextlib.contextmanager
def second_worker(studio: Studio, node: str) -> Iterator[subprocess.Popen[bytes]]:
    """Another worker of the same target on this machine."""
    words = [sys.executable, str(ROOT / "manage.py"), "worker", "--node", node]
    with studio.log.open("ab") as log:
        worker = subprocess.Popen(words, cwd=studio.folder, env=studio.env, stdout=log, stderr=log)
    try:
        wait_until(lambda: f"worker {node} serves" in studio.log.read_text(), 60, "a second worker")
        yield worker
    finally:
        worker.send_signal(signal.SIGCONT)
        worker.terminate()
        worker.wait(40)


HOLD = """
import sqlite3, sys
path = sys.stdin.readline().strip()
connection = sqlite3.connect(path, timeout=30, isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def locked_database(studio: Studio) -> Iterator[None]:
    """Another process holds the write lock of the studio's SQLite file."""
    path = studio.folder / "home" / "studio.sqlite3"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    # Not as an argument: whoever names the studio's folder counts as a process of it.
    print(path, file=holder.stdin, flush=True)
    assert holder.stdout.readline() == "held\n"
    try:
        yield
    finally:
        holder.stdin.close()
        holder.wait(10)


def rows(studio: Studio, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """What the studio's SQLite file says, read only (also while it is locked)."""
    path = studio.folder / "home" / "studio.sqlite3"
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return connection.execute(query, values).fetchall()


def large_source(folder: Path, text: str) -> Path:
    """A source folder that a worker needs a good while to copy, though it is uploaded quickly:
    many files with the same bytes."""
    write_script(folder, text)
    first = folder / "0.bin"
    first.write_bytes(os.urandom(1000) * 100)
    for number in range(1, 1500):
        os.link(first, folder / f"{number}.bin")
    return folder


def preparing(studio: Studio, run: Any) -> None:
    """Return the moment the run is Preparing (the API would answer too late)."""
    query = "SELECT 1 FROM runs_run WHERE uid = ? AND status = 'Preparing'"
    wait_until(lambda: rows(studio, query, run.id), 30, "Preparing", every_s=0.005)


def stored_source(studio: Studio, text: str) -> Path:
    """Where the studio keeps the source file of these bytes."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    (blob,) = (studio.folder / "home" / "blobs").rglob(f"*{digest}")
    return blob


class Redis:
    """A Redis of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.folder = folder
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
        )
        wait_until(lambda: psutil.Process(self.process.pid).net_connections(), 10, "Redis")

    def stop(self, number: int = signal.SIGKILL) -> None:
        self.process.send_signal(number)
        if number == signal.SIGKILL:
            self.process.wait(10)

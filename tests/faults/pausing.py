"""Stopping a process for a while: it is there, and says nothing."""

import contextlib
import os
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from tests.live.studio import Studio
from tests.waiting import wait_until


def pause(studio: Studio, pid: int) -> None:
    """SIGSTOP, until `go_on`. Not in the middle of a transaction: SQLite's lock would stay with the
    process, and nobody else could write until it goes on."""
    wait_until(lambda: _is_paused(studio, pid), 60, "a moment without a transaction", every_s=0)


def go_on(pid: int) -> None:
    os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def paused(studio: Studio, pid: int) -> Iterator[None]:
    pause(studio, pid)
    try:
        yield
    finally:
        go_on(pid)


def are_stopped(pid: int) -> bool:
    """Whether no thread of the process runs or waits any more."""
    threads = Path(f"/proc/{pid}/task").glob("*/stat")
    try:
        return all(stat.read_text().rpartition(")")[2].split()[0] == "T" for stat in threads)
    except OSError:
        return False  # a thread ended meanwhile


def _is_paused(studio: Studio, pid: int) -> bool:
    os.kill(pid, signal.SIGSTOP)
    # On a busy machine a thread may still finish what it asked of the kernel: a lock.
    wait_until(lambda: are_stopped(pid), 30, "every thread to stop", every_s=0.01)
    if _can_write(studio, within_s=2):
        return True
    go_on(pid)
    # It needs a while of its own to end the transaction.
    wait_until(lambda: _can_write(studio, within_s=1), 30, "the end of a transaction")
    return False


def _can_write(studio: Studio, *, within_s: float) -> bool:
    path = studio.folder / "home" / "studio.sqlite3"
    with contextlib.closing(sqlite3.connect(path, timeout=within_s, isolation_level=None)) as probe:
        try:
            probe.execute("BEGIN IMMEDIATE")
            probe.execute("ROLLBACK")
        except sqlite3.OperationalError:
            return False
    return True

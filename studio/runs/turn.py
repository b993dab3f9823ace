"""Transactions that wait for their turn on SQLite."""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from django.db import connection, transaction

# How long a process queues; then SQLite's own lock, which also has an end, decides.
PATIENCE_S = 5.0
LOOK_EVERY_S = 0.0001
_queue = threading.Lock()
# Path of the lock -> its descriptor: a thread at a time uses it.
_opened: dict[Path, int] = {}
# Locks for which this process queued in vain. Whoever holds one hangs, or was stopped in the moment
# around its transaction: each write would wait as long again, for as long as that lasts.
_stuck: set[Path] = set()


@contextmanager
def in_turn() -> Iterator[None]:
    """A transaction; on SQLite the threads of this process, and the processes of this machine, have
    theirs one after the other.

    SQLite would let them wait too, but by sleeping up to 0.1 s at a time: a thread hands over at
    once, a process within a fraction of a millisecond. Not inside an outer transaction: that one
    holds SQLite's lock already.
    """
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        with transaction.atomic():
            yield
        return
    with ExitStack() as held:
        held.enter_context(_queue)
        held.enter_context(_among_processes())
        with transaction.atomic():
            # The first thing after the commit: nobody waits while another rings a worker.
            transaction.on_commit(held.close)
            yield


@contextmanager
def _among_processes() -> Iterator[None]:
    path = Path(f"{connection.settings_dict['NAME']}.turn")
    fd = _descriptor(path)
    until = time.monotonic() + (0.0 if path in _stuck else PATIENCE_S)
    while not (is_mine := _is_taken(fd)) and time.monotonic() < until:
        time.sleep(LOOK_EVERY_S)
    (_stuck.discard if is_mine else _stuck.add)(path)
    try:
        yield
    finally:
        fcntl.flock(fd, fcntl.LOCK_UN)


def _is_taken(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _descriptor(path: Path) -> int:
    if path not in _opened:
        _opened[path] = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    return _opened[path]


def _forget() -> None:
    """A child would share the lock of its parent."""
    global _queue
    _queue = threading.Lock()
    for fd in _opened.values():
        os.close(fd)
    _opened.clear()
    _stuck.clear()


os.register_at_fork(after_in_child=_forget)

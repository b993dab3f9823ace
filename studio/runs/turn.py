"""Transactions that wait for their turn on SQLite."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from django.db import connection, transaction

_queue = threading.Lock()


@contextmanager
def in_turn() -> Iterator[None]:
    """A transaction; on SQLite the threads of this process have theirs one after the other.

    SQLite would let them wait too, but by sleeping up to 0.1 s at a time: the lock hands over at
    once. Not inside an outer transaction: that one holds SQLite's lock already.
    """
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        with transaction.atomic():
            yield
        return
    with ExitStack() as held:
        held.enter_context(_queue)
        with transaction.atomic():
            # The first thing after the commit: nobody waits while another rings a worker.
            transaction.on_commit(held.close)
            yield

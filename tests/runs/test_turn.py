"""Transactions of several threads, one after the other on SQLite."""

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction

from studio.runs import turn
from studio.runs.models import Run
from studio.runs.turn import in_turn

pytestmark = pytest.mark.django_db(transaction=True)


def rename(run: Any, name: str) -> None:
    with in_turn():
        Run.objects.filter(pk=run.pk).update(display_name=name)


def fail_after_renaming(run: Any) -> None:
    with in_turn():
        Run.objects.filter(pk=run.pk).update(display_name="lost")
        raise ValueError("wrong")


def in_thread(call: Any) -> threading.Thread:
    def work() -> None:
        try:
            call()
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_what_the_commit_brings_about_keeps_nobody_waiting(run: Any) -> None:
    with in_turn():
        Run.objects.filter(pk=run.pk).update(display_name="first")
        # It ends only when another thread has written.
        transaction.on_commit(lambda: in_thread(lambda: rename(run, "second")).join(20))

    run.refresh_from_db()
    assert run.display_name == "second"


def test_the_turn_passes_on_after_an_error_which_leaves_nothing(run: Any) -> None:
    before = run.display_name
    with pytest.raises(ValueError, match="wrong"):
        fail_after_renaming(run)
    run.refresh_from_db()
    assert run.display_name == before

    in_thread(lambda: rename(run, "kept")).join(20)
    run.refresh_from_db()
    assert run.display_name == "kept"


def test_inside_a_transaction_there_is_no_waiting_for_oneself(run: Any) -> None:
    with in_turn(), in_turn():
        rename(run, "inner")

    run.refresh_from_db()
    assert run.display_name == "inner"


HOLD = """
import fcntl, os, signal, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(fd, fcntl.LOCK_EX)
print("held", flush=True)
signal.pause()
"""


@contextlib.contextmanager
def holding() -> Iterator[subprocess.Popen[bytes]]:
    """Another process that has the turn, and keeps it till it is killed."""
    place = f"{connection.settings_dict['NAME']}.turn"
    other = subprocess.Popen([sys.executable, "-c", HOLD, place], stdout=subprocess.PIPE)
    with other:
        assert other.stdout
        assert other.stdout.readline() == b"held\n"
        try:
            yield other
        finally:
            other.kill()


def writes_once_the_holder_died(run: Any, name: str) -> None:
    """A write waits for the process that has the turn, and is done once that died."""
    with holding() as other:
        writer = in_thread(lambda: rename(run, name))
        writer.join(0.2)
        assert writer.is_alive()
        other.kill()
        writer.join(20)
    assert not writer.is_alive()
    run.refresh_from_db()
    assert run.display_name == name


def test_processes_wait_for_each_other_and_not_for_one_that_died(run: Any) -> None:
    writes_once_the_holder_died(run, "at last")


def test_a_process_that_hangs_with_the_turn_is_waited_for_once(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with holding():
        monkeypatch.setattr(turn, "PATIENCE_S", 0.05)
        rename(run, "first")
        monkeypatch.setattr(turn, "PATIENCE_S", 3_600.0)
        for i in range(3):
            writer = in_thread(lambda i=i: rename(run, f"again {i}"))
            writer.join(20)
            assert not writer.is_alive()
    run.refresh_from_db()
    assert run.display_name == "again 2"

    rename(run, "free")
    writes_once_the_holder_died(run, "in turn")

"""Work done at the same time."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from django.db import OperationalError, connection


def until_stored(call: Callable[[], Any]) -> Any:
    """What `call` returns; tried again while the database is busy, as every client of ours does."""
    while True:
        try:
            return call()
        except OperationalError:
            continue


def at_once(calls: Sequence[Callable[[], Any]]) -> None:
    """Run all calls in threads of their own; raises the first error of any."""
    failures: list[BaseException] = []

    def work(call: Callable[[], Any]) -> None:
        try:
            call()
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=[call]) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if failures:
        raise failures[0]
    assert not any(thread.is_alive() for thread in threads)

"""How long one question of a web request may keep the database busy.

Only the entry point of web servers sets it (`studio/wsgi.py`): migrations, workers, backups and
imports ask as long as they need. It costs no query (docs/adr/0062).
"""

import math
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]

TOO_LONG = "This search takes too long. Narrow it down."
# What SQLite and PostgreSQL say when a question was ended for its length.
ENDED = ("interrupted", "due to statement timeout")
# Steps of SQLite's machine between two looks at the clock: 1 ms, more where texts are compared.
STEPS = 100_000
READS = ("SELECT", "WITH")


class _Asking(threading.local):
    is_request = False
    # Monotonic; set for each question.
    until = math.inf


_asking = _Asking()


def took_too_long(problem: BaseException) -> bool:
    """Whether the database ended a question because of this limit."""
    return any(words in str(problem) for words in ENDED)


def within(application: Application, seconds: float) -> Application:
    """The application, whose questions to the database end after so many seconds; 0: never."""
    if seconds <= 0:
        return application
    facts = connections[DEFAULT_DB_ALIAS].settings_dict
    if connections[DEFAULT_DB_ALIAS].vendor == "postgresql":
        _tell_postgresql(facts["OPTIONS"], seconds)
        return application

    def of_this_connection(connection: BaseDatabaseWrapper, **_: Any) -> None:
        _watch_sqlite(connection, seconds)

    connection_created.connect(of_this_connection, weak=False, dispatch_uid="studio_patience")

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        # Ends before a stream is sent: a reader of an export may take an hour between two rows.
        _asking.is_request = True
        try:
            return application(environ, start_response)
        finally:
            _asking.is_request, _asking.until = False, math.inf

    return answer


def _tell_postgresql(options: dict[str, Any], seconds: float) -> None:
    """Connections are made with the limit. Poolers that take no options get none."""
    told = options.get("options", "")
    if told and "statement_timeout" not in told:
        options["options"] = f"{told} -c statement_timeout={round(seconds * 1000)}"


def _watch_sqlite(connection: BaseDatabaseWrapper, seconds: float) -> None:
    def begin(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        # A write that is ended takes its whole transaction with it; none of them is long.
        is_bounded = _asking.is_request and sql.lstrip().startswith(READS)
        _asking.until = time.monotonic() + seconds if is_bounded else math.inf
        return execute(sql, params, many, context)

    raw: Any = connection.connection
    raw.set_progress_handler(lambda: time.monotonic() > _asking.until, STEPS)
    # They stay when a connection is made anew.
    others = [one for one in connection.execute_wrappers if one.__qualname__ != begin.__qualname__]
    connection.execute_wrappers[:] = [begin, *others]

"""Whether what the studio needs answers: the database, the broker, the storage, workers."""

import errno
import logging
import os
import tempfile
import time
from collections.abc import Callable, Collection

from celery import current_app
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from kombu.exceptions import OperationalError
from psycopg_pool import PoolTimeout

from studio.artifacts.store import store
from studio.blobs import BlobError, LocalStore
from studio.compute.models import Worker
from studio.operations.bounded import WITHIN_S, Question

logger = logging.getLogger(__name__)

OK = "ok"
# Asked for and never there: whether a bucket answers.
PROBE = "probe/readiness"


def database() -> str:
    try:
        with connection.cursor() as cursor:
            # A table of the studio's: a database that was never prepared is not ready.
            cursor.execute("SELECT 1 FROM accounts_user LIMIT 1")
    except (DatabaseError, InterfaceError, PoolTimeout) as problem:
        logger.warning("not ready: database because=%s", problem)
        return "The database does not answer, or has no tables."
    return OK


def broker() -> str:
    folder = settings.CELERY_BROKER_TRANSPORT_OPTIONS.get("data_folder_in", "")
    try:
        if folder:
            _write_in(folder)
        else:
            with current_app.connection_for_write(connect_timeout=WITHIN_S) as ring:
                ring.connect()
                # For Redis the connection is made with the first channel.
                ring.default_channel.close()
    except (OSError, OperationalError, *current_app.connection_for_write().connection_errors) as no:
        logger.warning("not ready: broker because=%s", no)
        return "The message broker does not answer."
    return OK


def storage() -> str:
    try:
        there = store()
        if isinstance(there, LocalStore):
            _write_in(str(there.root))
        else:
            there.exists(PROBE)
    except OSError as problem:
        logger.warning("not ready: storage because=%s", problem)
        if problem.errno in (errno.ENOSPC, errno.EDQUOT):
            return "The storage of files is full."
        return "The storage of files cannot be written to."
    except BlobError as problem:
        logger.warning("not ready: storage because=%s", problem)
        return "The storage of files does not answer."
    return OK


def workers() -> str:
    try:
        serves = Worker.objects.serving().exists()
    except (DatabaseError, InterfaceError, PoolTimeout):
        return "Nobody can tell while the database does not answer."
    return OK if serves else "No worker serves."


def _write_in(folder: str) -> None:
    """Raises OSError where a file cannot be written; it has no name, so nothing stays."""
    if not os.path.isdir(folder):
        raise NotADirectoryError(errno.ENOTDIR, "no such folder", folder)
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        file.write(b"?")


ASKS: dict[str, Callable[[], str]] = {
    "database": database,
    "broker": broker,
    "storage": storage,
    "workers": workers,
}
QUESTIONS = {name: Question(name, ask) for name, ask in ASKS.items()}


def readiness(only: Collection[str] = ()) -> dict[str, str]:
    """Each part (or those of `only`) with "ok" or a sentence, within WITHIN_S whatever hangs."""
    until = time.monotonic() + WITHIN_S
    asked = {name: found for name, found in QUESTIONS.items() if not only or name in only}
    for question in asked.values():
        question.begin()
    late = f"No answer within {WITHIN_S:g} s."
    return {name: question.wait(until) or late for name, question in asked.items()}

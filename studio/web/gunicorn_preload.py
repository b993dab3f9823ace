"""gunicorn's settings where the code is loaded once, before the processes that serve are made of
it: they share its memory, and a wrong setting ends the server before it listens."""

import gc
from typing import Any

from django.db import connections

from studio.web.gunicorn_worker import check_settings

preload_app = True


def on_starting(server: Any) -> None:
    """Called once, with the code loaded, before there is a socket or a process that serves."""
    check_settings()
    # No connection may be shared by processes.
    connections.close_all()
    # What is there now stays: the collector need not write to its pages, which would unshare them.
    gc.collect()
    gc.freeze()

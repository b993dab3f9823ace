"""gunicorn's threaded worker, with a door: a thread is given to a request whose head has arrived.

Without it sixteen clients that send the first half of a head, and no more, hold all sixteen threads
for as long as they like. Whoever asks whether the server is alive does not queue behind the others:
a supervisor would kill a server that is only busy.
"""

import io
import logging
import selectors
import socket
import struct
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.core.management import call_command
from django.core.management.base import SystemCheckError
from gunicorn.arbiter import Arbiter
from gunicorn.workers.gthread import ThreadWorker

logger = logging.getLogger(__name__)

HEAD_WITHIN_S = 10.0
# Bodies come in pieces over bad lines; one that says nothing for so long has gone away.
BODY_SILENT_S = 30
LOOK_EVERY_S = 0.05
MOST_HEAD_BYTES = 64 * 1024
FIRST = 1  # how gunicorn numbers its processes
# Who asks whether the server is alive waits for nobody, not even for who asks how its parts are:
# that may take two seconds.
SIDE_ENTRANCES = (b"GET /healthz ", b"GET /readyz ", b"GET /readyz?")
ALIVE, READY = 0, 1
LONGEST_ASK = max(map(len, SIDE_ENTRANCES))


def check_settings() -> None:
    """End this process, in a way that ends the server, when the settings can't be right; whoever
    started it reads what is wrong with them, not where in the code that was found."""
    try:
        call_command("check", stdout=io.StringIO())  # of which nothing is worth a line
    except SystemCheckError as problem:
        sys.stderr.write(f"{problem}\n")
        sys.exit(Arbiter.WORKER_BOOT_ERROR)


class DoorWorker(ThreadWorker):  # type: ignore[misc]
    """Serves requests in threads; slow heads wait outside."""

    def init_process(self) -> None:
        self.side_entrances = [ThreadPoolExecutor(max_workers=1) for _ in (ALIVE, READY)]
        self.door = Door(self)
        self.door.start()
        super().init_process()

    def load_wsgi(self) -> None:
        super().load_wsgi()
        # An error ends the server. Those that come later, or for one that died, find the same;
        # with the code loaded before the processes, so were the checks.
        if self.age == FIRST and not self.cfg.preload_app:
            check_settings()

    def enqueue_req(self, conn: Any) -> None:
        if self.cfg.is_ssl or has_read_ahead(conn) or head_is_there(conn.sock):
            self.admit(conn)
        else:
            self.door.wait_for(conn)

    def admit(self, conn: Any) -> None:
        conn.data_ready = True
        silent = struct.pack("ll", BODY_SILENT_S, 0)
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, silent)
        entrance = side_entrance_of(conn.sock)
        if entrance is None:
            super().enqueue_req(conn)
            return
        served = self.side_entrances[entrance].submit(self.handle, conn)
        served.add_done_callback(
            lambda done: self.method_queue.defer(self.finish_request, conn, done)
        )

    def refuse(self, conn: Any) -> None:
        self.method_queue.defer(self._drop, conn)

    def _drop(self, conn: Any) -> None:
        self.nr_conns -= 1
        conn.close()


class Door(threading.Thread):
    """Holds connections until the head of their request is there, or their time is over."""

    def __init__(self, worker: DoorWorker) -> None:
        super().__init__(name="door", daemon=True)
        self.worker = worker
        self.selector = selectors.DefaultSelector()
        # Connection -> when it has to go, monotonic.
        self.silent: dict[Any, float] = {}
        self.begun: dict[Any, float] = {}

    def wait_for(self, conn: Any) -> None:
        """Called by the worker's own thread."""
        self.silent[conn] = time.monotonic() + self.worker.cfg.keepalive
        self.selector.register(conn.sock, selectors.EVENT_READ, conn)

    def run(self) -> None:
        while True:
            try:
                for key, _ in self.selector.select(LOOK_EVERY_S if self.begun else 1.0):
                    self.begun[self._no_longer_silent(key.data)] = time.monotonic() + HEAD_WITHIN_S
                self._look()
            except Exception:
                # Without this thread no slow connection would ever be served or closed.
                logger.exception("the door failed")

    def _no_longer_silent(self, conn: Any) -> Any:
        self.selector.unregister(conn.sock)
        del self.silent[conn]
        return conn

    def _look(self) -> None:
        now = time.monotonic()
        for conn, due in list(self.begun.items()):
            if head_is_there(conn.sock):
                del self.begun[conn]
                self.worker.admit(conn)
            elif now >= due or not self.worker.alive:
                del self.begun[conn]
                self.worker.refuse(conn)
        for conn, due in list(self.silent.items()):
            if now >= due or not self.worker.alive:
                self.worker.refuse(self._no_longer_silent(conn))


def has_read_ahead(conn: Any) -> bool:
    """Whether bytes of the next request were read together with the last one."""
    return conn.parser is not None and bool(conn.parser.unreader.buf.getvalue())


def side_entrance_of(sock: socket.socket) -> int | None:
    """The entrance for who asks how the server is; None for every other request."""
    try:
        asked = sock.recv(LONGEST_ASK, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except OSError:
        return None
    if not asked.startswith(SIDE_ENTRANCES):
        return None
    return ALIVE if asked.startswith(SIDE_ENTRANCES[ALIVE]) else READY


def head_is_there(sock: socket.socket) -> bool:
    """Whether a whole head waits to be read, or what ends the waiting: the connection's end, or
    more bytes than a head may have."""
    try:
        seen = sock.recv(MOST_HEAD_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return not seen or b"\r\n\r\n" in seen or b"\n\n" in seen or len(seen) >= MOST_HEAD_BYTES // 2

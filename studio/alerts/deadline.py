"""A limit for a whole exchange, where sockets know one for each read only: who sends a byte now and
then holds nobody for longer."""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

READ_OUT_WITHIN_S = 0.5


class Deadline:
    """Connections watched within `with` are cut after `seconds`, and at its end."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.has_passed = False
        self._watched: list[socket.socket] = []
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._timer = threading.Timer(seconds, self._pass)
        self._timer.daemon = True

    def watch(self, connection: socket.socket) -> None:
        # A handle of our own: TLS takes the connection over and leaves the first object empty.
        with self._lock:
            self._watched.append(connection.dup())
            if self.has_passed:
                self._cut(socket.SHUT_RDWR)

    def _pass(self) -> None:
        # First the end of what is read, which comes after what was said: cut at once, a server that
        # goes on talking answers with a reset, and that it had accepted would be lost.
        with self._lock:
            self.has_passed = True
            self._cut(socket.SHUT_RD)
        self._is_over.wait(READ_OUT_WITHIN_S)
        with self._lock:
            self._cut(socket.SHUT_RDWR)

    def _cut(self, how: int) -> None:
        for connection in self._watched:
            with contextlib.suppress(OSError):
                connection.shutdown(how)

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        self._is_over.set()
        with self._lock:
            self._cut(socket.SHUT_RDWR)
            for connection in self._watched:
                connection.close()
            self._watched.clear()

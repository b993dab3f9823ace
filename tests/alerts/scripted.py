"""Servers that say what a test wants, byte for byte."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

GREETING, CONTENT = "greeting", "content"
GOOD = {
    GREETING: b"220 here\r\n",
    "EHLO": b"250 here\r\n",
    "MAIL": b"250 OK\r\n",
    "RCPT": b"250 OK\r\n",
    "DATA": b"354 go on\r\n",
    CONTENT: b"250 taken\r\n",
    "RSET": b"250 OK\r\n",
    "QUIT": b"221 bye\r\n",
}


class Server:
    """Serves each connection by `serve(connection)` in a thread of its own."""

    def __init__(self, serve: Callable[[socket.socket], None], host: str = "127.0.0.1") -> None:
        self.serve = serve
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.create_server((host, 0), family=family)
        self.port = int(self.socket.getsockname()[1])
        self.over = threading.Event()
        self.n_connections = 0
        # What was asked, where `serve` keeps it.
        self.seen: list[bytes] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.n_connections += 1
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            self.serve(connection)

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def drip(self, connection: socket.socket, text: bytes, every_s: float = 0.02) -> None:
        """One byte now and then, for ever (or until the test is over)."""
        while not self.over.wait(every_s):
            connection.sendall(text)


@contextlib.contextmanager
def smtp_that_says(said: Mapping[str, Any], mails: list[bytes]) -> Iterator[Server]:
    """A mail server that answers as a good one does but for `said`: another answer to a command,
    None to break the connection, a function of (server, connection) to do anything."""
    answers = {**GOOD, **said}

    def say(connection: socket.socket, what: str) -> bool:
        answer = answers.get(what, b"502 what?\r\n")
        if callable(answer):
            answer(server, connection)
            return False
        if answer is not None:
            connection.sendall(answer)
        return answer is not None

    def serve(connection: socket.socket) -> None:
        lines = connection.makefile("rb")
        if not say(connection, GREETING):
            return
        for line in lines:
            word = line.split()[0].upper().decode()
            if not say(connection, word):
                return
            if word == "DATA" and answers["DATA"].startswith(b"354"):
                mails.append(b"".join(iter(lines.readline, b".\r\n")))
                if not say(connection, CONTENT):
                    return
            if word == "QUIT":
                return

    with Server(serve) as server:
        yield server

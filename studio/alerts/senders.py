"""Sending beside everything else: a thread for mails and one for posts, as long as there is
something to send. A slow server takes no slot of the worker, and a worker that ends waits for the
message under way, not for all."""

import atexit
import logging
import threading

from django.db import DatabaseError, InterfaceError, connection

from studio.alerts.sending import LINES, send_due, stopping

logger = logging.getLogger(__name__)

# A mail server that hangs does not keep the process: the message leaves again, with the same id.
LAST_WAIT_S = 10.0


class Sender:
    """Sends one line when rung, in a thread that ends when nothing is left."""

    def __init__(self, line: str) -> None:
        self.line = line
        self._lock = threading.Lock()
        self._was_rung = False
        self._thread: threading.Thread | None = None

    def ring(self) -> None:
        """Returns at once; what is due when it is called will be looked at."""
        with self._lock:
            self._was_rung = True
            if self._thread is None and not stopping.is_set():
                name = f"alert-{self.line}"
                self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
                self._thread.start()

    def _serve(self) -> None:
        try:
            while self._goes_on():
                self._send()
        finally:
            connection.close()

    def _goes_on(self) -> bool:
        with self._lock:
            if not self._was_rung or stopping.is_set():
                self._thread = None
                return False
            self._was_rung = False
            return True

    def _send(self) -> None:
        try:
            send_due(lines=[self.line])
        except (DatabaseError, InterfaceError) as error:
            # Away or locked: the leases run out, and the next ring is 15 s away.
            logger.warning("alert line=%s put off because=%s", self.line, error)
            connection.close()
        except Exception:
            logger.exception("alert line=%s failed", self.line)

    def end(self) -> None:
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join(LAST_WAIT_S)


_senders = [Sender(line) for line in LINES]


def ring_senders() -> None:
    """There may be something to send."""
    for sender in _senders:
        sender.ring()


@atexit.register
def _end() -> None:
    stopping.set()
    for sender in _senders:
        sender.end()

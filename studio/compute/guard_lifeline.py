"""What ties a guard to the worker above it: its stdin, and after a handover a named pipe.

Standard library only, like the guard itself. The worker writes lines:

C             cancel
K             kill now
H seconds     it hands over: after its end of file the run goes on for so long
A             the next worker, which opened the named pipe, takes the run up

End of file without H before it, or nobody's A in time, means that the worker is gone.
"""

import contextlib
import os
import time

LOST = b""


class Lifeline:
    """The guard's end, always at file descriptor 0."""

    def __init__(self, named_pipe: str) -> None:
        self._named_pipe = named_pipe
        self._has_named_pipe = False
        self._handover_s = 0.0  # how long to wait for the next worker, once this one is gone
        self._adopt_by: float | None = None  # monotonic; while no worker holds the other end
        self._is_lost = False

    @property
    def is_orphaned(self) -> bool:
        """Waits for the next worker: ask again soon. A pipe without a writer is always at its end,
        so that waiting for it would not wait."""
        return self._adopt_by is not None

    @property
    def watched(self) -> list[int]:
        """What to wait for."""
        return [] if self._is_lost or self.is_orphaned else [0]

    def orders(self, *, is_ready: bool) -> list[bytes]:
        """What the worker wants by now: C and K as they came, and LOST, once, when it is gone."""
        found: list[bytes] = []
        if is_ready or self.is_orphaned:
            with contextlib.suppress(BlockingIOError):  # the next one is there, and says nothing
                found = self._read()
        if self._adopt_by is not None and time.monotonic() >= self._adopt_by:
            found.append(self._lose())
        return found

    def _read(self) -> list[bytes]:
        data = os.read(0, 4096)
        if not data and not self.is_orphaned:
            if self._handover_s and self._hold_out():
                self._adopt_by = time.monotonic() + self._handover_s
                self._handover_s = 0.0
                return []
            return [self._lose()]
        return [order for order in data.split(b"\n") if self._is_for_guard(order)]

    def _is_for_guard(self, order: bytes) -> bool:
        if order == b"A":
            self._adopt_by, self._handover_s = None, 0.0
        elif order.startswith(b"H "):
            self._handover_s = float(order[2:])
        return order in {b"C", b"K"}

    def _hold_out(self) -> bool:
        """Whether the next worker can come: the named pipe is there to be opened."""
        if not self._has_named_pipe:
            try:
                fd = os.open(self._named_pipe, os.O_RDONLY | os.O_NONBLOCK)
            except OSError:
                return False
            os.dup2(fd, 0)
            os.close(fd)
            self._has_named_pipe = True
        return True

    def _lose(self) -> bytes:
        self._is_lost, self._adopt_by = True, None
        # Nobody may take up a run that is being ended.
        with open(os.devnull, "rb") as nothing:
            os.dup2(nothing.fileno(), 0)
        return LOST

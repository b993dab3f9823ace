"""The two files a guard writes: the log of its run, and how the run stands.

Standard library only, like the guard itself.
"""

import contextlib
import json
import os
from typing import Any

STATUS_BYTES = 4096
CHUNK_BYTES = 256 * 1024


class Log:
    """The script's output on its way to the log file; a full disk never reaches the script."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.error: str | None = None
        self.n_bytes = 0
        self.n_dropped = 0
        self._n_unreported = 0
        self._fd = -1

    def write(self, data: bytes) -> None:
        """Append, or count as dropped. Whoever reads later sees where something is missing."""
        view = memoryview(data)
        try:
            self._open()
            self._report_loss()
            while view:
                n_written = os.write(self._fd, view)
                self.n_bytes += n_written
                view = view[n_written:]
        except OSError as error:
            self.error = error.strerror or str(error)
            self.n_dropped += len(view)
            self._n_unreported += len(view)

    def _open(self) -> None:
        if self._fd < 0:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._fd = os.open(self.path, flags, 0o600)

    def _report_loss(self) -> None:
        """Write the line about lost output, whole or not at all."""
        if not self._n_unreported:
            return
        line = f"\n[studio] {self._n_unreported} bytes of output lost: disk full\n".encode()
        size = os.fstat(self._fd).st_size
        try:
            if os.write(self._fd, line) == len(line):
                self._n_unreported = 0
                return
        except OSError:
            os.ftruncate(self._fd, size)
            raise
        os.ftruncate(self._fd, size)
        raise OSError(28, "No space left on device")

    def pump(self, source: int) -> None:
        """Copy until every writer has closed the pipe."""
        while True:
            data = os.read(source, CHUNK_BYTES)
            if not data:
                break
            self.write(data)
        self.write(b"")


class StatusFile:
    """Replaces status.json as a whole.

    The next version's space is taken in advance and never given back: on a full disk, which the
    run's output goes on filling, the end of the run, the most important line, still gets written.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.spare = path + ".next"
        self.is_saved = True
        self._reserve()

    def _swap(self) -> None:
        """What was written takes the place of the version before, whose space is the next one's."""
        kept = self.path + ".kept"
        try:
            os.link(self.path, kept)
        except OSError:  # the first version, or a file system without links
            os.replace(self.spare, self.path)
            self._reserve()
            return
        os.replace(self.spare, self.path)
        os.replace(kept, self.spare)

    def _reserve(self) -> None:
        with contextlib.suppress(OSError), open(self.spare, "wb", buffering=0) as file:
            file.write(b" " * STATUS_BYTES)

    def save(self, status: dict[str, Any]) -> None:
        """Write now; `is_saved` tells whether it worked."""
        data = json.dumps(status).encode().ljust(STATUS_BYTES)
        try:
            with open(os.open(self.spare, os.O_WRONLY | os.O_CREAT, 0o600), "wb", 0) as file:
                self.is_saved = file.write(data) == len(data)
                file.truncate(len(data))
            if self.is_saved:
                self._swap()
        except OSError:
            self.is_saved = False

"""The tee of an interactive run: what the process prints also goes to `logs/output.txt`."""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

from studio.sdk.outbox import OUTBOX
from studio.sdk.records import Channel, Chunk

LOG_PATH = "logs/output.txt"
_tees: list[Tee] = []


class Tee:
    """Copies stdout and stderr of this process into the run's log until `stop`."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._pid = os.getpid()

    def start(self) -> None:
        """Begin; streams are wrapped once however many runs are live."""
        _tees.append(self)
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if stream is not None and not isinstance(stream, _Stream):
                setattr(sys, name, _Stream(stream))

    def stop(self) -> None:
        """End; the last tee takes the wrappers off where nobody wrapped them again."""
        if self in _tees:
            _tees.remove(self)
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if not _tees and isinstance(stream, _Stream):
                setattr(sys, name, stream.wrapped)

    def take(self, data: bytes) -> None:
        """Queue printed bytes; in a forked child nothing, the parent owns the log."""
        if os.getpid() == self._pid:
            OUTBOX.put_heavy(Chunk(self._channel, LOG_PATH, data), 1 + len(data) // 50)


class _Stream:
    """A text stream that writes through and copies."""

    def __init__(self, wrapped: Any) -> None:
        self.wrapped = wrapped
        self._copying = threading.local()

    def write(self, text: str) -> int:
        count: int = self.wrapped.write(text)
        self._copy(text)
        return count

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.wrapped, name)

    def __iter__(self) -> Any:
        return iter(self.wrapped)

    def _copy(self, text: str) -> None:
        if getattr(self._copying, "now", False):
            return  # the outbox itself printed a warning
        self._copying.now = True
        try:
            data = text.encode("utf-8", "replace")
            for tee in list(_tees):
                tee.take(data)
        finally:
            self._copying.now = False

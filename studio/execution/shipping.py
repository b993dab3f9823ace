"""Copies what the guard writes into the run's log, byte for byte, and resumes where it stopped."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, InterfaceError

from studio.accounts.permissions import Actor
from studio.artifacts import logs
from studio.artifacts.actions import TooLarge
from studio.artifacts.models import MAIN_LOG
from studio.blobs import BlobError, LogGap
from studio.runs.limits import Invalid
from studio.runs.models import Run

logger = logging.getLogger(__name__)

PIECE_BYTES = 1024 * 1024


class LogShipper:
    """Ships one local file to one log. `trouble` says in words why bytes wait, empty when fine."""

    def __init__(self, run: Run, source: Path, *, by: Actor, path: str = MAIN_LOG) -> None:
        self.run, self.source, self.by, self.path = run, source, by, path
        self.offset = 0
        self.trouble = ""
        self._sent_at = 0.0

    def ship(self, is_held: Callable[[], bool] = lambda: True) -> int:
        """Send what is new; returns the number of bytes sent. Trouble is kept, not raised: the
        bytes stay in the local file and go out with the next call. is_held: whether the run is
        still this worker's, asked before each further piece: the one before may have waited for a
        network that was away so long that the run was given up."""
        try:
            return self._send(is_held)
        except (DatabaseError, InterfaceError) as away:
            self._note(f"The log waits: {away}")
            return 0

    def _send(self, is_held: Callable[[], bool] = lambda: True) -> int:
        """The same, but the database's trouble is raised: it passes, a full store may stay."""
        sent = 0
        while piece := self._read():
            if sent and not is_held():
                return sent
            try:
                end = logs.append_log(self.run, self.path, self.offset, piece, by=self.by)
            except LogGap as gap:
                # A restarted worker begins at 0, or storage lost its tail: go on where it ends.
                end = gap.size_bytes
            except (BlobError, TooLarge, Invalid, OSError) as trouble:
                self._note(f"The log waits: {trouble}")
                return sent
            sent += max(0, end - self.offset)
            self.offset = end
        self.trouble = ""
        return sent

    def is_due(self) -> bool:
        """Whether something waits, and the last piece is long enough ago: the storage decides how
        often is too often."""
        if time.monotonic() - self._sent_at < settings.LOG_EVERY_S or not self.waiting_bytes():
            return False
        self._sent_at = time.monotonic()
        return True

    def waiting_bytes(self) -> int:
        return max(0, self._size() - self.offset)

    def finish(self, *, damage: str = "") -> bool:
        """Send the rest and close the log; False when bytes are left behind (storage is full).

        Raises DatabaseError: then try again.
        """
        self._send()
        left = self.waiting_bytes()
        if left:
            damage = f"{damage} {left:,} bytes are missing: {self.trouble}".strip()
        logs.close_log(self.run, self.path, damage=damage)
        return left == 0

    def _read(self) -> bytes:
        try:
            with self.source.open("rb") as file:
                file.seek(self.offset)
                return file.read(PIECE_BYTES)
        except OSError:
            return b""

    def _size(self) -> int:
        try:
            return self.source.stat().st_size
        except OSError:
            return 0

    def _note(self, trouble: str) -> None:
        if trouble != self.trouble:
            logger.warning("log not shipped run=%s because=%s", self.run.uid, trouble)
        self.trouble = trouble

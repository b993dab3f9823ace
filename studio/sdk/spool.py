"""Requests kept on disk while the studio is away: append-only, checksummed, replayed in order.

One file per process, named `<pid>-<random>.spool` and locked while its process lives; a file that
can be locked belongs to a dead process and may be replayed by another one (or `studio sync`).
Record: length and CRC-32 of the payload (8 bytes, little endian), then the payload: a JSON line
{method, path, url, workspace} and the body. A torn last record is ignored.
"""

from __future__ import annotations

import fcntl
import json
import os
import struct
import tempfile
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

MOST_BYTES = 1 << 30
MOST_RECORD_BYTES = 1 << 28
_HEAD = struct.Struct("<II")


@dataclass(frozen=True)
class Request:
    """A request whose body, with its batch id, is fixed before the first send."""

    path: str
    body: bytes
    method: str = "POST"
    url: str = ""
    workspace: str = ""
    n_points: int = 0

    def pack(self) -> bytes:
        """The payload of a record."""
        head = {name: getattr(self, name) for name in ("method", "path", "url", "workspace")}
        return json.dumps({**head, "n_points": self.n_points}).encode() + b"\n" + self.body

    @classmethod
    def unpack(cls, payload: bytes) -> Request:
        """The inverse of pack; ValueError or TypeError when it is not one."""
        head, _, body = payload.partition(b"\n")
        return cls(body=body, **json.loads(head))


def folder() -> Path:
    """Where spools live: STUDIO_SPOOL_DIR, else the user's state folder, else a private one in the
    temporary folder. Created with mode 0700."""
    if chosen := os.environ.get("STUDIO_SPOOL_DIR"):
        return _made(Path(chosen))
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    try:
        return _made(Path(state) / "studio" / "spool")
    except OSError:
        return _made(Path(tempfile.gettempdir()) / f"studio-spool-{os.getuid()}")


def _made(path: Path) -> Path:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


class Spool:
    """One spool file: append at the end, replay from the front. Created at the first append."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._file: FileIO | None = None
        self._front = 0  # offset of the first record not yet replayed
        self._end = 0
        self.n_records = 0

    @classmethod
    def adopt(cls, path: Path) -> Spool | None:
        """The spool of a dead process, or None when its process lives or the file is gone."""
        spool = cls(path)
        try:
            spool._file = FileIO(str(path), "r+b")
            fcntl.flock(spool._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            spool.abandon()
            return None
        for _, end in spool._records(0):
            spool.n_records += 1
            spool._end = end
        return spool

    def append(self, request: Request, *, must_fit: bool = False) -> None:
        """Add a record; OSError when the disk is full or the spool has reached 1 GiB, which does
        not count for what `must_fit`."""
        file = self._file or self._create()
        payload = request.pack()
        if self._end - self._front + len(payload) > MOST_BYTES and not must_fit:
            raise OSError("the spool is full")
        record = _HEAD.pack(len(payload), zlib.crc32(payload)) + payload
        file.seek(self._end)
        try:
            if file.write(record) != len(record):
                raise OSError("the disk is full")
        except OSError:
            self._forget_torn_write()
            raise
        self._end += len(record)
        self.n_records += 1

    def pending(self) -> Iterator[Request]:
        """Requests from the front on; each counts as done when the next one is asked for."""
        for payload, end in self._records(self._front):
            try:
                request = Request.unpack(payload)
            except (ValueError, TypeError):
                request = None
            if request is not None:
                yield request
            self._front = end
            self.n_records -= 1
        self._truncate()

    def close(self) -> None:
        """Release the file; an empty one is removed."""
        if self._file is None:
            return
        if self.n_records <= 0 and self.path is not None:
            self.path.unlink(missing_ok=True)
        self._file.close()
        self._file = None

    def abandon(self) -> None:
        """Close without touching the file: in a forked child it belongs to the parent."""
        if self._file is not None:
            self._file.close()
        self._file, self.path, self.n_records = None, None, 0

    def _create(self) -> FileIO:
        """A new file, which gets the name of a spool once it is locked: between the two another
        process would take it for that of a dead one, and remove it."""
        path = folder() / f"{os.getpid()}-{uuid.uuid4().hex[:12]}.spool"
        hidden = path.with_suffix(".new")
        descriptor = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        file = FileIO(descriptor, "r+b")
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        hidden.rename(path)
        self.path, self._file = path, file
        return file

    def _records(self, offset: int) -> Iterator[tuple[bytes, int]]:
        while self._file is not None:
            self._file.seek(offset)
            head = self._file.read(_HEAD.size)
            if len(head) < _HEAD.size:
                return
            size, checksum = _HEAD.unpack(head)
            payload = self._file.read(size) if size <= MOST_RECORD_BYTES else b""
            if len(payload) < size or zlib.crc32(payload) != checksum:
                return  # the process died while writing this record
            offset += _HEAD.size + size
            yield payload, offset

    def _forget_torn_write(self) -> None:
        if self._file is not None:
            self._file.truncate(self._end)

    def _truncate(self) -> None:
        """All that could be read is done; a damaged rest is given up."""
        if self._file is not None:
            self._file.truncate(0)
            self._front = self._end = self.n_records = 0


def orphans(where: Path | None = None) -> Iterator[Spool]:
    """Spools of processes that are gone, oldest first, locked for this process; those in `where`,
    by default in the folder of all spools."""
    for path in sorted((where or folder()).glob("*.spool"), key=_age):
        if (spool := Spool.adopt(path)) is not None:
            yield spool


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0

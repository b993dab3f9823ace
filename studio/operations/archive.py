"""The file of a backup: a tar of what the database and the store hold, with a checksum of each
member in its last one. Written and read as a stream: nothing of it has to fit in memory.

    studio-backup.json   what this is, when and of what version, how many rows each table has
    database             an SQLite file, or a dump of PostgreSQL in its custom format
    blobs/…              the bytes that rows name, under their keys
    missing              the keys that rows name and the store did not have, one a line
    SHA256SUMS           "<hex>  <name>" of every member before it, in their order
"""

import contextlib
import hashlib
import io
import json
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, cast

FORMAT = 1
MANIFEST, DATABASE, MISSING, SUMS = "studio-backup.json", "database", "missing", "SHA256SUMS"
BLOBS = "blobs/"
SPOOLED_BYTES = 1 << 20
CHUNK_BYTES = 1 << 20


class BrokenBackup(Exception):
    """The file is no backup, not all of one, or not as it was written; the message says what."""


class Hashed(io.RawIOBase):
    """Reads `stream` and keeps the SHA-256 of what was read."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data: bytes = self.stream.read(size)
        self.digest.update(data)
        return data


class Writer:
    """Writes a backup at `path`, which is there only when all of it is."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.draft = path.with_name(f"{path.name}.partial")

    def __enter__(self) -> Self:
        self.file = self.draft.open("wb")
        self.draft.chmod(0o600)
        self.tar = tarfile.open(fileobj=self.file, mode="w")
        self.sums = tempfile.SpooledTemporaryFile(SPOOLED_BYTES)
        return self

    def add(self, name: str, stream: BinaryIO, n_bytes: int) -> None:
        """A member of exactly so many bytes. Raises OSError when the stream has fewer."""
        facts = tarfile.TarInfo(name)
        facts.size, facts.mode, facts.mtime = n_bytes, 0o600, int(time.time())
        hashed = Hashed(stream)
        self.tar.addfile(facts, cast(BinaryIO, hashed))
        self.sums.write(f"{hashed.digest.hexdigest()}  {name}\n".encode())

    def add_text(self, name: str, text: str) -> None:
        data = text.encode()
        self.add(name, io.BytesIO(data), len(data))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._finish()
        finally:
            self.sums.close()
            self.file.close()
            self.draft.unlink(missing_ok=True)

    def _finish(self) -> None:
        n_bytes = self.sums.tell()
        self.sums.seek(0)
        self.add(SUMS, cast(BinaryIO, self.sums), n_bytes)
        self.tar.close()
        self.file.close()
        self.draft.replace(self.path)


def members(path: Path) -> Iterator[tuple[str, int, BinaryIO]]:
    """(name, bytes, stream) of every member, in order; each is to be read before the next. Raises
    BrokenBackup."""
    with _named_errors(), tarfile.open(path, "r|", bufsize=CHUNK_BYTES) as tar:
        for member in tar:
            stream = tar.extractfile(member) if member.isreg() else None
            if stream is None:
                raise BrokenBackup(f"{member.name[:80]!r} is no plain file.")
            yield member.name, member.size, cast(BinaryIO, stream)


@contextlib.contextmanager
def _named_errors() -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError) as error:
        raise BrokenBackup(f"The file is no backup, or not all of one: {error}.") from error


def verified(path: Path) -> dict[str, Any]:
    """What the backup says of itself, after every byte of it was compared with its checksum. Writes
    nothing. Raises BrokenBackup."""
    manifest: dict[str, Any] = {}
    is_whole = False
    with _named_errors(), tempfile.SpooledTemporaryFile(SPOOLED_BYTES) as seen:
        for name, n_bytes, stream in members(path):
            if is_whole:
                raise BrokenBackup(f"{name[:80]!r} stands behind the checksums.")
            if name == SUMS:
                _compare(seen, stream)
                is_whole = True
                continue
            hashed = Hashed(stream)
            if name == MANIFEST:
                manifest = _manifest(hashed.read(n_bytes))
            while hashed.read(CHUNK_BYTES):
                pass
            seen.write(f"{hashed.digest.hexdigest()}  {name}\n".encode())
    if not is_whole:
        raise BrokenBackup("The end of the file is missing: it has no checksums.")
    if not manifest:
        raise BrokenBackup(f"The file has no {MANIFEST}.")
    return manifest


def _manifest(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError as error:
        raise BrokenBackup(f"{MANIFEST} is no JSON.") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise BrokenBackup("The backup has a format that this version of the studio cannot read.")
    return found


def _compare(seen: Any, sums: BinaryIO) -> None:
    seen.seek(0)
    for mine in seen:
        told = sums.readline(10_000)
        if mine != told:
            name = mine.decode().rstrip("\n").partition("  ")[2]
            raise BrokenBackup(f"{name[:200]!r} is not as it was written: its checksum differs.")
    if sums.read(1):
        raise BrokenBackup("Members are missing that the checksums name.")

"""A store in a bucket of an S3-compatible service.

What `put` stores is one object. What `append` stores, which S3 has no call for, is a row of objects
below the key, its pieces: see `pieces`. Every upload carries its SHA-256, so that a service that
received something else refuses it, and nothing is visible under its key before all of it is there.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from botocore.exceptions import BotoCoreError, ClientError

from studio.blobs.pieces import FOLDER, Pieces
from studio.blobs.s3_objects import Objects, Reading, named_errors
from studio.blobs.store import (
    Blob,
    BlobNotFound,
    BlobTooLarge,
    DigestMismatch,
    StoreAway,
    check_key,
    digest_key,
)

if TYPE_CHECKING:
    from collections.abc import Callable

PART_BYTES = 16 * 1024 * 1024
# S3 takes 10,000 parts: with growing ones a file may have 5 TB, the most that it stores.
GROWS_AFTER = 1_000
PARTS_GROW_BY = 40
READ_BYTES = 1024 * 1024


class S3Store:
    """A `Store` in `bucket`, below `prefix` ("" or a text that ends in "/").

    `make_client` gives a boto3 client of S3; each process makes its own, since connections don't
    survive a fork.
    """

    def __init__(self, make_client: Callable[[], Any], bucket: str, prefix: str = "") -> None:
        self._make_client, self._bucket, self._prefix = make_client, bucket, prefix
        self._lock = threading.Lock()
        self._made: tuple[int, Objects, Pieces] | None = None

    def _own(self) -> tuple[Objects, Pieces]:
        with self._lock:
            if self._made is None or self._made[0] != os.getpid():
                objects = Objects(self._make_client(), self._bucket, self._prefix)
                self._made = (os.getpid(), objects, Pieces(objects))
            return self._made[1], self._made[2]

    @property
    def _objects(self) -> Objects:
        return self._own()[0]

    @property
    def _pieces(self) -> Pieces:
        return self._own()[1]

    def put(self, key: str, stream: BinaryIO, *, limit_bytes: int | None = None) -> Blob:
        blob = self._upload(check_key(key), stream, limit_bytes)
        self._pieces.delete(key)
        return blob

    def put_if_absent(
        self, digest: str, stream: BinaryIO, *, under: str, limit_bytes: int | None = None
    ) -> Blob:
        return self._upload(digest_key(digest, under=under), stream, limit_bytes, digest=digest)

    def _upload(
        self, key: str, stream: BinaryIO, limit_bytes: int | None, *, digest: str = ""
    ) -> Blob:
        """The whole stream as one object. It is visible only if it is what was announced."""
        source = _Measured(key, stream, limit_bytes)
        first = source.part(PART_BYTES)
        if len(first) < PART_BYTES:
            blob = source.blob(digest)
            self._objects.put(key, first)
            return blob
        upload = self._objects.begin_upload(key)
        try:
            n_parts, part = 0, first
            while part:
                n_parts += 1
                upload.add(part)
                part = source.part(PART_BYTES * (1 if n_parts < GROWS_AFTER else PARTS_GROW_BY))
            blob = source.blob(digest)
            upload.complete()
        except BaseException:
            upload.abort()
            raise
        stored = self._objects.size(key)
        if stored != blob.n_bytes:
            raise StoreAway(f"The storage kept {stored} of {blob.n_bytes} bytes; send it again.")
        return blob

    def open(self, key: str, start: int = 0, end: int | None = None) -> BinaryIO:
        if start < 0 or (end is not None and end < start):
            raise ValueError("A range is 0 <= start <= end.")
        reading = self._reading(check_key(key))
        stop = reading.n_bytes if end is None else min(end, reading.n_bytes)
        raw = _Range(reading, min(start, stop), stop)
        return cast(BinaryIO, io.BufferedReader(raw, READ_BYTES))

    def _reading(self, key: str) -> Reading:
        found: Reading | None = None
        if self._pieces.knows(key):
            found = self._pieces.reading(key)
        found = found or self._objects.reading(key) or self._pieces.reading(key)
        if found is None:
            raise BlobNotFound(key)
        return found

    def descriptor(self, key: str) -> int | None:
        self.size(key)
        return None

    def size(self, key: str) -> int:
        # What this process appends to is no whole object.
        is_log = self._pieces.knows(check_key(key))
        found = None if is_log else self._objects.size(key)
        if found is None:
            found = self._pieces.size(key)
        if found is None and is_log:
            found = self._objects.size(key)
        if found is None:
            raise BlobNotFound(key)
        return found

    def age_s(self, key: str) -> float:
        changed = self._objects.changed_at(check_key(key)) or self._pieces.changed_at(key)
        if changed is None:
            raise BlobNotFound(key)
        return max(0.0, time.time() - changed)

    def exists(self, key: str) -> bool:
        with contextlib.suppress(BlobNotFound):
            self.size(key)
            return True
        return False

    def append(self, key: str, offset: int, data: bytes) -> int:
        if offset < 0:
            raise ValueError("An offset is not negative.")
        return self._pieces.append(check_key(key), offset, data)

    def delete(self, key: str) -> bool:
        was_there = self.exists(check_key(key))
        self._objects.delete([key])
        self._pieces.delete(key)
        return was_there

    def list(self, prefix: str = "") -> Iterator[str]:
        """All keys that start with `prefix`; the pieces of a log are one key."""
        if folder := prefix.rpartition("/")[0]:
            check_key(folder)
        last = ""
        for found in self._objects.list(prefix):
            key = found.key.partition(f"/{FOLDER}/")[0]
            if key != last:
                yield key
            last = key

    def sweep(self, *, older_than_s: float = 86_400) -> int:
        """Give up uploads that a dead process left half-sent; how many."""
        return self._objects.abort_uploads(before=time.time() - older_than_s)


class _Measured:
    """A stream that is read in parts while its length and SHA-256 are taken."""

    def __init__(self, key: str, stream: BinaryIO, limit_bytes: int | None) -> None:
        self._key, self._stream, self._limit_bytes = key, stream, limit_bytes
        self._digest, self._n_bytes = hashlib.sha256(), 0

    def part(self, n_bytes: int) -> bytes:
        """The next `n_bytes`, fewer only at the end. Raises BlobTooLarge."""
        pieces, left = [], n_bytes
        while left and (piece := self._stream.read(min(left, READ_BYTES))):
            self._n_bytes += len(piece)
            if self._limit_bytes is not None and self._n_bytes > self._limit_bytes:
                raise BlobTooLarge(self._key, limit_bytes=self._limit_bytes)
            self._digest.update(piece)
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)

    def blob(self, announced: str) -> Blob:
        """What was read. Raises DigestMismatch when something else was announced."""
        actual = self._digest.hexdigest()
        if announced and actual != announced:
            raise DigestMismatch(expected=announced, actual=actual)
        return Blob(self._key, actual, self._n_bytes)


class _Range(io.RawIOBase):
    """The bytes [start, stop) of what is stored; position 0 is `start`.

    One request serves everything that is read in a row; it is begun anew after a seek, and where it
    broke off.
    """

    def __init__(self, reading: Reading, start: int, stop: int) -> None:
        self._reading, self._start, self._stop, self._at = reading, start, stop, start
        self._body: BinaryIO | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        room = min(len(buffer), self._stop - self._at)
        if room <= 0:
            return 0
        try:
            data = self._next(room)
        except (BotoCoreError, ClientError, OSError):
            self._drop()
            with named_errors(self._reading.key):
                data = self._next(room)
        if not data:
            raise StoreAway(f"{self._reading.key!r} ended before its end; read it again.")
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _next(self, n_bytes: int) -> bytes:
        if self._body is None:
            self._body = self._reading.stream(self._at, self._stop)
        data = self._body.read(n_bytes)
        if not data:
            # The end of one of several pieces.
            self._drop()
            self._body = self._reading.stream(self._at, self._stop)
            data = self._body.read(n_bytes)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: self._start, os.SEEK_CUR: self._at, os.SEEK_END: self._stop}[whence]
        at = max(self._start, base + offset)
        if at != self._at:
            self._drop()
            self._at = at
        return self._at - self._start

    def _drop(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None

    def close(self) -> None:
        self._drop()
        super().close()

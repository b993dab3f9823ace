"""What every store of bytes promises: the protocol, its keys and its errors.

Keys are made by the server, never by a person: what a person calls a file is a label kept in a
column. The protocol asks for nothing an object store cannot do; `append` is the one call such a
store has to build itself (from parts).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

KEY_LIMIT = 1000
# No segment starts with a dot: that keeps out `.`, `..` and the store's own `.tmp`.
_SEGMENT = re.compile(r"[a-z0-9_-][a-z0-9_.-]{0,199}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class BlobError(Exception):
    """Anything a store refuses; the message says what to do."""


class InvalidKey(BlobError, ValueError):
    """The key is not of the allowed shape, or another key uses it as a folder."""


class BlobNotFound(BlobError, LookupError):
    """No such key."""

    def __init__(self, key: str) -> None:
        super().__init__(f"Nothing is stored under {key!r}.")
        self.key = key


class LogGap(BlobError):
    """An append would leave a hole; send again from `size_bytes`."""

    def __init__(self, key: str, *, offset: int, size_bytes: int) -> None:
        super().__init__(f"{key!r} has {size_bytes} bytes; append from there, not at {offset}.")
        self.key, self.offset, self.size_bytes = key, offset, size_bytes


class StorageFull(BlobError):
    """The disk or quota is used up; `size_bytes` of the key are stored and intact (0: nothing)."""

    def __init__(self, key: str, *, size_bytes: int = 0) -> None:
        super().__init__(f"No space left to store {key!r}. Free some space, then try again.")
        self.key, self.size_bytes = key, size_bytes


class StoreAway(BlobError):
    """The service that keeps the bytes does not answer, or refuses us; nothing was changed, or
    nobody knows: the call may be repeated."""


class BlobTooLarge(BlobError):
    """The stream is longer than the caller allows; nothing was stored."""

    def __init__(self, key: str, *, limit_bytes: int) -> None:
        super().__init__(f"{key!r} is larger than {limit_bytes} bytes.")
        self.key, self.limit_bytes = key, limit_bytes


class DigestMismatch(BlobError):
    """The bytes do not have the SHA-256 they were announced with; nothing was stored."""

    def __init__(self, *, expected: str, actual: str) -> None:
        super().__init__(f"The content has SHA-256 {actual}, not the announced {expected}.")
        self.expected, self.actual = expected, actual


@dataclass(frozen=True, slots=True)
class Blob:
    """What is stored now: where, its SHA-256 in hex, its length."""

    key: str
    sha256: str
    n_bytes: int


class Store(Protocol):
    """Where bytes live. All sizes and offsets are in bytes; every method checks the key's shape.

    Errors of every method: InvalidKey; of the writing ones also StorageFull.
    """

    def put(self, key: str, stream: BinaryIO, *, limit_bytes: int | None = None) -> Blob:
        """Store all of `stream` in place of what was there; readers see old or new, never half."""

    def put_if_absent(
        self, digest: str, stream: BinaryIO, *, under: str, limit_bytes: int | None = None
    ) -> Blob:
        """Store `stream` as `digest_key(digest, under=under)` unless it is there already.

        The stream is read and checked in both cases, so nobody learns from the answer what others
        stored. Raises DigestMismatch.
        """

    def open(self, key: str, start: int = 0, end: int | None = None) -> BinaryIO:
        """A seekable stream over bytes [start, end), cut at the size now. Raises BlobNotFound."""

    def descriptor(self, key: str) -> int | None:
        """An open descriptor of the bytes, for a child process to read; the caller closes it. None
        where there is no such thing: then read `open`. Raises BlobNotFound."""

    def size(self, key: str) -> int:
        """Length in bytes. Raises BlobNotFound."""

    def age_s(self, key: str) -> float:
        """Seconds since its bytes last changed. Raises BlobNotFound."""

    def exists(self, key: str) -> bool:
        """Whether something is stored under `key`."""

    def append(self, key: str, offset: int, data: bytes) -> int:
        """Add `data` as the bytes from `offset` on; the new size.

        What is there already is skipped, so a repeated call changes nothing. Raises LogGap when
        `offset` is past the end, StorageFull with nothing of `data` kept.
        """

    def delete(self, key: str) -> bool:
        """Remove `key`; whether it was there."""

    def list(self, prefix: str = "") -> Iterator[str]:
        """All keys that start with `prefix`, in no order."""


def digest_key(digest: str, *, under: str) -> str:
    """`under/ab/abcd…` for a SHA-256 in lower-case hex: at most 256 folders at one level."""
    if not _DIGEST.fullmatch(digest):
        raise InvalidKey("A digest is 64 lower-case hexadecimal digits (SHA-256).")
    return check_key(f"{under}/{digest[:2]}/{digest}")


def check_key(key: str) -> str:
    """`key` itself when it is `/`-separated segments of `[a-z0-9_.-]`. Raises InvalidKey."""
    if len(key) > KEY_LIMIT or not all(_SEGMENT.fullmatch(part) for part in key.split("/")):
        raise InvalidKey(f"{key[:80]!r} is not a key: use segments of a-z 0-9 _ - . joined by '/'.")
    return key

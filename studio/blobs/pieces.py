"""What grows, in a store whose objects can only be replaced: a row of objects.

A piece of `key` lies at `key/.log/NUMBER`, where NUMBER counts down from the place of its first
byte so that the newest piece is the first of a listing: the size of a log is one small request. Two
who append at one place can't both win: a piece is written only where there is none. Small pieces
are joined as they gather, each with those that are not much larger, so that a log of any length has
few tens of small pieces and every byte is moved a few times only. A join replaces its first piece,
only if that is still what was read, and removes the others after that: whoever reads meanwhile
finds every byte, some of them twice.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from studio.blobs.s3_objects import Changed, Found, Objects
from studio.blobs.store import BlobNotFound, LogGap, StorageFull, StoreAway

# Begins with a dot, as no segment of a key does.
FOLDER = ".log"
TOP = 10**19
JOIN_AT = 32
LARGEST_JOIN = 32 * 1024 * 1024
# A piece is joined with an older one that is at most so many times as large.
NOT_MUCH_LARGER = 4
KNOWN_ENDS = 1_024
ATTEMPTS = 8


def piece_key(key: str, start: int) -> str:
    return f"{key}/{FOLDER}/{TOP - start:020d}"


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes [start, end) of a log, as an object."""

    start: int
    end: int
    object: Found


def _piece(found: Found) -> Piece:
    start = TOP - int(found.key.rpartition("/")[2])
    return Piece(start, start + found.n_bytes, found)


class Pieces:
    """Logs in pieces. The same object serves many threads of one process."""

    def __init__(self, objects: Objects) -> None:
        self.objects = objects
        # Where logs that this process writes to ended, and how many pieces it added since a join:
        # a guess that spares a listing; what is written is decided by the store.
        self._ends: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self._lock = threading.Lock()

    def size(self, key: str) -> int | None:
        newest = self._newest(key)
        return None if newest is None else newest.end

    def changed_at(self, key: str) -> float | None:
        newest = self._newest(key)
        return None if newest is None else newest.object.changed_at

    def knows(self, key: str) -> bool:
        """Whether this process appended to it."""
        with self._lock:
            return key in self._ends

    def _newest(self, key: str) -> Piece | None:
        for found in self.objects.list(f"{key}/{FOLDER}/", most=1):
            return _piece(found)
        return None

    def _all(self, key: str) -> list[Piece]:
        """All pieces, oldest first."""
        return [_piece(found) for found in self.objects.list(f"{key}/{FOLDER}/")][::-1]

    def append(self, key: str, offset: int, data: bytes) -> int:
        """As the store's `append`."""
        end, n_small = self._end_of(key)
        for _ in range(ATTEMPTS):
            if offset > end:
                end, n_small = self._end_of(key, ask=True)
            if offset > end:
                raise LogGap(key, offset=offset, size_bytes=end)
            fresh = data[end - offset :]
            if not fresh:
                # Maybe more is there than this process knows of.
                return max(end, self._end_of(key, ask=True)[0])
            try:
                self.objects.put(piece_key(key, end), fresh, only_if={"IfNoneMatch": "*"})
            except Changed:
                end, n_small = self._end_of(key, ask=True)
                continue
            except StorageFull as full:
                raise StorageFull(key, size_bytes=end) from full
            self._remember(key, end + len(fresh), n_small + 1)
            if n_small + 1 >= JOIN_AT:
                self._join(key)
            return end + len(fresh)
        raise StoreAway(f"{key!r} is written to by others all the time; try again.")

    def _end_of(self, key: str, *, ask: bool = False) -> tuple[int, int]:
        """Where the log ends, and how many pieces this process added since the last join."""
        with self._lock:
            known = self._ends.get(key)
        if known is not None and not ask:
            return known
        newest = self._newest(key)
        if newest is None:
            whole = self.objects.size(key)
            if whole is not None:
                return self._cut_whole(key, whole)
        # Nobody knows how many are small: the first append of a process looks.
        n_small = known[1] if known else JOIN_AT
        return (newest.end if newest else 0), (n_small if newest else 0)

    def _cut_whole(self, key: str, n_bytes: int) -> tuple[int, int]:
        """Make the object that was stored whole the first piece."""
        if n_bytes:
            self.objects.put(piece_key(key, 0), self.objects.get(key))
        self.objects.delete([key])
        return n_bytes, 0

    def _remember(self, key: str, end: int, n_small: int) -> None:
        with self._lock:
            self._ends[key] = (end, n_small)
            self._ends.move_to_end(key)
            while len(self._ends) > KNOWN_ENDS:
                self._ends.popitem(last=False)

    def _forget(self, key: str) -> None:
        with self._lock:
            self._ends.pop(key, None)

    def _join(self, key: str) -> None:
        """Make one piece of the newest ones; when somebody else does, or the service is away,
        they stay as they are and the next append tries again."""
        pieces = self._all(key)
        some = to_join(pieces)
        if len(some) >= 2:
            try:
                data = b"".join(self._bytes_of(key, some))
                only_if = {"IfMatch": some[0].object.etag}
                self.objects.put(some[0].object.key, data, only_if=only_if)
                self.objects.delete([piece.object.key for piece in some[1:]])
            except (Changed, BlobNotFound, StoreAway, StorageFull):
                return
        self._remember(key, pieces[-1].end, 0)

    def _bytes_of(self, key: str, pieces: Sequence[Piece]) -> list[bytes]:
        """The bytes of pieces in a row, where they overlap once. Raises Changed when one of them is
        not any more what was listed."""
        found, at = [], pieces[0].start
        for piece in pieces:
            data = self.objects.get(piece.object.key)
            if len(data) != piece.object.n_bytes:
                raise Changed(key)
            found.append(data[at - piece.start :])
            at = max(at, piece.end)
        return found

    def reading(self, key: str) -> Rows | None:
        """The log as it is now; None where there is none."""
        pieces = self._all(key)
        return Rows(self, key, pieces[-1].end, pieces) if pieces else None

    def delete(self, key: str) -> None:
        self._forget(key)
        self.objects.delete([found.key for found in self.objects.list(f"{key}/{FOLDER}/")])


def to_join(pieces: Sequence[Piece]) -> list[Piece]:
    """The newest pieces that are to become one: each not much larger than all that follow it."""
    chosen: list[Piece] = []
    n_bytes = 0
    for piece in reversed(pieces):
        size = piece.end - piece.start
        if n_bytes + size > LARGEST_JOIN:
            break
        if len(chosen) >= JOIN_AT and size > NOT_MUCH_LARGER * n_bytes:
            break
        chosen.append(piece)
        n_bytes += size
    return chosen[::-1]


@dataclass(slots=True)
class Rows:
    """A log as it was when it was opened: what is appended later is not in it."""

    owner: Pieces
    key: str
    n_bytes: int
    pieces: list[Piece]

    def stream(self, start: int, stop: int) -> BinaryIO:
        """Bytes from `start` to the end of a piece at most."""
        for _ in range(ATTEMPTS):
            piece = self._holding(start)
            at, end = start - piece.start, min(stop, piece.end) - piece.start
            try:
                return self.owner.objects.stream(piece.object.key, at, end)
            except Exception as error:
                # Joined meanwhile: the same bytes lie in another piece.
                code = getattr(error, "response", {}).get("Error", {}).get("Code", "")
                if code not in ("NoSuchKey", "404"):
                    raise
                self.pieces = self.owner._all(self.key)
        raise StoreAway(f"{self.key!r} changes all the time; read it again.")

    def _holding(self, place: int) -> Piece:
        low, high = 0, len(self.pieces)
        while low < high:
            middle = (low + high) // 2
            if self.pieces[middle].start <= place:
                low = middle + 1
            else:
                high = middle
        # A join that was interrupted leaves later starts inside a longer piece: look further back.
        for i in range(low - 1, -1, -1):
            if self.pieces[i].end > place:
                return self.pieces[i]
        raise BlobNotFound(self.key)

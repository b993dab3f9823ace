"""What grows, in a store whose objects can only be replaced: a row of objects.

A piece of `key` lies at `key/.log/NUMBER`, where NUMBER counts down from the place of its first
byte. The log is the chain of pieces from byte 0 on, each of which begins where the one before it
ends: one listing tells it. What is not on the chain is nobody's. Small pieces are joined as they
gather, so that a log of any length has a few tens of small ones and every byte is moved a few times
only. Nobody holds a lock; why no interleaving of calls, nor a death between two of them, loses a
byte or changes one that was readable:

- A piece is put only where there is no object, so that of two who append at one place one wins.
- A join replaces its first piece by all of them, only if that is still what was listed, and removes
  the others after that. The places where the others began are never again the end of a piece: who
  puts one there, because it remembers an end of the log from before, puts it beside the chain. So
  an append looks whether its piece is on the chain before it says that it is stored; if not, it
  removes the piece and goes on from the end. If it died instead, the next join removes it.
- Pieces are joined that begin in one block of a fixed grid, of which the log has passed the end. Of
  two joins one then lies within the other, or they have nothing in common, or they begin with the
  same piece, and only one replaces it. If they could overlap, the slower one would replace a first
  piece by bytes up to a place that the quicker one has joined away, and cut the log there.
- What is read is of the version that was listed: at a removed place a piece beside the chain may
  lie meanwhile.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from typing import BinaryIO

from studio.blobs.s3_objects import CHANGED, MISSING, Changed, Found, Objects
from studio.blobs.store import BlobNotFound, LogGap, StorageFull, StoreAway

# Begins with a dot, as no segment of a key does.
FOLDER = ".log"
TOP = 10**19
JOIN_AT = 32
LARGEST_JOIN = 32 * 1024 * 1024
# Each block of the grid is so many of the next smaller ones: at most so many pieces of about one
# size stay, and a byte is moved once for each size of block.
LEAST_BLOCK, LARGEST_BLOCK = 256, 16 * 1024 * 1024
BLOCKS_IN_BLOCK = 4
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
        chain = chain_of(self._all(key))
        return chain[-1].end if chain else None

    def changed_at(self, key: str) -> float | None:
        for found in self.objects.list(f"{key}/{FOLDER}/", most=1):
            return found.changed_at
        return None

    def knows(self, key: str) -> bool:
        """Whether this process appended to it."""
        with self._lock:
            return key in self._ends

    def _all(self, key: str) -> list[Piece]:
        """All objects of the log, oldest first; its bytes are those of `chain_of` them."""
        return [_piece(found) for found in self.objects.list(f"{key}/{FOLDER}/")][::-1]

    def append(self, key: str, offset: int, data: bytes) -> int:
        """As the store's `append`."""
        end, n_small = self._end_of(key)
        for _ in range(ATTEMPTS):
            if not offset <= end < offset + len(data):
                # Maybe more is there than this process knows of.
                end, n_small = self._end_of(key, ask=True)
            if offset > end:
                raise LogGap(key, offset=offset, size_bytes=end)
            fresh = data[end - offset :]
            if not fresh:
                return end
            try:
                self.objects.put(piece_key(key, end), fresh, only_if={"IfNoneMatch": "*"})
            except Changed:
                end, n_small = self._end_of(key, ask=True)
                continue
            except StorageFull as full:
                raise StorageFull(key, size_bytes=end) from full
            pieces = self._all(key)
            start, end = end, end_of(pieces)
            if any(piece.start == start for piece in chain_of(pieces)):
                self._remember(key, end, n_small + 1)
                if n_small + 1 >= JOIN_AT:
                    self._join(key, pieces)
                return end
            # Beyond the end of a log it may come to lie on the chain; without a log it is what is
            # left of one that was deleted.
            if start < end or end == 0 < start:
                self.objects.delete([piece_key(key, start)])
        raise StoreAway(f"{key!r} is written to by others all the time; try again.")

    def _end_of(self, key: str, *, ask: bool = False) -> tuple[int, int]:
        """Where the log ends, and how many pieces this process added since the last join."""
        with self._lock:
            known = self._ends.get(key)
        if known is not None and not ask:
            return known
        end = end_of(self._all(key))
        if not end:
            whole = self.objects.size(key)
            end = 0 if whole is None else self._cut_whole(key)
        # Nobody knows how many are small: the first append of a process looks.
        return end, (known[1] if known else JOIN_AT)

    def _cut_whole(self, key: str) -> int:
        """Make the object that was stored whole the first piece; the end of the log then."""
        try:
            data = self.objects.get(key)
            if data:
                self.objects.put(piece_key(key, 0), data, only_if={"IfNoneMatch": "*"})
            self.objects.delete([key])
        except (Changed, BlobNotFound):
            # Another process did, and may have appended since.
            return end_of(self._all(key))
        return len(data)

    def _remember(self, key: str, end: int, n_small: int) -> None:
        with self._lock:
            self._ends[key] = (end, n_small)
            self._ends.move_to_end(key)
            while len(self._ends) > KNOWN_ENDS:
                self._ends.popitem(last=False)

    def _forget(self, key: str) -> None:
        with self._lock:
            self._ends.pop(key, None)

    def _join(self, key: str, pieces: Sequence[Piece]) -> None:
        """Make fewer pieces of them, and remove what is beside the chain; when somebody else does,
        or the service is away, they stay as they are and the next append tries again."""
        chain = chain_of(pieces)
        on_chain = {piece.start for piece in chain}
        end = chain[-1].end
        dead = [one for one in pieces if one.start < end and one.start not in on_chain]
        is_done = True
        try:
            for some in to_join(chain):
                self._make_one(some)
                dead += some[1:]
        except (Changed, BlobNotFound, StoreAway, StorageFull):
            is_done = False
        with suppress(StoreAway):
            self.objects.delete([piece.object.key for piece in dead])
            if is_done:
                self._remember(key, end, 0)

    def _make_one(self, pieces: Sequence[Piece]) -> None:
        """Replace the first by all of them. Raises Changed when one is not what was listed."""
        objects = [piece.object for piece in pieces]
        data = b"".join(self.objects.get(one.key, etag=one.etag) for one in objects)
        self.objects.put(objects[0].key, data, only_if={"IfMatch": objects[0].etag})

    def reading(self, key: str) -> Rows | None:
        """The log as it is now; None where there is none."""
        chain = chain_of(self._all(key))
        return Rows(self, key, chain[-1].end, chain) if chain else None

    def delete(self, key: str) -> None:
        self._forget(key)
        self.objects.delete([found.key for found in self.objects.list(f"{key}/{FOLDER}/")])


def chain_of(pieces: Sequence[Piece]) -> list[Piece]:
    """Of all objects of a log, oldest first, those that are the log: from byte 0 on each begins
    where the one before it ends."""
    chain: list[Piece] = []
    end = 0
    for piece in pieces:
        if piece.start == end < piece.end:
            chain.append(piece)
            end = piece.end
    return chain


def end_of(pieces: Sequence[Piece]) -> int:
    """Where the log of these objects ends; 0 when there is none."""
    chain = chain_of(pieces)
    return chain[-1].end if chain else 0


def to_join(chain: Sequence[Piece]) -> list[list[Piece]]:
    """Pieces in a row of which each row is to become one: those that begin in one block of the
    grid, the largest that the log has passed and that is not too much to be held in memory."""
    rows: list[list[Piece]] = []
    left, end, block = list(chain), chain[-1].end if chain else 0, LARGEST_BLOCK
    while left and block >= LEAST_BLOCK:
        rest: list[Piece] = []
        for number, found in groupby(left, key=lambda piece: piece.start // block):
            some = list(found)
            is_passed = (number + 1) * block <= end
            if not is_passed or some[-1].end - some[0].start > LARGEST_JOIN:
                rest += some
            elif len(some) > 1:
                rows.append(some)
        left, block = rest, block // BLOCKS_IN_BLOCK
    return rows


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
                return self.owner.objects.stream(piece.object.key, at, end, etag=piece.object.etag)
            except Exception as error:
                # Joined meanwhile: the same bytes lie in another piece.
                code = getattr(error, "response", {}).get("Error", {}).get("Code", "")
                if code not in MISSING | CHANGED:
                    raise
                self.pieces = chain_of(self.owner._all(self.key))
        raise StoreAway(f"{self.key!r} changes all the time; read it again.")

    def _holding(self, place: int) -> Piece:
        at = bisect_right(self.pieces, place, key=lambda piece: piece.start) - 1
        if at < 0 or self.pieces[at].end <= place:
            raise BlobNotFound(self.key)
        return self.pieces[at]

"""Finding a text or an expression in a whole file, while it may still grow: hits as they come.

Lines that match are counted up to COUNT_UP_TO; more are "10,000+". What a call leaves out, because
it sent enough or took too long, the next one goes on with from `Ending.cursor`.
"""

import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Literal

from studio.artifacts import line_index
from studio.artifacts.actions import size_of
from studio.artifacts.hits import Hit, Hits, Place, read_place, source_at
from studio.artifacts.models import Artifact
from studio.artifacts.ripgrep import Child, FindFailed, Pattern
from studio.artifacts.store import store
from studio.blobs import BlobNotFound
from studio.runs.limits import Invalid

HITS_SENT = 1_000
COUNT_UP_TO = 10_000
LIMIT_S = 60.0
# Hits that came together are looked at together, and at least so often.
FLUSH_S = 0.2
TOO_LONG = "a line is longer than the memory for it"

Stopped = Literal["", "enough", "time", "failed"]


@dataclass(frozen=True, slots=True)
class Asked:
    """How much of a find is wanted: from which byte and line, how many hits, lines around each."""

    start: int = 0
    line: int = 1
    most: int = HITS_SENT
    context: int = 0
    limit_s: float = LIMIT_S


@dataclass(frozen=True, slots=True)
class Progress:
    """`n_bytes` of `size` are read, and `n` lines match so far."""

    n_bytes: int
    size: int
    n: int


@dataclass(frozen=True, slots=True)
class Ending:
    """All is said: `n` lines match, or that many and more (`is_exact` false).

    stopped: why before the end of the file; cursor: where to go on behind the last hit that was
    sent, "" at the end; n_bytes: up to where it looked, of `size`.
    """

    n: int
    is_exact: bool
    stopped: Stopped
    cursor: str
    n_bytes: int
    size: int
    why: str = ""


def read_cursor(text: str) -> tuple[int, int]:
    """(byte, line) of a cursor, the beginning for "". Raises Invalid."""
    start, _, line = text.partition("-")
    if not text:
        return 0, 1
    if not (start.isdecimal() and line.isdecimal() and len(text) < 40):
        raise Invalid("after", "after is a cursor as an earlier answer gave it.")
    return int(start), max(1, int(line))


@dataclass
class _Find:
    """One find under way."""

    artifact: Artifact
    asked: Asked
    hits: Hits
    waiting: list[Place] = field(default_factory=list)
    n: int = 0
    n_sent: int = 0
    last: Place | None = None
    left_out: Place | None = None
    rest: bytes = b""
    flushed_at: float = 0.0

    def take(self, piece: bytes) -> None:
        *whole, self.rest = (self.rest + piece).split(b"\n")
        for printed in whole:
            self.n += 1
            if self.left_out is None:
                place = read_place(printed, self.asked.line, self.asked.start)
                if self.n_sent + len(self.waiting) < self.asked.most:
                    self.waiting.append(place)
                else:
                    self.left_out = place
            if self.n > COUNT_UP_TO:
                return

    def flush(self) -> list[Hit]:
        found, self.waiting = self.hits.of(self.waiting), []
        self.n_sent += len(found)
        if found:
            self.last = Place(found[-1].line, found[-1].start)
        self.flushed_at = time.monotonic()
        return found

    def is_due(self) -> bool:
        return bool(self.waiting) and time.monotonic() - self.flushed_at >= FLUSH_S


def find(artifact: Artifact, pattern: Pattern, asked: Asked) -> Generator[Hit | Progress | Ending]:
    """Hits in the order of the file with progress between them at least every 0.2 s; an Ending
    last. `pattern` was `ripgrep.checked`. Closing the iterator ends the search at once.

    Raises FindFailed when there is no ripgrep. Bytes written meanwhile are searched too.
    """
    key, size = artifact.blob_key, size_of(artifact)
    try:
        source = source_at(store(), key, min(asked.start, size))
    except BlobNotFound:
        yield Ending(0, True, "", "", 0, 0)
        return
    one = _Find(artifact, asked, Hits(store(), key, pattern, context=asked.context))
    until = time.monotonic() + asked.limit_s
    # A line that matches is printed as a few words if it is longer than nothing.
    with Child(["--max-columns=1", *pattern.arguments()], source) as child:
        is_over = True
        for piece in child.pieces(until=until):
            one.take(piece)
            if one.n > COUNT_UP_TO:
                break
            if one.is_due():
                yield from one.flush()
            yield Progress(_place(child, one), max(size, _place(child, one)), one.n)
        else:
            is_over = time.monotonic() < until
        n_bytes = _place(child, one)
        why = "" if one.n > COUNT_UP_TO or not is_over else failure(child)
    yield from one.flush()
    yield _ending(one, n_bytes, is_over=is_over and not why, why=why)


def _place(child: Child, one: _Find) -> int:
    return child.place() + (one.asked.start if child.is_fed else 0)


def failure(child: Child) -> str:
    """Why a child that printed all has failed, "" when it has not."""
    code = child.returncode()
    if code in (0, 1):
        return ""
    said = child.complaint()
    if code < 0 or "memory" in said.lower() or "alloc" in said.lower():
        return TOO_LONG
    return said.strip()[:300] or "ripgrep gave up"


def _ending(one: _Find, n_bytes: int, *, is_over: bool, why: str) -> Ending:
    is_many = one.n > COUNT_UP_TO
    stopped: Stopped = ""
    if why:
        stopped = "failed"
    elif not is_over:
        stopped = "time"
    elif one.left_out is not None:
        stopped = "enough"
    return Ending(
        n=min(one.n, COUNT_UP_TO),
        is_exact=is_over and not is_many,
        stopped=stopped,
        cursor=_cursor(one, n_bytes, stopped),
        n_bytes=n_bytes,
        size=max(n_bytes, size_of(one.artifact)),
        why=why,
    )


def _cursor(one: _Find, n_bytes: int, stopped: Stopped) -> str:
    """At the first hit that was not sent; where all were, behind the last one or further on, at a
    line of which the bytes were read."""
    if one.left_out is not None:
        return f"{one.left_out.start}-{one.left_out.line}"
    if stopped != "time":
        return ""
    index = line_index.load(store(), one.artifact.blob_key)
    # What was read of the last lines may not have been looked at.
    line = index.line_at(max(one.asked.start, n_bytes - 2 * line_index.BLOCK_BYTES)) or 1
    line = max(line, one.last.line + 1 if one.last else one.asked.line)
    start = index.offset_of(line)
    return "" if start is None else f"{start}-{line}"


def first_hit(artifact: Artifact, pattern: Pattern, *, limit_s: float) -> tuple[Hit | None, bool]:
    """The first line that matches, and whether all of the file up to it (or its end) was read."""
    with closing(find(artifact, pattern, Asked(most=1, limit_s=limit_s))) as told:
        for said in told:
            if isinstance(said, Hit):
                return said, True
            if isinstance(said, Ending):
                return None, not said.stopped
    raise FindFailed("the search ended without an answer")

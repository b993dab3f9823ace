"""What is shown of a line in which something was found: a bounded piece of it, and what matched.

ripgrep is asked twice. The first time it says which lines match, at full speed and with a few
bytes for each line, however long that is; the second time, where in those that are shown.
"""

import io
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from studio.artifacts.ansi import ESCAPE, UNSHOWN
from studio.artifacts.ripgrep import Child, FindFailed, Pattern, Source
from studio.blobs import Store

# So much of a line is asked for its matches together with others; a longer one by itself.
HEAD_BYTES = 4_096
SHOWN_BYTES = 400
BEFORE_MATCH_BYTES = 100
MAX_RANGES = 20
CONTEXT_BYTES = 8_192
MAX_CONTEXT = 5
LONG_LINE_S = 5.0
# Longer matches are cut by ripgrep; then all that is shown of the line is marked.
_MATCH_BYTES = 300
_WHERE = ("--only-matching", f"--max-columns={_MATCH_BYTES}", "--max-columns-preview")

# How long a match is called that has no end near.
WHOLE = 1 << 40

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Place:
    """Line `line` (from 1), which begins at byte `start`, matches."""

    line: int
    start: int


@dataclass(frozen=True, slots=True)
class Hit:
    """A line that matches. `at`: the byte of the first match, None where it was not looked for.

    parts: (text, whether it matched) around the first match, without escapes and control
    characters; is_cut: there is more of the line. before, after: (line, text) of the lines around.
    """

    line: int
    start: int
    at: int | None
    parts: tuple[tuple[str, bool], ...]
    is_cut: bool
    before: tuple[tuple[int, str], ...] = ()
    after: tuple[tuple[int, str], ...] = ()


class Hits:
    """Makes hits of places in the bytes of one key."""

    def __init__(self, store: Store, key: str, pattern: Pattern, *, context: int) -> None:
        self.store, self.key, self.pattern = store, key, pattern
        self.context = max(0, min(context, MAX_CONTEXT))
        # Each costs reading the line once more.
        self.n_long_left = 20

    def of(self, places: Sequence[Place]) -> list[Hit]:
        """The hits of these lines, in their order."""
        if not places:
            return []
        heads = [self._read(place.start, place.start + HEAD_BYTES) for place in places]
        lines = [head.partition(b"\n")[0] for head in heads]
        ranges = self._ranges(lines)
        return [
            self._hit(place, line, found)
            for place, line, found in zip(places, lines, ranges, strict=True)
        ]

    def _read(self, start: int, end: int) -> bytes:
        with self.store.open(self.key, max(0, start), max(0, start, end)) as file:
            return file.read()

    def _ranges(self, lines: Sequence[bytes]) -> list[list[Range]]:
        """Where the first matches of each line are, as bytes of it."""
        starts, at = [], 0
        for line in lines:
            starts.append(at)
            at += len(line) + 1
        text = io.BytesIO(b"\n".join(lines) + b"\n")
        found: list[list[Range]] = [[] for _ in lines]
        for number, offset, length in _matches(self.pattern, text):
            own = found[number - 1]
            if len(own) < MAX_RANGES:
                start = offset - starts[number - 1]
                own.append((start, start + length))
        return found

    def _hit(self, place: Place, line: bytes, ranges: list[Range]) -> Hit:
        is_long = len(line) >= HEAD_BYTES
        far = self._in_long_line(place) if is_long and not ranges else None
        base = far or 0
        if far is not None:
            line = self._read(place.start + base, place.start + base + HEAD_BYTES)
            line = line.partition(b"\n")[0]
            ranges = self._ranges([line])[0] or [(0, 1)]
        first = ranges[0][0] if ranges else 0
        start = max(0, first - BEFORE_MATCH_BYTES)
        end = min(len(line), start + SHOWN_BYTES)
        before, after = self._around(place) if self.context else ((), ())
        return Hit(
            line=place.line,
            start=place.start,
            at=place.start + base + first if ranges else None,
            parts=tuple(_parts(line, start, end, ranges)),
            is_cut=bool(base) or start > 0 or end < len(line) or is_long,
            before=before,
            after=after,
        )

    def _in_long_line(self, place: Place) -> int | None:
        """Where in this line the first match is, None when that is not found out."""
        if self.n_long_left <= 0:
            return None
        self.n_long_left -= 1
        found = _matches(self.pattern, source_at(self.store, self.key, place.start), n_lines=1)
        return next((offset for _, offset, _ in found), None)

    def _around(self, place: Place) -> tuple[tuple[tuple[int, str], ...], ...]:
        """The lines before and behind, as far as they are near."""
        data = self._read(place.start - CONTEXT_BYTES, place.start)
        lines = data.removesuffix(b"\n").split(b"\n") if data else []
        if len(data) == CONTEXT_BYTES and len(lines) > 1:
            lines = lines[1:]
        lines = lines[-self.context :]
        before = [(place.line - len(lines) + i, plain(line)) for i, line in enumerate(lines)]
        data = self._read(place.start, place.start + CONTEXT_BYTES)
        whole = data.split(b"\n")[1:-1] if len(data) == CONTEXT_BYTES else data.split(b"\n")[1:]
        if whole and not whole[-1]:
            whole.pop()
        after = [(place.line + 1 + i, plain(one)) for i, one in enumerate(whole[: self.context])]
        return tuple(before), tuple(after)


def source_at(store: Store, key: str, start: int) -> Source:
    """The bytes of `key` from `start` on for a child: a descriptor, or a stream to be piped."""
    fd = store.descriptor(key)
    if fd is None:
        return store.open(key, start)
    os.lseek(fd, start, os.SEEK_SET)
    return fd


def _matches(
    pattern: Pattern, source: Source, *, n_lines: int | None = None
) -> Iterable[tuple[int, int, int]]:
    """(line, byte, length) of each match, until LONG_LINE_S are over. Of what ripgrep can't do
    (a line beyond its memory) nothing is said: such a hit has no place in its line."""
    options = [*_WHERE, *([f"--max-count={n_lines}"] if n_lines else []), *pattern.arguments()]
    rest = b""
    with Child(options, source) as child:
        for piece in child.pieces(until=time.monotonic() + LONG_LINE_S):
            *whole, rest = (rest + piece).split(b"\n")
            for printed in whole:
                number, offset, text = printed.split(b":", 2)
                n_bytes = len(text.removesuffix(b"\r"))  # with --crlf it ends its own lines so
                yield int(number), int(offset), n_bytes if n_bytes <= _MATCH_BYTES else WHOLE


def read_place(printed: bytes, first_line: int, start: int) -> Place:
    """What ripgrep prints of a line that matches. Raises FindFailed for anything else."""
    number, _, rest = printed.partition(b":")
    offset = rest.partition(b":")[0]
    if not (number.isdigit() and offset.isdigit()):
        raise FindFailed("ripgrep answered something that is not understood.")
    return Place(first_line + int(number) - 1, start + int(offset))


def _parts(line: bytes, start: int, end: int, ranges: list[Range]) -> Iterable[tuple[str, bool]]:
    """The bytes start..end of a line as text, cut where matches begin and end."""
    # No cut through the middle of a character.
    while start and start < end and line[start] & 0xC0 == 0x80:
        start += 1
    at = start
    for begin, stop in ranges:
        begin, stop = max(at, min(begin, end)), max(at, min(stop, end))
        if begin == stop:
            continue
        if text := plain(line[at:begin]):
            yield text, False
        if text := plain(line[begin:stop]):
            yield text, True
        at = stop
    if text := plain(line[at:end]):
        yield text, False


def plain(data: bytes) -> str:
    """Bytes of a line as text for people: no escapes, control characters as blanks."""
    text = data[:SHOWN_BYTES].decode("utf-8", "replace").rstrip("\r")
    return UNSHOWN.sub(" ", ESCAPE.sub("", text))

"""Lines of a file by their numbers, whatever its size: what is read is bounded, not the file."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from studio.artifacts.line_index import BLOCK_BYTES, LONGEST_MARK, MARKS, LineIndex, Mark

# Of a longer line the beginning is shown; of a progress bar its last state, which is at the end.
SHOWN_BYTES = 4_000
# What one call may read in all, however long its lines are.
MAX_READ_BYTES = 2 * 1024 * 1024
# How much of the end of a file is looked through for a line.
END_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class RawLine:
    """Line `number` (from 1) is the bytes `start`..`end` without its line end.

    `data` is all of it, or of a long one as much as is shown; `n_hidden` bytes are not in it.
    `is_open`: no line end yet.
    """

    number: int
    start: int
    end: int
    data: bytes
    n_hidden: int = 0
    is_open: bool = False


def read_lines(index: LineIndex, first: int, n: int) -> list[RawLine]:
    """At most `n` lines from number `first` on, in order; fewer at the end of the file, where the
    index is behind, or when they are so long that MAX_READ_BYTES are read before."""
    start = index.offset_of(max(1, first))
    lines: list[RawLine] = []
    n_read, number = 0, max(1, first)
    while start is not None and start < index.size and len(lines) < n and n_read < MAX_READ_BYTES:
        data = index.read(start, start + BLOCK_BYTES)
        if not data:
            break
        n_read += len(data)
        whole = list(_whole(data, number, start))[: n - len(lines)]
        if not whole:
            line = _long(index, number, start, data)
            if line is None:
                break
            whole = [line]
        lines += whole
        number, start = whole[-1].number + 1, whole[-1].end + 1
    return lines


def _whole(data: bytes, number: int, start: int) -> Iterator[RawLine]:
    """The lines of which the end is in `data` too."""
    at = 0
    while (end := data.find(b"\n", at)) != -1:
        shown = _shown(data[at:end])
        yield RawLine(number, start + at, start + end, shown, end - at - len(shown))
        number, at = number + 1, end + 1


def _shown(line: bytes) -> bytes:
    """What is shown of a line: its last state where it is a progress bar, else its beginning."""
    if len(line) <= SHOWN_BYTES:
        return line
    tail = line[-SHOWN_BYTES:].removesuffix(b"\r")
    return tail[tail.rfind(b"\r") :] if b"\r" in tail else line[:SHOWN_BYTES]


def _long(index: LineIndex, number: int, start: int, data: bytes) -> RawLine | None:
    """The line that begins with `data` and goes on behind it, or has no end yet."""
    if start + len(data) >= index.size:
        shown = _shown(data)
        hidden = len(data) - len(shown)
        return RawLine(number, start, index.size, shown, hidden, is_open=True)
    behind = index.offset_of(number + 1)
    if behind is None and index.is_behind:
        return None
    is_open = behind is None and index.read(index.size - 1, index.size) != b"\n"
    end = index.size - (not is_open) if behind is None else behind - 1
    tail = index.read(max(start, end - SHOWN_BYTES), end)
    shown = _shown(data[:SHOWN_BYTES] + tail)
    return RawLine(number, start, end, shown, end - start - len(shown), is_open)


def next_mark(index: LineIndex, mark: Mark, *, after: int) -> int | None:
    """The number of the first line behind line `after` with that mark; None when there is none."""
    start = index.offset_of(after + 1)
    if start is None:
        return None
    blocks = index.marked_blocks(mark)
    near = blocks[blocks >= start // BLOCK_BYTES]
    for block in [*near, len(index.records)]:
        for line in marked_lines(index, mark, int(block)):
            if line > after:
                return line
    return None


def previous_mark(index: LineIndex, mark: Mark, *, before: int) -> int | None:
    """The number of the last line in front of line `before` with that mark; None likewise."""
    start = index.offset_of(before)
    start = index.size if start is None else start
    blocks = [*index.marked_blocks(mark), len(index.records)]
    for block in reversed(blocks):
        if block <= start // BLOCK_BYTES:
            found = [line for line in marked_lines(index, mark, int(block)) if line < before]
            if found:
                return found[-1]
    return None


def last_line(index: LineIndex, endings: Iterable[str] = ()) -> int | None:
    """The number of the last line that ends with the first of `endings` which stands near the end
    of the file; of the last one that says something where none does. None for an empty file, and
    while the index is behind."""
    if index.is_behind or not index.size:
        return None
    data = index.read(max(0, index.size - END_BYTES), index.size)
    lines = [line.strip() for line in data.removesuffix(b"\n").split(b"\n")]
    total = index.n_lines()
    for ending in (*(text.strip().encode() for text in endings if text.strip()), b""):
        for back, line in enumerate(reversed(lines)):
            if line and line.endswith(ending):
                return total - back
    return total


def marked_lines(index: LineIndex, mark: Mark, block: int) -> list[int]:
    """The numbers of the lines of which a mark ends in that block, ascending, each once. Behind
    the last record stands one more block, which is not full yet."""
    if block >= len(index.records) and index.is_behind:
        return []
    start = block * BLOCK_BYTES
    before = max(0, start - LONGEST_MARK)
    data = index.read(before, start + BLOCK_BYTES)
    first = index.ends_before(block) - data.count(b"\n", 0, start - before) + 1
    found = set()
    for text in MARKS[mark]:
        number, counted = first, 0
        at = data.find(text, max(0, start - before - len(text) + 1))
        while at != -1:
            number, counted = number + data.count(b"\n", counted, at), at
            found.add(number)
            # One mark makes a line marked; the next one may begin in the next line.
            end = data.find(b"\n", at)
            at = data.find(text, end) if end != -1 else -1
    return sorted(found)

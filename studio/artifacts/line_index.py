"""Where the lines of a growing file begin: an index that is kept while the file is written.

Beside the bytes under `key` lie 24 bytes for each full block of BLOCK_BYTES under `key.lines`: how
many line ends, errors, warnings and fold marks there are up to the end of that block. What stands
in a record follows from the bytes alone, so two writers write the same ones, and an index that is
missing, behind or torn is made good by the next call of `extend`. To find a line means to search
the records and to read one block. See docs/adr/0029.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from studio.blobs import BlobNotFound, Store

BLOCK_BYTES = 64 * 1024
RECORD: Final = np.dtype(
    [
        ("lines", "<u8"),
        ("errors", "<u4"),
        ("warnings", "<u4"),
        ("folds", "<u4"),
        ("spare", "<u4"),
    ]
)
RECORDS_PER_WRITE = 256
# So much of a file that is behind is indexed for one reader, in well under a second.
CATCH_UP_BYTES = 128 * 1024 * 1024


class Mark(StrEnum):
    """What a line may be noted for, named like the field of RECORD that counts it."""

    ERROR = "errors"
    WARNING = "warnings"
    FOLD = "folds"


# Exactly these bytes, few enough to look for in all that is written: "error" alone stands in the
# name of half the metrics there are.
MARKS: Final[dict[Mark, tuple[bytes, ...]]] = {
    Mark.ERROR: (b"ERROR", b"CRITICAL", b"FATAL", b"Error:", b"Exception:", b"Traceback ("),
    Mark.WARNING: (b"WARN", b"Warning:"),
    Mark.FOLD: (b"group::",),
}
LONGEST_MARK = max(len(text) for texts in MARKS.values() for text in texts)


def index_key(key: str) -> str:
    """Under which key the index of the bytes of `key` lies."""
    return f"{key}.lines"


def owner_key(key: str) -> str:
    """The key of the bytes that an index or a list of times belongs to; `key` itself if neither."""
    return key.removesuffix(".lines").removesuffix(".times")


def extend(store: Store, key: str, *, limit_bytes: int = CATCH_UP_BYTES) -> int:
    """Index what has no record yet, at most `limit_bytes` of it; how many bytes are indexed then.

    Raises BlobNotFound, and StorageFull with the index as long as it could be made.
    """
    size = store.size(key)
    n_blocks = n_records(store, key)
    last = min(size // BLOCK_BYTES, n_blocks + max(1, limit_bytes // BLOCK_BYTES))
    if n_blocks >= last:
        return min(n_blocks, size // BLOCK_BYTES) * BLOCK_BYTES
    counts = last_record(store, key, n_blocks)
    before = max(0, n_blocks * BLOCK_BYTES - LONGEST_MARK)
    with store.open(key, before, last * BLOCK_BYTES) as file:
        overlap = file.read(n_blocks * BLOCK_BYTES - before)
        while n_blocks < last:
            n_now = min(RECORDS_PER_WRITE, last - n_blocks)
            records = np.zeros(n_now, RECORD)
            for i in range(n_now):
                block = file.read(BLOCK_BYTES)
                counts = counts + counted(overlap, block)
                records[i] = (*counts, 0)
                overlap = block[-LONGEST_MARK:]
            store.append(index_key(key), n_blocks * RECORD.itemsize, records.tobytes())
            n_blocks += n_now
    return n_blocks * BLOCK_BYTES


def counted(overlap: bytes, block: bytes) -> npt.NDArray[np.int64]:
    """Line ends, errors, warnings and fold marks that end in `block`, which follows `overlap`."""
    found = [block.count(b"\n")]
    joined = overlap + block
    for texts in MARKS.values():
        n = 0
        for text in texts:
            n += joined.count(text, max(0, len(overlap) - len(text) + 1))
        found.append(n)
    return np.array(found, np.int64)


def n_records(store: Store, key: str) -> int:
    """How many blocks have a record; a torn one at the end has none."""
    try:
        return store.size(index_key(key)) // RECORD.itemsize
    except BlobNotFound:
        return 0


def last_record(store: Store, key: str, n: int) -> npt.NDArray[np.int64]:
    """The counts up to the end of block `n - 1`; zeros when there is none."""
    if n == 0:
        return np.zeros(4, np.int64)
    with store.open(index_key(key), (n - 1) * RECORD.itemsize, n * RECORD.itemsize) as file:
        record = np.frombuffer(file.read(), RECORD)[0]
    return np.array(list(record)[:4], np.int64)


@dataclass(frozen=True, slots=True)
class LineIndex:
    """The index of one file as it was at one moment.

    `size` bytes, of which those before `covered` are in `records`. Lines count from 1; a line is
    what ends in a line end, and what stands behind the last one. `is_behind`: more than one block
    has no record yet, so that nothing can be said of the lines there.
    """

    store: Store
    key: str
    size: int
    records: npt.NDArray[Any]

    @property
    def covered(self) -> int:
        return len(self.records) * BLOCK_BYTES

    @property
    def is_behind(self) -> bool:
        return self.size - self.covered >= BLOCK_BYTES

    def read(self, start: int, end: int) -> bytes:
        """The bytes `start`..`end`, cut at the size that the index is of."""
        if start >= min(end, self.size):
            return b""
        with self.store.open(self.key, start, min(end, self.size)) as file:
            return file.read()

    def ends_before(self, block: int) -> int:
        """Line ends in all blocks before this one."""
        return int(self.records["lines"][block - 1]) if block else 0

    def n_lines(self) -> int:
        """Lines of the file, of what is covered when it is behind."""
        rest = b"" if self.is_behind else self.read(self.covered, self.size)
        n_ends = self.ends_before(len(self.records)) + rest.count(b"\n")
        if self.is_behind:
            return n_ends
        is_open = self.size > 0 and self.read(self.size - 1, self.size) != b"\n"
        return n_ends + is_open

    def offset_of(self, line: int) -> int | None:
        """The byte where that line begins; None when there is no such line yet."""
        if line <= 1:
            return 0 if line == 1 and self.size else None
        end = line - 1  # it begins behind this line end
        block = int(np.searchsorted(self.records["lines"], end, side="left"))
        start = block * BLOCK_BYTES
        if block == len(self.records) and self.is_behind:
            return None
        data = self.read(start, start + BLOCK_BYTES)
        offset = start + nth(data, end - self.ends_before(block))
        return offset if start < offset < self.size else None

    def line_at(self, offset: int) -> int | None:
        """The number of the line that byte `offset` is in; None where that is not known yet."""
        offset = max(0, min(offset, self.size))
        block = min(offset // BLOCK_BYTES, len(self.records))
        start = block * BLOCK_BYTES
        if offset - start > BLOCK_BYTES:
            return None
        return self.ends_before(block) + self.read(start, offset).count(b"\n") + 1

    def n_marks(self, mark: Mark) -> int:
        """How often the file has this mark in what is covered."""
        return int(self.records[mark.value][-1]) if len(self.records) else 0

    def marked_blocks(self, mark: Mark) -> npt.NDArray[np.int64]:
        """Which covered blocks have this mark, in order."""
        counts = self.records[mark.value].astype(np.int64)
        return np.flatnonzero(np.diff(counts, prepend=0) > 0)


def nth(data: bytes, n: int) -> int:
    """The index behind the n-th line end of `data` (n from 1); 0 when there are fewer."""
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == 0x0A)
    return int(ends[n - 1]) + 1 if 0 < n <= len(ends) else 0


def load(store: Store, key: str, *, limit_bytes: int = CATCH_UP_BYTES) -> LineIndex:
    """The index of `key` now, first brought up to its end if no more than `limit_bytes` are
    missing. 24 bytes are read for each 64 KB. A file that is not there has no lines."""
    try:
        extend(store, key, limit_bytes=limit_bytes)
        size = store.size(key)
    except BlobNotFound:
        return LineIndex(store, key, 0, np.zeros(0, RECORD))
    n = min(n_records(store, key), size // BLOCK_BYTES)
    return LineIndex(store, key, size, _records(store, key, n))


def _records(store: Store, key: str, n: int) -> npt.NDArray[Any]:
    if n == 0:
        return np.zeros(0, RECORD)
    with store.open(index_key(key), 0, n * RECORD.itemsize) as file:
        return np.frombuffer(file.read(), RECORD)

"""When the bytes of a log arrived, to the second: one note of 16 bytes for each second in which
something did, beside the log under `key.times`."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from studio.blobs import BlobNotFound, Store

NOTE: Final = np.dtype([("size", "<u8"), ("at_ms", "<i8")])
EVERY_MS = 1_000


def times_key(key: str) -> str:
    """Under which key the times of the bytes of `key` lie."""
    return f"{key}.times"


def note(store: Store, key: str, *, size: int, at_ms: int, size_before: int = 0) -> bool:
    """Note that the log had `size` bytes at `at_ms` (of Unix time); whether it was noted: not
    within EVERY_MS of the note before, nor when nothing was added. Of two at once one stays.

    What came after the last note without one, up to `size_before` bytes, came within EVERY_MS of
    it: it is noted first, so that it does not seem to have come only now. Raises StorageFull.
    """
    n = _n_notes(store, key)
    made = [(size, at_ms)]
    if n:
        before = _read(store, key, n - 1, n)[0]
        if size <= before["size"] or at_ms - before["at_ms"] < EVERY_MS:
            return False
        if before["size"] < size_before < size:
            made.insert(0, (size_before, int(before["at_ms"]) + EVERY_MS))
    store.append(times_key(key), n * NOTE.itemsize, np.array(made, NOTE).tobytes())
    return True


@dataclass(frozen=True, slots=True)
class LogTimes:
    """All notes of a log: `sizes` in bytes and `at_ms`, both ascending."""

    sizes: npt.NDArray[np.int64]
    at_ms: npt.NDArray[np.int64]

    def at_offset(self, offset: int) -> int | None:
        """When the byte at `offset` had arrived, ms of Unix time; None without any notes.

        What stands behind the last note came less than EVERY_MS after it."""
        i = int(np.searchsorted(self.sizes, offset, side="right"))
        return int(self.at_ms[min(i, len(self.sizes) - 1)]) if len(self.sizes) else None

    def offset_at(self, at_ms: int) -> int:
        """How many bytes had arrived before `at_ms`: where to look for what was said then."""
        i = int(np.searchsorted(self.at_ms, at_ms, side="left"))
        return int(self.sizes[i - 1]) if i else 0


def load_times(store: Store, key: str) -> LogTimes:
    """The notes of a log, 16 bytes for each second in which it was written to; none for a file
    that was stored as a whole."""
    notes = _read(store, key, 0, _n_notes(store, key))
    # Clocks of two servers may differ: what came later is not said to have come earlier.
    return LogTimes(
        np.maximum.accumulate(notes["size"].astype(np.int64)),
        np.maximum.accumulate(notes["at_ms"].astype(np.int64)),
    )


def _n_notes(store: Store, key: str) -> int:
    try:
        return store.size(times_key(key)) // NOTE.itemsize
    except BlobNotFound:
        return 0


def _read(store: Store, key: str, first: int, end: int) -> npt.NDArray[Any]:
    if end <= first:
        return np.zeros(0, NOTE)
    with store.open(times_key(key), first * NOTE.itemsize, end * NOTE.itemsize) as file:
        return np.frombuffer(file.read(), NOTE)

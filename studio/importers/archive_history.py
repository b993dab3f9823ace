"""What happened to the runs of an archive where they come from, as a file of each run."""

import io
import json
from collections.abc import Iterator
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, cast

from django.conf import settings

from studio.importers.archive_zip import ArchiveZip
from studio.importers.records import FileRecord, Unreadable

MAX_EVENT_BYTES, MAX_HELD_BYTES, MAX_HISTORY_BYTES = 16 << 20, 1 << 20, 1 << 30


class TooLong(ValueError):
    """A history that nothing but a program can have made."""


def history_file(name: str, history: "History", uid: str) -> Iterator[FileRecord | Unreadable]:
    try:
        n_bytes, stream = history.of(uid)
    except TooLong as error:
        yield Unreadable(name, f"{error} It was left out.")
        return
    if n_bytes:
        yield FileRecord(name, n_bytes, partial(_from_start, stream))


def _from_start(stream: BinaryIO) -> BinaryIO:
    stream.seek(0)
    return stream


def _held_on_disk() -> BinaryIO:
    """A file that is gone once nobody reads it; only a short one is in memory."""
    folder = settings.STUDIO_HOME / "imports"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return cast(BinaryIO, SpooledTemporaryFile(max_size=MAX_HELD_BYTES, dir=str(folder)))


class History:
    """The events of a block. Its runs come in their order; to go back it is opened again."""

    def __init__(self, archive: ArchiveZip, name: str) -> None:
        self._archive, self._name = archive, name
        self._lines: Iterator[dict[str, Any]] = iter(())
        self._next: dict[str, Any] | None = None

    def of(self, uid: str) -> tuple[int, BinaryIO]:
        """The lines of one run, without its id: how many bytes, and a file of them. Raises
        ValueError."""
        return self._ahead(uid) or self._again(uid) or (0, io.BytesIO())

    def _again(self, uid: str) -> tuple[int, BinaryIO] | None:
        if not self._archive.has(self._name):
            return None
        self._lines = self._archive.lines(self._name, most=MAX_EVENT_BYTES)
        self._next = None
        return self._ahead(uid)

    def _ahead(self, uid: str) -> tuple[int, BinaryIO] | None:
        found, n_bytes = _held_on_disk(), 0
        for line in self._rest():
            if line.get("run") == uid:
                kept = {key: value for key, value in line.items() if key != "run"}
                text = json.dumps(kept, ensure_ascii=False) + "\n"
                n_bytes += found.write(text.encode("utf-8", "replace"))
                if n_bytes > MAX_HISTORY_BYTES:
                    raise TooLong(f"Its history has more than {MAX_HISTORY_BYTES:,} bytes.")
            elif n_bytes:
                self._next = line
                break
        return (n_bytes, found) if n_bytes else None

    def _rest(self) -> Iterator[dict[str, Any]]:
        if self._next is not None:
            line, self._next = self._next, None
            yield line
        yield from self._lines

"""A ZIP of many files as a stream: nothing larger than one chunk is ever in memory.

The standard library does all of it: `zipfile` writes to anything with `write`, and falls back to
data descriptors and ZIP64 by itself when it cannot seek.
"""

from __future__ import annotations

import re
import unicodedata
import zipfile
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, NamedTuple, cast

CHUNK_BYTES = 1 << 18
SEGMENT_LIMIT_BYTES = 200
# Deflating these again costs time and saves nothing.
_PACKED = re.compile(
    r"\.(7z|br|bz2|gif|gz|jpe?g|mp4|npz|parquet|pdf|png|pth?|webp|whl|xz|zip|zst)$"
)
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
# Beyond this a plain header might not hold the size once deflate has made bad luck worse.
_ZIP64_FROM_BYTES = 1 << 30


class ZipMember(NamedTuple):
    """One file: its label, what opens its bytes, how many of them to take."""

    label: str
    open: Callable[[], BinaryIO]
    n_bytes: int
    executable: bool = False


def zip_stream(members: Iterable[ZipMember]) -> Iterator[bytes]:
    """The bytes of a ZIP of `members` in their order, in pieces of about 256 kB.

    Labels are made safe to unpack and unique. A file that grows meanwhile is cut at `n_bytes`. An
    error while opening or reading one ends the stream with that error, so that a client sees a
    broken download and not a ZIP that silently lacks a file.
    """
    sink, names = _Sink(), Names()
    with zipfile.ZipFile(cast(BinaryIO, sink), "w", allowZip64=True) as archive:
        for member in members:
            info = _info(names.unique(safe_label(member.label)), member)
            large = member.n_bytes >= _ZIP64_FROM_BYTES
            with member.open() as source, archive.open(info, "w", force_zip64=large) as target:
                for chunk in _first_bytes(source, member.n_bytes):
                    target.write(chunk)
                    yield from sink.drained(at_least=CHUNK_BYTES)
    yield from sink.drained(at_least=1)


def safe_label(label: str) -> str:
    """`label` as a relative path that no unpacking program can be led astray by.

    `..`, absolute paths, drive letters, backslashes, control and direction characters, and names
    Windows keeps for itself are replaced; the result is never empty.
    """
    parts = (_safe_segment(part) for part in label.replace("\\", "/").split("/"))
    return "/".join(part for part in parts if part) or "file"


def _safe_segment(segment: str) -> str:
    text = re.sub(r'[<>:"|?*]', "_", segment)
    text = "".join("_" if unicodedata.category(c).startswith("C") else c for c in text)
    if text in ("", "."):
        return ""
    # Windows drops trailing dots and blanks: `..`, `.. ` and `...` would all climb there.
    stem = text.rstrip(". ")
    text = stem + "_" * (len(text) - len(stem))
    if _RESERVED.match(text):
        text = f"_{text}"
    return text.encode()[:SEGMENT_LIMIT_BYTES].decode(errors="ignore")


class Names:
    """Gives every label of one archive a name of its own, also where case does not count."""

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._folders: set[str] = set()
        self._next: dict[str, int] = {}

    def unique(self, label: str) -> str:
        *folders, name = label.split("/")
        for at in range(len(folders)):
            if "/".join(folders[: at + 1]).casefold() in self._files:
                folders[at] += " (folder)"
        stem, dot, suffix = name.rpartition(".")
        stem, ending = (stem, dot + suffix) if stem else (name, "")
        base, key = "/".join((*folders, stem)), "/".join((*folders, name)).casefold()
        found = base + ending
        while found.casefold() in self._files or found.casefold() in self._folders:
            # Counting on from the last number keeps ten thousand equal labels linear.
            self._next[key] = self._next.get(key, 1) + 1
            found = f"{base} ({self._next[key]}){ending}"
        self._files.add(found.casefold())
        self._folders.update("/".join(folders[: at + 1]).casefold() for at in range(len(folders)))
        return found


class _Sink:
    """Where `zipfile` writes; without `seek` or `tell`, so that it streams."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._n_bytes = 0

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        self._n_bytes += len(data)
        return len(data)

    def flush(self) -> None:
        """Nothing waits behind this object."""

    def drained(self, *, at_least: int) -> Iterator[bytes]:
        if self._n_bytes >= at_least:
            yield b"".join(self._pieces)
            self._pieces, self._n_bytes = [], 0


def _info(name: str, member: ZipMember) -> zipfile.ZipInfo:
    """The header of a member; a fixed date makes equal members give equal bytes."""
    info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    packed = _PACKED.search(name.lower())
    info.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
    info.external_attr = (0o100755 if member.executable else 0o100644) << 16
    return info


def _first_bytes(source: BinaryIO, n_bytes: int) -> Iterator[bytes]:
    while n_bytes > 0 and (chunk := source.read(min(n_bytes, CHUNK_BYTES))):
        n_bytes -= len(chunk)
        yield chunk

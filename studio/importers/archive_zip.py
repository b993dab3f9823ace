"""An archive of a studio (`studio.exports.archive`), opened with mistrust: a ZIP from anywhere.

Nothing is ever unpacked to a path: members are read through their names, which must all be of the
format and stand in the list of checksums.
"""

import hashlib
import io
import json
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from studio.importers.records import SourceError
from studio.importers.sources import no_tick

FORMAT = "studio-archive"
# Version 1 had no lineage.
VERSIONS = (1, 2)
HEAD, SUMS, VIEWS, EXPERIMENTS = "studio.json", "checksums.txt", "views.yaml", "experiments.jsonl"
MAX_MEMBERS = 2_000_000
# One run with the most parameters, labels and files that it may have takes less.
MAX_LINE_BYTES = 64 << 20
# Of a line: each takes up to 72 bytes where it is held, and 3 where it is written.
MAX_VALUES = 4_000_000
# Nothing deflates so well; more is a bomb.
MAX_RATIO = 1_100
PIECE_BYTES = 1 << 18
_KNOWN = re.compile(
    r"studio\.json|checksums\.txt|views\.yaml|experiments\.jsonl"
    r"|(runs|events|models|lineage)/\d{6,}\.jsonl|metrics/\d{6,}\.bin"
    r"|snapshots/[0-9a-f]{64}\.json|sources/[0-9a-f]{64}|(files|images)/[^\x00-\x1f\\]+",
    re.ASCII,
)
_SUM = re.compile(rb"([0-9a-f]{64})  ([^\n]+)\n")
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class ArchiveZip:
    """The members of an archive, each read only together with its checksum."""

    def __init__(self, path: Path, tick: Callable[[], None] = no_tick) -> None:
        """tick: called with each piece that is read. Raises SourceError for anything but an archive
        of a version that is known here."""
        self._tick = tick
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            raise SourceError(f"“{path.name}” is no ZIP, or is not whole: {error}.") from error
        try:
            self._infos = _checked(self._zip.infolist())
            self._sums = self._read_sums()
            self.head = self._read_head()
        except (zipfile.BadZipFile, ValueError, EOFError) as error:
            self._zip.close()
            raise SourceError(f"“{path.name}” is damaged: {error}.") from error
        except BaseException:
            self._zip.close()
            raise

    def close(self) -> None:
        self._zip.close()

    def names(self, below: str) -> list[str]:
        """The members below a folder, by name."""
        return sorted(name for name in self._infos if name.startswith(f"{below}/"))

    def has(self, name: str) -> bool:
        return name in self._infos

    def n_bytes(self, name: str) -> int:
        return self._infos[name].file_size

    def sha256(self, name: str) -> str:
        return self._sums[name]

    def open(self, name: str) -> BinaryIO:
        """The bytes of a member; reading its end raises ValueError if they are not what was
        written."""
        if name not in self._infos:
            raise ValueError(f"“{name[:200]}” is not in the archive")
        return cast(BinaryIO, _Checked(self._zip.open(name), name, self._sums[name], self._tick))

    def verify(self, name: str) -> None:
        """Read a member once. Raises ValueError."""
        with self.open(name) as stream:
            while stream.read(PIECE_BYTES):
                pass

    def lines(self, name: str, *, most: int = MAX_LINE_BYTES) -> Iterator[dict[str, Any]]:
        """The objects of a member of JSON lines, of at most so many bytes each. Raises
        ValueError."""
        with self.open(name) as stream:
            buffered = io.BufferedReader(cast(io.RawIOBase, stream), PIECE_BYTES)
            yield from _objects(buffered, name, most)

    def text(self, name: str, *, most: int) -> bytes:
        """All of a small member. Raises ValueError when it has more than `most` bytes."""
        if self.n_bytes(name) > most:
            raise ValueError(f"{name} has more than {most:,} bytes")
        with self.open(name) as stream:
            found = b"".join(iter(lambda: stream.read(PIECE_BYTES), b""))
        return found

    def _read_sums(self) -> dict[str, str]:
        if SUMS not in self._infos:
            raise SourceError("This ZIP has no list of checksums: it is no archive of a studio.")
        found: dict[str, str] = {}
        with self._zip.open(SUMS) as stream:
            while line := stream.readline(1 << 17):
                self._tick()
                match = _SUM.fullmatch(line)
                if not match:
                    raise ValueError("its list of checksums can't be read")
                found[match[2].decode()] = match[1].decode()
        if found.keys() != self._infos.keys() - {SUMS}:
            raise SourceError("The members of this ZIP are not those of its list of checksums.")
        return found

    def _read_head(self) -> dict[str, Any]:
        if HEAD not in self._infos:
            raise SourceError("This ZIP has no studio.json: it is no archive of a studio.")
        head = load(self.text(HEAD, most=1 << 16))
        if not isinstance(head, dict) or head.get("format") != FORMAT:
            raise SourceError("This ZIP is no archive of a studio.")
        if head.get("version") not in VERSIONS:
            raise SourceError(
                f"The archive is of version {str(head.get('version'))[:20]}, this studio reads "
                f"versions up to {VERSIONS[-1]}. Update the studio, then import again."
            )
        return head


def _checked(infos: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """name -> member. Raises SourceError for links, doubles, passwords, bombs, foreign names."""
    if len(infos) > MAX_MEMBERS:
        raise SourceError(f"The archive has {len(infos):,} members; at most {MAX_MEMBERS:,}.")
    found: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        if why := _refusal(info, found):
            raise SourceError(f"The archive is refused: “{info.filename[:200]}” {why}.")
        found[info.filename] = info
    return found


def _refusal(info: zipfile.ZipInfo, found: dict[str, zipfile.ZipInfo]) -> str:
    mode = stat.S_IFMT(info.external_attr >> 16)
    if not _KNOWN.fullmatch(info.filename) or ".." in info.filename.split("/"):
        return "is no name of this format"
    if info.filename in found:
        return "is there twice"
    if mode not in (0, stat.S_IFREG):
        return "is no plain file"
    if info.flag_bits & 1:
        return "has a password"
    if info.compress_type not in _METHODS:
        return "is packed in a way that is not used here"
    if info.file_size > (info.compress_size + 1) * MAX_RATIO:
        return "unpacks to far more than it can hold"
    return ""


def load(data: bytes) -> Any:
    """JSON. Raises ValueError, also for what is nested deeper than can be read, or would hold more
    than MAX_VALUES."""
    refuse_many(data, MAX_VALUES)
    try:
        return json.loads(data)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def refuse_many(data: bytes, most: int) -> None:
    """Raises ValueError for JSON of more than so many values."""
    # What stands in texts counts only where that decides.
    if _n_marks(data) > most and _n_marks(_STRING.sub(b"", data)) > most:
        raise ValueError(f"it holds more than {most:,} values")


def _n_marks(data: bytes) -> int:
    return data.count(b",") + data.count(b"[") + data.count(b"{")


def _objects(stream: BinaryIO, name: str, most: int) -> Iterator[dict[str, Any]]:
    number = 0
    while line := stream.readline(most):
        number += 1
        if not line.endswith(b"\n"):
            raise ValueError(f"line {number} of {name} has no end, or is far too long")
        found = load(line)
        if not isinstance(found, dict):
            raise ValueError(f"line {number} of {name} is no object")
        yield found


class _Checked(io.RawIOBase):
    """A member's bytes; the read that finds its end compares the checksum."""

    def __init__(self, stream: Any, name: str, expected: str, tick: Callable[[], None]) -> None:
        self._stream, self._name, self._expected = stream, name, expected
        self._tick = tick
        self._sum = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._tick()
        try:
            data = self._stream.read(len(buffer))
        except (zipfile.BadZipFile, EOFError, zlib.error) as error:
            raise ValueError(f"{self._name} is damaged: {error}") from error
        if not data and len(buffer) and self._sum.hexdigest() != self._expected:
            raise ValueError(f"{self._name} is damaged: its checksum is another")
        self._sum.update(data)
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()

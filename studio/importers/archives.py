"""Unpacking archives that may be hostile: looked through before anything is written."""

import os
import stat
import time
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from studio.importers.records import SourceError

MAX_FILES = 200_000
MAX_BYTES = 20 * 1024**3
# A file of zeros packs a thousand times; histories pack ten times or less.
MAX_RATIO, RATIO_FROM_BYTES = 200, 50_000_000
MAX_NAME_BYTES, MAX_PATH_BYTES, MAX_DEPTH = 255, 3_000, 60
PIECE_BYTES = 1 << 20


def unpack(path: Path, folder: Path, tick: Callable[[], None]) -> None:
    """Write the files of a ZIP below `folder`, which is empty. Raises SourceError, with nothing
    written when the list of its files shows what is wrong."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = checked(archive, packed_bytes=path.stat().st_size)
            left = MAX_BYTES
            for member, label in members:
                left -= _write(archive, member, folder / label, left, tick)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise SourceError(f"It is no ZIP that can be read: {error}.") from error
    except OSError as error:
        raise SourceError(f"It could not be unpacked: {error.strerror}.") from error


def checked(archive: zipfile.ZipFile, *, packed_bytes: int) -> list[tuple[zipfile.ZipInfo, str]]:
    """(member, path) of every file. Raises SourceError for one that must not be unpacked."""
    infos = archive.infolist()
    if len(infos) > MAX_FILES:
        raise SourceError(f"It holds {len(infos):,} files; at most {MAX_FILES:,} are taken.")
    n_bytes = sum(info.file_size for info in infos)
    if n_bytes > MAX_BYTES:
        raise SourceError(f"It unpacks to {n_bytes:,} bytes; at most {MAX_BYTES:,} are taken.")
    if n_bytes > RATIO_FROM_BYTES and n_bytes > MAX_RATIO * packed_bytes:
        raise SourceError(f"It unpacks to {n_bytes:,} bytes out of {packed_bytes:,}: a ZIP bomb.")
    found: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        label = _label_of(info)
        if info.is_dir():
            continue
        if info.flag_bits & 0x1:
            raise SourceError(f"“{label[:200]}” is encrypted.")
        if label in found:
            raise SourceError(f"“{label[:200]}” is in it twice.")
        found[label] = info
    _refuse_overlaps(found)
    for label in found:
        for parent in PurePosixPath(label).parents:
            if str(parent) in found:
                raise SourceError(f"“{str(parent)[:200]}” is a file and a folder at once.")
    return [(info, label) for label, info in found.items()]


def _refuse_overlaps(found: dict[str, zipfile.ZipInfo]) -> None:
    """Members that share their bytes: so a small file unpacks to a huge one."""
    end, before = 0, ""
    for label, info in sorted(found.items(), key=lambda item: item[1].header_offset):
        if info.header_offset < end:
            raise SourceError(f"“{label[:200]}” and “{before[:200]}” overlap: a ZIP bomb.")
        end, before = info.header_offset + info.compress_size, label


def _label_of(info: zipfile.ZipInfo) -> str:
    name = info.filename.removesuffix("/")
    parts = name.split("/")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise SourceError(f"“{name[:200]}” is a link or a device; only files are taken.")
    is_plain = all(part not in ("", ".", "..") for part in parts) and "\\" not in name
    is_short = all(len(part.encode(errors="replace")) <= MAX_NAME_BYTES for part in parts)
    if not is_plain or "\0" in info.orig_filename or (len(name) > 1 and name[1] == ":"):
        raise SourceError(f"“{name[:200]}” is not a plain relative path.")
    if (
        not is_short
        or len(parts) > MAX_DEPTH
        or len(name.encode(errors="replace")) > MAX_PATH_BYTES
    ):
        raise SourceError(f"“{name[:200]}” is too long or too deep.")
    return name


def _write(
    archive: zipfile.ZipFile,
    member: zipfile.ZipInfo,
    path: Path,
    left: int,
    tick: Callable[[], None],
) -> int:
    """How many bytes it has; never more than its header says, or than are left."""
    path.parent.mkdir(parents=True, exist_ok=True)
    n_bytes = 0
    with archive.open(member) as source, path.open("xb") as target:
        while piece := source.read(PIECE_BYTES):
            n_bytes += len(piece)
            if n_bytes > min(left, member.file_size):
                raise SourceError(f"“{member.filename[:200]}” is larger than the ZIP says.")
            target.write(piece)
            tick()
    _set_time(path, member)
    return n_bytes


def _set_time(path: Path, member: zipfile.ZipInfo) -> None:
    """The moment the ZIP says, so that the same ZIP unpacked again looks the same."""
    try:
        at = time.mktime((*member.date_time, 0, 0, -1))
    except (ValueError, OverflowError):
        return
    os.utime(path, (at, at))


def copy(stream: BinaryIO, path: Path, tick: Callable[[], None]) -> None:
    """Write a stream to a file."""
    with path.open("xb") as target:
        while piece := stream.read(PIECE_BYTES):
            target.write(piece)
            tick()

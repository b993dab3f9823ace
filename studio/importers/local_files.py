"""Files below a folder that may be hostile: no link is followed, only regular files are read."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

from studio.compute.workdir import open_output
from studio.importers.records import FileRecord, Unreadable

MAX_DEPTH = 50
LINK = "A link; links are not followed."


def walk(folder: Path, *, at: str = "", depth: int = 0) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """(path below `folder`, entry) of everything that is no folder, by name; nothing for a folder
    that is not there, or is a link itself."""
    if depth > MAX_DEPTH or folder.is_symlink() or not folder.is_dir():
        return
    with os.scandir(folder) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
    for entry in listed:
        label = f"{at}{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            yield from walk(Path(entry.path), at=f"{label}/", depth=depth + 1)
        else:
            yield label, entry


def files_below(folder: Path, *, under: str = "") -> Iterator[FileRecord | Unreadable]:
    """The regular files as files of a run, their paths beginning with `under`."""
    for label, entry in walk(folder):
        path = under + label.encode(errors="surrogateescape").decode(errors="replace")
        if entry.is_symlink():
            yield Unreadable(path, LINK)
        elif not entry.is_file(follow_symlinks=False):
            yield Unreadable(path, "Neither a file nor a folder.")
        else:
            size = entry.stat(follow_symlinks=False).st_size
            yield FileRecord(path, size, partial(open_output, Path(entry.path)))


def texts_below(
    folder: Path, problems: list[str], *, what: str, most_bytes: int = 100_000
) -> dict[str, str]:
    """Small files by path: their whole texts. What can't be read is told in `problems`."""
    found: dict[str, str] = {}
    for label, entry in walk(folder):
        try:
            if not entry.is_file(follow_symlinks=False):
                raise OSError("not a regular file")
            with open_output(Path(entry.path)) as stream:
                found[label] = stream.read(most_bytes + 1).decode()
        except (OSError, UnicodeDecodeError) as error:
            shown = label.encode(errors="replace").decode()
            problems.append(f"The {what} “{shown[:100]}” can't be read: {error}.")
    return found


def look_of(*folders: Path) -> str:
    """Changes whenever a file below one of the folders is added, grows or is written again."""
    n, size, newest, total = 0, 0, 0, 0
    for folder in folders:
        for _, entry in walk(folder):
            facts = entry.stat(follow_symlinks=False)
            n, size = n + 1, size + facts.st_size
            newest, total = max(newest, facts.st_mtime_ns), total + facts.st_mtime_ns
    return f"{n}-{size}-{newest}-{total % 2**64}"


def folder_within(address: str, root: Path | None) -> Path | None:
    """The folder that a path or a file: address names, when it lies below `root`, wherever
    links lead; else None."""
    if root is None or not address:
        return None
    try:
        parts = urlsplit(address)
        if parts.scheme not in ("", "file") or parts.netloc not in ("", "localhost"):
            return None
        path = Path(unquote(parts.path) if parts.scheme else address)
        real, base = path.resolve(strict=True), root.resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        return None
    return real if real.is_dir() and real.is_relative_to(base) else None

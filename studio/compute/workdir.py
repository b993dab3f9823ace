"""The working folder of a run: filled from a snapshot, emptied of its outputs.

Paths in a manifest come from users. Every folder and file is made through a descriptor of its
parent with O_NOFOLLOW, so that no name and no symbolic link leads outside the folder.
"""

import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

OUTPUTS = "outputs"
MAX_NAME_BYTES = 255
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class UnsafePath(ValueError):
    """A manifest names a path that is not inside the working folder, or names one twice."""


class DamagedBlob(ValueError):
    """The stored bytes of a file are not those the snapshot recorded."""


@dataclass(frozen=True)
class OutputFile:
    """A regular file below outputs/ (or another folder): its path from there, and its place."""

    path: str
    file: Path
    n_bytes: int
    modified_at: float  # epoch seconds


def split_path(path: str) -> tuple[str, ...]:
    """The parts of a relative manifest path; UnsafePath when it is not plainly inside."""
    parts = tuple(path.split("/"))
    for part in parts:
        if part in ("", ".", "..") or "\0" in part or "\\" in part:
            raise UnsafePath(f"{path!r} is not a plain relative path")
        try:
            n_bytes = len(os.fsencode(part))
        except UnicodeEncodeError:
            raise UnsafePath(f"{path!r} can't be a file name here") from None
        if n_bytes > MAX_NAME_BYTES:
            raise UnsafePath(f"{path[:80]!r}… has a name over {MAX_NAME_BYTES} bytes")
    return parts


def materialise(
    files: Iterable[tuple[str, str, bool]],
    open_blob: Callable[[str], BinaryIO],
    folder: Path,
) -> int:
    """Write a snapshot's files (path, sha256, executable) below `folder`; how many there were.

    Makes `folder` and its outputs/ when missing and checks every digest while copying. All paths
    are judged before the first byte is written. Raises UnsafePath, DamagedBlob, OSError; what was
    written by then stays, the caller removes the folder.
    """
    wanted = [(split_path(path), digest, executable) for path, digest, executable in files]
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    root = os.open(folder, DIRECTORY)
    try:
        for parts, digest, executable in wanted:
            with open_blob(digest) as source:
                _write(root, parts, source, digest=digest, executable=executable)
        with ExitStack() as stack:
            _enter(root, (OUTPUTS,), stack)
    finally:
        os.close(root)
    return len(wanted)


def iter_outputs(folder: Path, name: str = OUTPUTS) -> Iterator[OutputFile]:
    """Regular files below `folder`/`name`, sorted by path. Symbolic links are not followed.

    Files that vanish meanwhile, sockets, pipes and devices are left out. Names that are not UTF-8
    are shown with replacement characters in `path`.
    """
    top = folder / name
    if top.is_symlink():
        return
    for where, directories, names in os.walk(top, followlinks=False):
        directories.sort()
        for name in sorted(names):
            file = Path(where, name)
            try:
                found = file.lstat()
            except FileNotFoundError:
                continue
            if stat.S_ISREG(found.st_mode):
                text = os.fsencode(file.relative_to(top).as_posix()).decode(errors="replace")
                yield OutputFile(text, file, found.st_size, found.st_mtime)


def open_output(file: Path) -> BinaryIO:
    """Open a yielded file for reading; OSError when it became a link or pipe meanwhile."""
    fd = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(f"{file} is not a regular file any more")
    return open(fd, "rb")


def remove(folder: Path) -> None:
    """Remove a working folder and all below it, read-only folders too; missing is fine."""
    for where, directories, _ in os.walk(folder, followlinks=False):
        for name in directories:
            path = Path(where, name)
            if not path.is_symlink():
                path.chmod(0o700)
    if folder.exists():
        shutil.rmtree(folder)


def _enter(root: int, directories: tuple[str, ...], stack: ExitStack) -> int:
    """A descriptor of a folder below `root`, made when missing."""
    here = root
    for name in directories:
        with suppress(FileExistsError):  # opening it refuses links and files
            os.mkdir(name, 0o755, dir_fd=here)
        try:
            here = os.open(name, DIRECTORY, dir_fd=here)
        except OSError as error:
            if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise
            raise UnsafePath(f"{name!r} is in the way: {error.strerror}") from error
        stack.callback(os.close, here)
    return here


def _write(
    root: int, parts: tuple[str, ...], source: BinaryIO, *, digest: str, executable: bool
) -> None:
    checksum = hashlib.sha256()
    with ExitStack() as stack:
        parent = _enter(root, parts[:-1], stack)
        try:
            fd = os.open(parts[-1], NEW_FILE, 0o755 if executable else 0o644, dir_fd=parent)
        except FileExistsError:
            raise UnsafePath(f"{'/'.join(parts)!r} exists already") from None
        target = stack.enter_context(open(fd, "wb"))
        while chunk := source.read(1024 * 1024):
            checksum.update(chunk)
            target.write(chunk)
    if checksum.hexdigest() != digest:
        raise DamagedBlob(f"{'/'.join(parts)}: stored bytes differ from digest {digest[:12]}…")

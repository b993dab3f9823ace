"""A store in a folder of a local or shared POSIX file system."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import io
import os
import stat
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar, cast

from studio.blobs.store import (
    Blob,
    BlobNotFound,
    BlobTooLarge,
    DigestMismatch,
    InvalidKey,
    LogGap,
    StorageFull,
    check_key,
    digest_key,
)

CHUNK_BYTES = 1 << 20
FILE_MODE, FOLDER_MODE = 0o600, 0o700
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_TMP = ".tmp"
T = TypeVar("T")


class LocalStore:
    """A `Store` in one folder of a local or shared POSIX file system."""

    def __init__(self, root: Path) -> None:
        if not root.is_absolute():
            raise ValueError("The folder of a store is an absolute path.")
        self.root = root
        _make_folder(root / _TMP)

    def put(self, key: str, stream: BinaryIO, *, limit_bytes: int | None = None) -> Blob:
        with self._received(check_key(key), stream, limit_bytes) as (tmp, blob):
            self._move(tmp, key)
        return blob

    def put_if_absent(
        self, digest: str, stream: BinaryIO, *, under: str, limit_bytes: int | None = None
    ) -> Blob:
        key = digest_key(digest, under=under)
        with self._received(key, stream, limit_bytes) as (tmp, blob):
            if blob.sha256 != digest:
                raise DigestMismatch(expected=digest, actual=blob.sha256)
            # A file of the wrong length is damage from outside: replacing it heals the store.
            if not self.exists(key) or self.size(key) != blob.n_bytes:
                self._move(tmp, key)
        return blob

    def open(self, key: str, start: int = 0, end: int | None = None) -> BinaryIO:
        if start < 0 or (end is not None and end < start):
            raise ValueError("A range is 0 <= start <= end.")
        fd = self._opened(key)
        n_bytes = os.fstat(fd).st_size
        stop = n_bytes if end is None else min(end, n_bytes)
        return cast(BinaryIO, io.BufferedReader(_Range(fd, min(start, stop), stop), 1 << 16))

    def descriptor(self, key: str) -> int | None:
        return self._opened(key)

    def _opened(self, key: str) -> int:
        self.size(key)  # a folder could be opened, and only fail when read
        with _named_errors(key):
            return os.open(self._path(key), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)

    def size(self, key: str) -> int:
        path = self._path(key)
        if not path.is_file():
            raise BlobNotFound(key)
        with _named_errors(key):
            return path.stat().st_size

    def age_s(self, key: str) -> float:
        with _named_errors(key):
            return max(0.0, time.time() - self._path(key).stat().st_mtime)

    def exists(self, key: str) -> bool:
        return self._path(key).is_file()

    def append(self, key: str, offset: int, data: bytes) -> int:
        if offset < 0:
            raise ValueError("An offset is not negative.")
        with self._locked(key, offset) as fd:
            n_before = os.fstat(fd).st_size
            if offset > n_before:
                raise LogGap(key, offset=offset, size_bytes=n_before)
            fresh = memoryview(data)[n_before - offset :]
            try:
                _write_at(fd, fresh, n_before)
            except OSError as error:
                os.ftruncate(fd, n_before)
                if error.errno in _FULL:
                    raise StorageFull(key, size_bytes=n_before) from error
                raise
            return n_before + len(fresh)

    def delete(self, key: str) -> bool:
        path = self._path(key)
        try:
            path.unlink()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except (IsADirectoryError, PermissionError) as error:
            raise InvalidKey(f"{key!r} is a folder of other keys.") from error
        with contextlib.suppress(OSError):  # the first folder still in use ends the climb
            for folder in path.parents[: len(key.split("/")) - 1]:
                folder.rmdir()
        return True

    def list(self, prefix: str = "") -> Iterator[str]:
        folder = prefix.rpartition("/")[0]
        if folder:
            check_key(folder)
        for path in _files(self.root / folder):
            key = path.relative_to(self.root).as_posix()
            if key.startswith(prefix) and not key.startswith("."):
                yield key

    def sweep(self, *, older_than_s: float = 86_400) -> int:
        """Remove uploads that a dead process left half-received; how many."""
        n_removed, limit_at = 0, time.time() - older_than_s
        for path in _files(self.root / _TMP):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < limit_at:
                    path.unlink()
                    n_removed += 1
        return n_removed

    def _path(self, key: str) -> Path:
        return self.root / check_key(key)

    @contextlib.contextmanager
    def _received(
        self, key: str, stream: BinaryIO, limit_bytes: int | None
    ) -> Iterator[tuple[Path, Blob]]:
        """`stream` in a flushed file of its own, which is gone afterwards unless moved."""
        tmp = self.root / _TMP / uuid.uuid4().hex
        digest, n_bytes = hashlib.sha256(), 0
        try:
            with _named_errors(key):
                fd = os.open(tmp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
                with contextlib.closing(_Descriptor(fd)):
                    while chunk := stream.read(CHUNK_BYTES):
                        if limit_bytes is not None and n_bytes + len(chunk) > limit_bytes:
                            raise BlobTooLarge(key, limit_bytes=limit_bytes)
                        digest.update(chunk)
                        _write_at(fd, memoryview(chunk), n_bytes, flush=False)
                        n_bytes += len(chunk)
                    os.fsync(fd)
            yield tmp, Blob(key, digest.hexdigest(), n_bytes)
        finally:
            tmp.unlink(missing_ok=True)

    def _move(self, tmp: Path, key: str) -> None:
        def replace(path: Path) -> None:
            os.replace(tmp, path)
            with contextlib.suppress(FileNotFoundError):  # deleted at once, with its folder
                _flush_folder(path.parent)

        self._in_folder(key, replace)

    @contextlib.contextmanager
    def _locked(self, key: str, offset: int) -> Iterator[int]:
        """A descriptor of the file that is `key` now, locked against every other appender."""
        path = self._path(key)
        while True:
            fd = self._appendable(key, offset)
            with contextlib.closing(_Descriptor(fd)):
                fcntl.flock(fd, fcntl.LOCK_EX)
                # Deleted or replaced while we waited for the lock: that file is nobody's any more.
                with contextlib.suppress(FileNotFoundError):
                    if os.path.samestat(os.fstat(fd), path.stat()):
                        yield fd
                        return

    def _appendable(self, key: str, offset: int) -> int:
        flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
        if offset > 0:
            try:
                with _named_errors(key):
                    return os.open(self._path(key), flags)
            except BlobNotFound:
                raise LogGap(key, offset=offset, size_bytes=0) from None
        return self._in_folder(key, lambda path: os.open(path, flags | os.O_CREAT, FILE_MODE))

    def _in_folder(self, key: str, make: Callable[[Path], T]) -> T:
        """`make(path)` with the folder of `path` there, also when a delete just swept it away."""
        path = self._path(key)
        with _named_errors(key):
            for _ in range(20):
                # Exists: it did when mkdir looked, and was swept away before the next look.
                with contextlib.suppress(FileNotFoundError, FileExistsError):
                    _make_folder(path.parent)
                    return make(path)
            return make(path)


class _Descriptor:
    """An open file descriptor as something `contextlib.closing` takes."""

    def __init__(self, fd: int) -> None:
        self.close = lambda: os.close(fd)


class _Range(io.RawIOBase):
    """The bytes [start, stop) of a descriptor, which it owns; position 0 is `start`."""

    def __init__(self, fd: int, start: int, stop: int) -> None:
        self._fd, self._start, self._stop, self._at = fd, start, stop, start

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def fileno(self) -> int:
        """The descriptor, for a process that reads the whole blob: it knows no range."""
        return self._fd

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        room = memoryview(buffer)[: max(0, self._stop - self._at)]
        n_bytes = os.preadv(self._fd, [room], self._at) if room else 0
        self._at += n_bytes
        return n_bytes

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: self._start, os.SEEK_CUR: self._at, os.SEEK_END: self._stop}[whence]
        self._at = max(self._start, base + offset)
        return self._at - self._start

    def close(self) -> None:
        if not self.closed:
            os.close(self._fd)
        super().close()


@contextlib.contextmanager
def _named_errors(key: str) -> Iterator[None]:
    """Errors of the file system in the words of a store."""
    try:
        yield
    except FileNotFoundError as error:
        raise BlobNotFound(key) from error
    except (IsADirectoryError, NotADirectoryError, FileExistsError) as error:
        raise InvalidKey(f"{key!r} is, or lies in, another key's place.") from error
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise InvalidKey(f"{key!r} is a link, and links are not followed.") from error
        if error.errno in _FULL:
            raise StorageFull(key) from error
        raise


def _write_at(fd: int, data: memoryview, offset: int, *, flush: bool = True) -> None:
    """Write all of `data`; with `flush`, a full disk shows here and not at some later close."""
    while data:
        n_bytes = os.pwrite(fd, data, offset)
        data, offset = data[n_bytes:], offset + n_bytes
    if flush:
        os.fdatasync(fd)


def _make_folder(folder: Path) -> None:
    """`folder` and its missing parents, each 0700 whatever the umask's default for parents."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=FOLDER_MODE)
        _flush_folder(folder.parent)
    # One look, not two: between them another's delete could sweep the folder away.
    if not stat.S_ISDIR(folder.stat().st_mode):
        raise NotADirectoryError(errno.ENOTDIR, "not a folder", str(folder))


def _flush_folder(folder: Path) -> None:
    """Make the names in `folder` last through a power cut."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _files(folder: Path) -> Iterator[Path]:
    """Regular files under `folder`; what vanishes meanwhile is left out."""
    for parent, _folders, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            if path.is_file() and not path.is_symlink():
                yield path

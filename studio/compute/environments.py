"""Built Python environments on this machine, found again by the content of their requirements.

Layout below the folder of the setting STUDIO_ENVIRONMENTS_DIR:

<key>.json          an environment that is whole: its facts, and the folder it is in
<key>-<random>/     that folder, or one that is being built, or what a killed build left behind
locks/<key>.build   held alone by whoever builds: one at a time on a host
locks/<key>.use     shared by the runs that use it, held alone by whoever removes it

A virtual environment can't be moved, so it is built where it stays; the moment it becomes whole is
the renaming of the small file that names it. A lock ends with the last process that has it open. No
Django in here: the program that builds imports this module alone.
"""

import errno
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from studio.compute.workdir import remove

# Part of each key: environments built in another way are not mixed.
FORMAT = 1
# A run that was just told of an environment has not locked it yet.
RECENT_S = 60.0


@dataclass(frozen=True, slots=True)
class Built:
    """An environment that is whole. `python` is its interpreter; `seconds` is what it took."""

    key: str
    folder: str
    python: str
    version: str
    n_packages: int
    n_bytes: int
    seconds: float
    missing: tuple[str, ...] = ()


def key_of(identity: Any, python: Mapping[str, str]) -> str:
    """The key of requirements (lists of texts) for an interpreter (its facts), 32 characters."""
    content = json.dumps([FORMAT, identity, sorted(python.items())], ensure_ascii=False)
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:32]


class Store:
    """The environments below one folder. All methods may be called by several processes at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.locks = folder / "locks"
        self.locks.mkdir(parents=True, exist_ok=True, mode=0o700)

    # ------------------------------------------------------------ finding
    def find(self, key: str) -> Built | None:
        """The whole environment of that key; None when there is none, or its Python is gone."""
        built = _read(self._pointer(key))
        return built if built is not None and os.access(built.python, os.X_OK) else None

    def all(self) -> list[tuple[float, Built]]:
        """(last used, epoch seconds; environment), least recently used first."""
        found = []
        for path in self.folder.glob("*.json"):
            with suppress(FileNotFoundError):
                built = _read(path)
                if built is not None:
                    found.append((path.stat().st_mtime, built))
        return sorted(found, key=lambda pair: pair[0])

    def hold(self, key: str) -> IO[bytes] | None:
        """Keep the environment from being removed until the answer is closed, and note its use;
        None when it is gone."""
        held = open(self.locks / f"{key}.use", "ab")  # noqa: SIM115 - the caller closes it
        fcntl.flock(held, fcntl.LOCK_SH)
        if self.find(key) is None:
            held.close()
            return None
        self.touch(key)
        return held

    def touch(self, key: str) -> None:
        with suppress(FileNotFoundError):
            os.utime(self._pointer(key))

    # ------------------------------------------------------------ building
    @contextmanager
    def build_lock(self, key: str, on_wait: Callable[[], None]) -> Iterator[None]:
        """Be the only builder of that key on this host; `on_wait` is called once, when another one
        is at it."""
        with open(self.locks / f"{key}.build", "ab") as lock:
            if not _lock_now(lock):
                on_wait()
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def new_folder(self, key: str) -> Path:
        """An empty folder for the environment of that key; the caller holds its build lock."""
        folder = self.folder / f"{key}-{secrets.token_hex(4)}"
        folder.mkdir(mode=0o700)
        return folder

    def publish(self, built: Built) -> None:
        """Make it whole, at once."""
        path = self._pointer(built.key)
        aside = path.with_suffix(".new")
        aside.unlink(missing_ok=True)
        with aside.open("w", encoding="utf-8") as file:
            json.dump(asdict(built), file)
            os.fchmod(file.fileno(), 0o444)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)

    # ------------------------------------------------------------ removing
    def sweep(self, *, locked: str = "") -> int:
        """Remove what killed builds left behind; how many folders. `locked`: the key whose build
        lock the caller holds."""
        whole = {built.folder for _, built in self.all()}
        n_removed = 0
        for folder in self.folder.glob("*-????????"):
            if str(folder) in whole or not folder.is_dir():
                continue
            key = folder.name.rpartition("-")[0]
            with open(self.locks / f"{key}.build", "ab") as build, self._alone(key) as is_unused:
                if not is_unused or (key != locked and not _lock_now(build)):
                    continue  # being built, or its Python is gone while a run still uses it
                built = _read(self._pointer(key))
                if built is None or built.folder != str(folder):
                    remove(folder)
                    n_removed += 1
        return n_removed

    def shrink(self, most_bytes: int) -> list[str]:
        """Remove the least recently used ones until the rest has at most that many bytes; their
        keys. Those in use stay."""
        found = self.all()
        total, removed = sum(built.n_bytes for _, built in found), []
        for used_at, built in found:
            if total <= most_bytes:
                break
            if time.time() - used_at > RECENT_S and self._remove(built):
                total -= built.n_bytes
                removed.append(built.key)
        return removed

    def _remove(self, built: Built) -> bool:
        with self._alone(built.key) as is_unused:
            if not is_unused:
                return False
            self._pointer(built.key).unlink(missing_ok=True)
            remove(Path(built.folder))
            return True

    @contextmanager
    def _alone(self, key: str) -> Iterator[bool]:
        """Whether no run uses the environment of that key; none can begin to meanwhile."""
        with open(self.locks / f"{key}.use", "ab") as lock:
            yield _lock_now(lock)

    def _pointer(self, key: str) -> Path:
        return self.folder / f"{key}.json"


def _lock_now(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        return False
    return True


def _read(path: Path) -> Built | None:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        return Built(**{**known, "missing": tuple(known["missing"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def size_of(folder: Path) -> int:
    """Bytes of all files below the folder."""
    n_bytes = 0
    for where, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                n_bytes += os.lstat(os.path.join(where, name)).st_size
    return n_bytes


def seal(folder: Path) -> None:
    """Take the right to write from the folder and all below: a run must not change by accident what
    others use. Files that also have another name are left: they are of an installer's cache."""
    for where, _, names in os.walk(folder, topdown=False):
        for path in (os.path.join(where, name) for name in names):
            known = os.lstat(path)
            if stat.S_ISREG(known.st_mode) and known.st_nlink == 1:
                os.chmod(path, known.st_mode & ~0o222)
        os.chmod(where, os.lstat(where).st_mode & ~0o222)


def copy_module(name: str, into: Path) -> Path:
    """A folder below `into` that holds this process's copy of a package and nothing else: what may
    go on the path of another Python without bringing all of this one's."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"this Python has no package {name}")
    folder = into / "modules" / f"{name}-{importlib.metadata.version(name)}"
    if folder.exists():
        return folder
    folder.parent.mkdir(exist_ok=True)
    aside = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    source = Path(spec.submodule_search_locations[0])
    shutil.copytree(source, aside / name, ignore=shutil.ignore_patterns("__pycache__"))
    seal(aside)
    try:
        aside.rename(folder)
    except OSError:
        aside.chmod(0o700)
        remove(aside)  # another run was quicker
        if not folder.exists():
            raise
    return folder

"""Snapshots of a source folder: walk with ignore rules, upload by content, download as zip."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.sdk.client import Client
from studio.sdk.errors import ServiceException, SnapshotException, UserErrorException
from studio.sdk.ignores import Ignores
from studio.sdk.uploading import BlobSender

log = logging.getLogger("studio.sdk")

MOST_BYTES = 300_000_000
MOST_FILES = 2_000
PROMPT_MOST_BYTES = 25_000_000  # of a folder that nobody named
WALK_MOST_FILES = 50_000  # past this, the folder is not a project: stop looking
N_BIGGEST = 5


@dataclass(frozen=True)
class Limits:
    """How large a snapshot may be."""

    n_bytes: int = MOST_BYTES
    n_files: int = MOST_FILES

    @classmethod
    def default(cls, most_bytes: int = MOST_BYTES) -> Limits:
        """300 MB and 2,000 files, or STUDIO_SNAPSHOT_MAX_BYTES and STUDIO_SNAPSHOT_MAX_FILES."""
        env = os.environ
        n_bytes = int(env.get("STUDIO_SNAPSHOT_MAX_BYTES") or most_bytes)
        return cls(n_bytes, int(env.get("STUDIO_SNAPSHOT_MAX_FILES") or MOST_FILES))


def upload(client: Client, folder: str | os.PathLike[str], limits: Limits | None = None) -> str:
    """The id of a snapshot of the folder; only contents that the studio lacks travel.

    Files that vanish or cannot be read are left out with a warning. Raises SnapshotException when
    the folder does not exist, is too large (naming its biggest paths), or the studio refuses it.
    """
    root = Path(folder).resolve()
    entries, paths = _digested(root, collect(root, limits or Limits.default()))
    try:
        missing = client.post("/snapshots/missing", {"digests": list(paths)})["missing"]
        sender = BlobSender(client)
        for digest in missing:
            sender.add(digest, paths[digest])
        sender.flush()
        snapshot = str(client.post("/snapshots", {"files": entries})["id"])
    except UserErrorException as error:
        text = f"{root} could not be stored, a file went while it was read: {error}. Try again."
        raise SnapshotException(text) from error
    except ServiceException as error:
        hint = "" if error.status_code < 409 else " (was a file changed while it was read?)"
        raise SnapshotException(f"{root} could not be stored: {error}{hint}") from error
    n_bytes = sum(entry["size"] for entry in entries)
    log.info("studio: took %s files, %s, of %s", f"{len(entries):,}", _mb(n_bytes), root)
    return snapshot


def _digested(
    root: Path, files: list[tuple[str, int, int]]
) -> tuple[list[dict[str, Any]], dict[str, Path]]:
    """What the studio is told of each file, and where each content is; without those gone."""
    entries, paths, gone = [], {}, []
    for path, size, mode in files:
        try:
            digest = digest_of(root / path)
        except OSError as problem:
            gone.append(f"{path} ({problem.strerror})")
            continue
        paths[digest] = root / path
        executable = bool(mode & 0o111)
        entries.append({"path": path, "digest": digest, "size": size, "executable": executable})
    if gone:
        more = f" and {len(gone) - N_BIGGEST} more" if len(gone) > N_BIGGEST else ""
        named = ", ".join(gone[:N_BIGGEST])
        log.warning("studio: the snapshot of %s is without %s%s", root, named, more)
    return entries, paths


def collect(root: Path, limits: Limits) -> list[tuple[str, int, int]]:
    """(relative path, bytes, mode) of each file to store, sorted; SnapshotException if too many."""
    if not root.is_dir():
        raise SnapshotException(f"{root} is not a folder")
    files = []
    for entry in walk(root, Ignores.of(root)):
        files.append(entry)
        if len(files) > WALK_MOST_FILES:
            break
    total = sum(size for _, size, _ in files)
    if total > limits.n_bytes or len(files) > limits.n_files:
        raise SnapshotException(_too_large(root, files, limits))
    return sorted(files)


def walk(root: Path, ignores: Ignores, prefix: str = "") -> Iterator[tuple[str, int, int]]:
    """Files below the root that are not ignored; virtual environments, links to folders, sockets
    and devices are left out."""
    try:
        entries = sorted(os.scandir(root / prefix), key=lambda entry: entry.name)
    except (PermissionError, FileNotFoundError, NotADirectoryError):
        return  # closed to us, or gone since it was listed
    for entry in entries:
        path = prefix + entry.name
        if entry.is_dir(follow_symlinks=False):
            environment = os.path.exists(os.path.join(entry.path, "pyvenv.cfg"))
            if not environment and not ignores.match(path, is_folder=True):
                yield from walk(root, ignores, path + "/")
        elif entry.is_file() and not ignores.match(path, is_folder=False):
            with contextlib.suppress(FileNotFoundError):
                facts = entry.stat()
                yield path, facts.st_size, facts.st_mode


def digest_of(file: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def download(client: Client, snapshot: str, folder: Path) -> Path:
    """`<snapshot>.zip` in the folder, as an absolute path."""
    folder.mkdir(parents=True, exist_ok=True)
    target = (folder / f"{snapshot}.zip").resolve()
    client.download(f"/snapshots/{snapshot}/zip", target)
    return target


def _too_large(root: Path, files: list[tuple[str, int, int]], limits: Limits) -> str:
    sizes: dict[str, list[int]] = {}
    for path, size, _ in files:
        top = path.split("/")[0] + ("/" if "/" in path else "")
        total = sizes.setdefault(top, [0, 0])
        total[0], total[1] = total[0] + size, total[1] + 1
    by_size = sorted(sizes.items(), key=lambda item: (-item[1][0], -item[1][1]))
    biggest = [f"{name} ({_mb(size)}, {n} files)" for name, (size, n) in by_size[:N_BIGGEST]]
    n_bytes = sum(size for _, size, _ in files)
    return (
        f"{root} is too large for a snapshot: {_mb(n_bytes)} in {len(files):,} files, at most "
        f"{_mb(limits.n_bytes)} and {limits.n_files:,} files. Biggest: {', '.join(biggest)}. "
        "Exclude paths in .studioignore, or raise STUDIO_SNAPSHOT_MAX_BYTES or _MAX_FILES."
    )


def _mb(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.1f} MB"


def details(client: Client, snapshot: str) -> dict[str, Any]:
    """{id, files} of a stored snapshot."""
    found: dict[str, Any] = client.get(f"/snapshots/{snapshot}")
    return found

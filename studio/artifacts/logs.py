"""Logs: artifacts that grow. Appended by byte offset, read by windows."""

import logging
import time
from dataclasses import dataclass

from django.conf import settings
from django.utils import timezone

from studio.accounts.permissions import Actor, Permission
from studio.artifacts import line_index, log_times
from studio.artifacts.actions import TooLarge, delete_bytes, open_artifact, size_of
from studio.artifacts.models import Artifact, hash_of_path
from studio.artifacts.paths import clean_path
from studio.artifacts.store import new_key, store
from studio.blobs import BlobNotFound, StorageFull
from studio.runs.actions.rights import require_on
from studio.runs.limits import Invalid
from studio.runs.models import Run

logger = logging.getLogger(__name__)


def append_log(run: Run, path: str, offset: int, data: bytes, *, by: Actor) -> int:
    """Append `data` at byte `offset`; returns the size after it. The first call makes the log.

    Bytes that are there already are skipped, so a retry is harmless. A closed log takes late bytes
    too: losing them would be worse. Raises LogGap (with the size) when `offset` lies beyond the
    end, StorageFull when nothing of `data` could be kept, Invalid, TooLarge. 2 queries beyond those
    for the right, 3 for a retry.
    """
    require_on(by, Permission.LOG_TO_RUN, run)
    label = clean_path(path)
    if offset < 0:
        raise Invalid("offset", "offset counts bytes from 0.")
    if offset + len(data) > settings.MAX_ARTIFACT_BYTES:
        raise TooLarge(label, limit_bytes=settings.MAX_ARTIFACT_BYTES)
    log = find_or_begin(run, label)
    if log.digest:
        raise Invalid("path", f"“{label[:200]}” was stored as a whole file; it is not a log.")
    size = store().append(log.blob_key, offset, data)
    note_lines(log, size, size_before=log.n_bytes)
    note_size(log, size)
    return size


def note_lines(log: Artifact, size: int, *, size_before: int) -> None:
    """Keep the index of lines and the times up to what was just written. They can be made good
    later, so that a full disk is no reason to refuse the log itself."""
    try:
        line_index.extend(store(), log.blob_key)
        at_ms = time.time_ns() // 1_000_000
        log_times.note(store(), log.blob_key, size=size, at_ms=at_ms, size_before=size_before)
    except StorageFull:
        logger.warning("no room for the line index of key=%s", log.blob_key)
    except BlobNotFound:
        # Replaced or removed since it was written to.
        return


def note_size(log: Artifact, size: int) -> None:
    """Keep the size of what was just written. A file that took the log's place meanwhile keeps its
    own: the log was there before it, and what was written to it late is deleted as the rest was.
    """
    same = Artifact.objects.filter(pk=log.pk, blob_key=log.blob_key)
    # Of two appenders the larger size stays, in whatever order they get here.
    larger = same.filter(n_bytes__lt=size)
    if not larger.update(n_bytes=size, updated_at=timezone.now()) and not same.exists():
        delete_bytes(log.blob_key)


def find_or_begin(run: Run, path: str) -> Artifact:
    """The growing artifact of that path, made on first use; two at once make one."""
    found = Artifact.objects.filter(run=run, path_hash=hash_of_path(path)).first()
    if found is not None:
        return found
    artifact, _ = Artifact.objects.get_or_create(
        run=run,
        path_hash=hash_of_path(path),
        defaults={
            "workspace_id": run.workspace_id,
            "path": path,
            "blob_key": new_key(run, path),
            "content_type": "text/plain",
            "is_log": True,
            "is_complete": False,
        },
    )
    return artifact


def close_log(run: Run, path: str, *, damage: str = "") -> None:
    """Note that a log grows no more, and in words what is missing from it.

    A log that never began stays away, unless there is damage to tell of.
    """
    label = clean_path(path)
    if damage:
        find_or_begin(run, label)
    log = Artifact.objects.filter(run=run, path_hash=hash_of_path(label)).first()
    if log is None:
        return
    # A file that took its place meanwhile is complete, and has a size of its own.
    same = Artifact.objects.filter(pk=log.pk, blob_key=log.blob_key)
    same.update(
        is_complete=True,
        n_bytes=size_of(log),
        updated_at=timezone.now(),
        damage=damage or log.damage,
    )


def is_finished(artifact: Artifact, run: Run) -> bool:
    """Whether no more bytes are to be expected: closed, or its run is over (a program that is not
    ours closes no logs). Ask before reading, then what was read is all."""
    return artifact.is_complete or run.is_terminal


@dataclass(frozen=True, slots=True)
class Window:
    """Bytes `start`..`end` of a log of `size` bytes."""

    data: bytes
    start: int
    end: int
    size: int


def read_window(artifact: Artifact, start: int, end: int) -> Window:
    """The bytes from `start` up to `end` as they are, cut at the size of this moment."""
    size = size_of(artifact)
    start, end = max(0, min(start, size)), max(0, min(end, size))
    if start >= end:
        return Window(b"", start, start, size)
    try:
        with open_artifact(artifact, start, end) as file:
            data = file.read()
    except BlobNotFound:
        data = b""
    return Window(data, start, start + len(data), size)


def tail(artifact: Artifact, n_bytes: int) -> Window:
    """The last `n_bytes`, from the beginning of a line when one begins in there."""
    size = size_of(artifact)
    return from_line_start(read_window(artifact, size - n_bytes, size))


def from_line_start(window: Window) -> Window:
    """`window` without the partial line at its beginning; all of it when it is one endless line."""
    if window.start == 0:
        return window
    cut = window.data.find(b"\n") + 1
    if cut == len(window.data):
        return window
    return Window(window.data[cut:], window.start + cut, window.end, window.size)

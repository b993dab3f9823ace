"""Logs: artifacts that grow. Appended by byte offset, read by windows."""

from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from studio.accounts.permissions import Actor, Permission
from studio.artifacts.actions import new_key
from studio.artifacts.models import Artifact, hash_of_path
from studio.artifacts.paths import clean_path
from studio.artifacts.store import store
from studio.blobs import BlobNotFound
from studio.runs.actions.rights import require_on
from studio.runs.models import Run


def append_log(run: Run, path: str, offset: int, data: bytes, *, by: Actor) -> int:
    """Append `data` at byte `offset`; returns the size after it.

    Bytes that are there already are skipped, so a retry is harmless. Raises LogGap (with the
    size) when `offset` lies beyond the end, StorageFull when nothing could be kept.
    """
    require_on(by, Permission.LOG_TO_RUN, run)
    artifact = find_or_begin(run, clean_path(path))
    size = store().append(artifact.blob_key, offset, data)
    Artifact.objects.filter(pk=artifact.pk, n_bytes__lt=size).update(
        n_bytes=size, updated_at=timezone.now()
    )
    return size


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
    """Note that a log grows no more, and in words what is missing from it."""
    with transaction.atomic():
        Artifact.objects.filter(run=run, path_hash=hash_of_path(path)).update(
            is_complete=True, damage=damage, updated_at=timezone.now()
        )


@dataclass(frozen=True, slots=True)
class Window:
    """Bytes `start`..`end` of a log of `size` bytes, cut at line ends where there are any."""

    data: bytes
    start: int
    end: int
    size: int


def read_window(artifact: Artifact, start: int, end: int) -> Window:
    """The bytes from `start` up to `end` as they are."""
    size = size_of(artifact)
    start, end = max(0, min(start, size)), max(0, min(end, size))
    if start >= end:
        return Window(b"", start, start, size)
    with store().open(artifact.blob_key, start, end) as file:
        data = file.read()
    return Window(data, start, start + len(data), size)


def tail(artifact: Artifact, n_bytes: int) -> Window:
    """The last `n_bytes`, from the beginning of a line when one begins in there."""
    size = size_of(artifact)
    return from_line_start(read_window(artifact, size - n_bytes, size))


def earlier(artifact: Artifact, before: int, n_bytes: int) -> Window:
    """The `n_bytes` that end at byte `before`, from the beginning of a line."""
    return from_line_start(read_window(artifact, before - n_bytes, before))


def from_line_start(window: Window) -> Window:
    """`window` without the partial line at its beginning."""
    if window.start == 0:
        return window
    cut = window.data.find(b"\n") + 1
    return Window(window.data[cut:], window.start + cut, window.end, window.size)


def size_of(artifact: Artifact) -> int:
    """The real size: the row may lag a moment behind a growing log."""
    try:
        return store().size(artifact.blob_key)
    except BlobNotFound:
        return 0

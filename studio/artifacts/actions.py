"""Storing, finding and reading the files of a run.

An upload is recorded in the run's history only when the run was over by then: files written while
it trains are the run itself, and a line for each would bury everything else.
"""

import mimetypes
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, TypeVar

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from studio.accounts.permissions import Actor, Permission
from studio.artifacts.holding import are_held
from studio.artifacts.line_index import index_key
from studio.artifacts.log_times import times_key
from studio.artifacts.models import Artifact, hash_of_path
from studio.artifacts.paths import clean_path, storable_path
from studio.artifacts.store import new_key, store
from studio.blobs import Blob, BlobNotFound, BlobTooLarge
from studio.compute.workdir import open_output
from studio.runs.actions.rights import require_on
from studio.runs.lifecycle import record_event
from studio.runs.limits import Invalid
from studio.runs.models import Run

BINARY = "application/octet-stream"
_TYPE = re.compile(r"[a-z0-9.+-]{1,40}/[a-z0-9.+-]{1,50}")
# Without the machine's own tables, so that one file has one type everywhere.
_TYPES = mimetypes.MimeTypes(filenames=())
T = TypeVar("T")


class TooLarge(Exception):
    """More bytes than the studio takes for one file; nothing was stored."""

    most = "one file may have"
    advice = "Split it, or ask the studio's admin to raise STUDIO_MAX_ARTIFACT_BYTES."

    def __init__(self, path: str, *, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        super().__init__(
            f"“{path[:200]}” is larger than {limit_bytes:,} bytes, the most {self.most}. "
            f"{self.advice}"
        )


class GrowingLog(Invalid):
    """The path belongs to a log that is still written; it can't be replaced as a whole."""

    def __init__(self, path: str) -> None:
        super().__init__("path", f"“{path[:200]}” is a log that still grows. Append to it instead.")


def put_artifact(
    run: Run, path: str, stream: BinaryIO, *, by: Actor, content_type: str | None = None
) -> Artifact:
    """Store all of `stream` as the run's file `path`, replacing the one of that path.

    Readers see the old file or the new one. Raises Invalid (path), GrowingLog, TooLarge, and
    blobs.StorageFull with nothing changed.
    """
    require_on(by, Permission.LOG_TO_RUN, run)
    label = clean_path(path)
    blob = _received(run, label, stream)
    try:
        with transaction.atomic():
            artifact, is_new = _write_row(run, label, blob, kind=content_type)
            if run.is_terminal and not by.is_system:
                change = {"path": label, "size": blob.n_bytes}
                record_event(run, "artifact", by=by, before=None if is_new else label, after=change)
    except BaseException:
        store().delete(blob.key)
        raise
    return artifact


def import_artifact(run: Run, path: str, stream: BinaryIO, *, by: Actor) -> Artifact:
    """As `put_artifact`, for a file that belongs to an imported run: with no line of history of its
    own, as the import has one."""
    require_on(by, Permission.LOG_TO_RUN, run)
    label = clean_path(path)
    blob = _received(run, label, stream)
    try:
        with transaction.atomic():
            return _write_row(run, label, blob, kind=None)[0]
    except BaseException:
        store().delete(blob.key)
        raise


def delete_bytes(key: str) -> None:
    """Delete what is stored under `key`, and what was noted beside it. While bytes are held they
    stay, for the sweep."""
    if are_held():
        return
    for each in (key, index_key(key), times_key(key)):
        store().delete(each)


def put_artifact_file(run: Run, path: str, local_path: Path, *, by: Actor) -> Artifact:
    """Store a file of a finished process; characters its name may not have become U+FFFD.

    Raises TooLarge, StorageFull, GrowingLog, and OSError when the file is gone or was exchanged
    for a link.
    """
    with open_output(local_path) as stream:
        return put_artifact(run, storable_path(path), stream, by=by)


def _received(run: Run, label: str, stream: BinaryIO) -> Blob:
    limit_bytes = settings.MAX_ARTIFACT_BYTES
    try:
        return store().put(new_key(run, label), stream, limit_bytes=limit_bytes)
    except BlobTooLarge as error:
        raise TooLarge(label, limit_bytes=limit_bytes) from error


def _write_row(run: Run, label: str, blob: Blob, *, kind: str | None) -> tuple[Artifact, bool]:
    now = timezone.now()
    facts = {
        "blob_key": blob.key,
        "n_bytes": blob.n_bytes,
        "digest": blob.sha256,
        "content_type": type_of(label, announced=kind or ""),
        "is_log": label.startswith("logs/"),
        "is_complete": True,
        "damage": "",
        "updated_at": now,
    }
    artifact, is_new = Artifact.objects.select_for_update().get_or_create(
        run=run,
        path_hash=hash_of_path(label),
        defaults={"workspace_id": run.workspace_id, "path": label, "created_at": now, **facts},
    )
    if is_new:
        return artifact, True
    if not artifact.is_complete and not run.is_terminal:
        raise GrowingLog(label)
    old_key = artifact.blob_key
    for name, value in facts.items():
        setattr(artifact, name, value)
    artifact.save(update_fields=list(facts))
    # Only after the commit: until then readers are sent to the old bytes.
    transaction.on_commit(lambda: delete_bytes(old_key))
    return artifact, False


def type_of(label: str, *, announced: str = "") -> str:
    """The announced media type when it is one and says something, else a guess by the ending."""
    given = announced.partition(";")[0].strip().lower()
    if _TYPE.fullmatch(given) and given != BINARY:
        return given
    suffix = re.search(r"\.[A-Za-z0-9]{1,10}$", label)
    return (_TYPES.guess_type(f"file{suffix.group()}")[0] if suffix else None) or BINARY


def find_artifact(run: Run, path: str) -> Artifact | None:
    """The run's file of that path (1 query), None also for a path no file can have."""
    try:
        label = clean_path(path)
    except Invalid:
        return None
    return Artifact.objects.filter(run=run, path_hash=hash_of_path(label)).first()


def of_now(artifact: Artifact, ask: Callable[[], T]) -> T:
    """`ask()`, which reads the bytes under `artifact.blob_key`; again when they were replaced since
    the row was read, which is read anew then. Raises blobs.BlobNotFound when storage has lost them.
    """
    while True:
        key = artifact.blob_key
        try:
            return ask()
        except BlobNotFound:
            with suppress(Artifact.DoesNotExist):
                artifact.refresh_from_db()
            if artifact.blob_key == key:
                raise


def open_artifact(artifact: Artifact, start: int = 0, end: int | None = None) -> BinaryIO:
    """Its bytes [start, end). Raises blobs.BlobNotFound when storage has lost them."""
    return of_now(artifact, lambda: store().open(artifact.blob_key, start, end))


def size_of(artifact: Artifact) -> int:
    """How many bytes are stored at this moment; 0 when nothing is (a log before its first line)."""
    try:
        if artifact.n_bytes or artifact.digest:
            return of_now(artifact, lambda: store().size(artifact.blob_key))
        return store().size(artifact.blob_key)
    except BlobNotFound:
        return 0

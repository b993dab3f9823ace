"""Sources of submissions: files by digest, stored once in each workspace."""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, BinaryIO, Protocol

from django.conf import settings
from django.db import transaction

from studio.accounts.models import Workspace
from studio.accounts.permissions import Actor, Permission, require
from studio.artifacts.actions import TooLarge
from studio.artifacts.models import Snapshot, SourceBlob
from studio.artifacts.paths import clean_path
from studio.artifacts.store import source_folder, store
from studio.blobs import BlobNotFound, BlobTooLarge, ZipMember, digest_key
from studio.runs.limits import Invalid

# A file name on the systems where workers run.
MAX_NAME_BYTES = 255
# SQLite takes a limited number of values in one statement.
DIGESTS_PER_QUERY = 500
_DIGEST = re.compile(r"[0-9a-f]{64}")


class SnapshotError(Exception):
    """A snapshot that can't be read."""


class SnapshotNotFound(SnapshotError, LookupError):
    """No snapshot of that id in this workspace."""


class MissingBlobs(SnapshotError):
    """Files of a snapshot that were never uploaded to this workspace."""

    def __init__(self, missing: list[str]) -> None:
        self.missing = missing
        super().__init__(f"{len(missing)} files were not uploaded yet. Send them to /blobs first.")


class SourceFile(Protocol):
    """What a client says of one file (wire.FileEntry)."""

    @property
    def path(self) -> str: ...
    @property
    def digest(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def executable(self) -> bool: ...


def missing(workspace: Workspace, digests: Iterable[str], *, by: Actor) -> list[str]:
    """Those of `digests` that this workspace has no bytes for, each once, in their order."""
    require(by, Permission.SUBMIT_RUN, workspace)
    wanted = list(dict.fromkeys(digests))
    known = _sizes(workspace, wanted)
    return [digest for digest in wanted if digest not in known]


def _sizes(workspace: Workspace, digests: list[str]) -> dict[str, int]:
    """Digest -> bytes for those stored here (1 query for each 500)."""
    found: dict[str, int] = {}
    for at in range(0, len(digests), DIGESTS_PER_QUERY):
        part = digests[at : at + DIGESTS_PER_QUERY]
        rows = SourceBlob.objects.filter(workspace=workspace, digest__in=part)
        found.update(rows.values_list("digest", "n_bytes"))
    return found


class SourceTooLarge(TooLarge):
    """More bytes than all files of a snapshot may have together; nothing was stored."""

    most = "a snapshot may have"
    advice = (
        "Leave it out of the source, or ask the studio's admin to raise STUDIO_SNAPSHOT_MAX_BYTES."
    )


def store_blob(workspace: Workspace, digest: str, stream: BinaryIO, *, by: Actor) -> SourceBlob:
    """Store one source file whose SHA-256 is `digest`; the same one again is fine.

    Raises Invalid, blobs.DigestMismatch, blobs.StorageFull, TooLarge; then nothing is stored.
    """
    require(by, Permission.SUBMIT_RUN, workspace)
    if not _DIGEST.fullmatch(digest):
        raise Invalid("digest", "digest must be a SHA-256 in lower-case hexadecimal digits.")
    limit_bytes = settings.SNAPSHOT_MAX_BYTES
    try:
        blob = store().put_if_absent(
            digest, stream, under=source_folder(workspace.pk), limit_bytes=limit_bytes
        )
    except BlobTooLarge as error:
        raise SourceTooLarge(digest, limit_bytes=limit_bytes) from error
    row, _ = SourceBlob.objects.get_or_create(
        workspace=workspace, digest=digest, defaults={"n_bytes": blob.n_bytes}
    )
    return row


def make_snapshot(workspace: Workspace, files: Iterable[SourceFile], *, by: Actor) -> Snapshot:
    """The snapshot of these files, whose bytes were uploaded before; the same list, the same one.

    Raises Invalid (a path, a size, too many files or bytes) and MissingBlobs.
    """
    require(by, Permission.SUBMIT_RUN, workspace)
    listed = _checked(list(files))
    known = _sizes(workspace, list(dict.fromkeys(file["digest"] for file in listed)))
    lacking = [file["digest"] for file in listed if file["digest"] not in known]
    if lacking:
        raise MissingBlobs(list(dict.fromkeys(lacking)))
    for file in listed:
        if file["size"] != known[file["digest"]]:
            raise Invalid("files", f"“{file['path'][:200]}” has another size than its bytes.")
    text = json.dumps(listed, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    with transaction.atomic():
        snapshot, _ = Snapshot.objects.get_or_create(
            workspace=workspace,
            digest=hashlib.sha256(text.encode()).hexdigest(),
            defaults={"files": listed, "n_bytes": sum(file["size"] for file in listed)},
        )
    return snapshot


def _checked(files: list[SourceFile]) -> list[dict[str, Any]]:
    """The list as it is stored: clean unique paths in order, within the limits."""
    most_files, most_bytes = settings.SNAPSHOT_MAX_FILES, settings.SNAPSHOT_MAX_BYTES
    n_bytes = sum(file.size for file in files)
    if len(files) > most_files or n_bytes > most_bytes:
        raise Invalid(
            "files",
            f"{len(files):,} files with {n_bytes:,} bytes are too much for a snapshot: at most "
            f"{most_files:,} files and {most_bytes:,} bytes. Ignore what the run does not need.",
        )
    listed: dict[str, dict[str, Any]] = {}
    for file in files:
        path = source_path(file.path)
        if path in listed:
            raise Invalid("files", f"“{path[:200]}” is listed twice.")
        facts = {"digest": file.digest, "size": file.size, "executable": file.executable}
        listed[path] = {"path": path, **facts}
    for path in listed:
        _refuse_file_as_folder(path, listed)
    return [listed[path] for path in sorted(listed)]


def source_path(path: str) -> str:
    """A path a worker can make on its disk: stricter than the label of an artifact."""
    label = clean_path(path, field="files")
    if "\\" in label or any(len(part.encode()) > MAX_NAME_BYTES for part in label.split("/")):
        raise Invalid(
            "files", f"“{label[:200]}” has a backslash or a name over {MAX_NAME_BYTES} bytes."
        )
    return label


def _refuse_file_as_folder(path: str, listed: dict[str, Any]) -> None:
    at = path.find("/")
    while at != -1:
        if path[:at] in listed:
            raise Invalid("files", f"“{path[:at][:200]}” is a file and a folder at once.")
        at = path.find("/", at + 1)


def find(workspace: Workspace, snapshot_id: str) -> Snapshot:
    """The workspace's snapshot of that id. Raises SnapshotNotFound."""
    found = Snapshot.objects.filter(workspace=workspace, digest=snapshot_id).first()
    if found is None:
        raise SnapshotNotFound(f"There is no snapshot “{snapshot_id[:80]}” in “{workspace.name}”.")
    return found


def files_of(workspace: Workspace, snapshot_id: str) -> list[tuple[str, str, bool]]:
    """(path, digest, executable) of every file, by path. Raises SnapshotNotFound."""
    files = find(workspace, snapshot_id).files
    return [(file["path"], file["digest"], file["executable"]) for file in files]


def opener(workspace: Workspace) -> Callable[[str], BinaryIO]:
    """A function that opens this workspace's source files by digest; it raises SnapshotError."""

    def open_source(digest: str) -> BinaryIO:
        try:
            return store().open(digest_key(digest, under=source_folder(workspace.pk)))
        except BlobNotFound as error:
            raise SnapshotError(f"The stored file {digest[:12]}… of the source is gone.") from error

    return open_source


def open_file(snapshot: Snapshot, path: str) -> BinaryIO:
    """The bytes of one file. Raises SnapshotNotFound when the snapshot has no such path."""
    for file in snapshot.files:
        if file["path"] == path:
            return opener(snapshot.workspace)(file["digest"])
    raise SnapshotNotFound(f"The snapshot has no file “{path[:200]}”.")


def zip_members(snapshot: Snapshot) -> Iterator[ZipMember]:
    """The files of a snapshot as members of an archive."""
    open_source = opener(snapshot.workspace)
    for file in snapshot.files:
        open_it = partial(open_source, file["digest"])
        yield ZipMember(file["path"], open_it, file["size"], file["executable"])

"""Sources of submitted runs: lists of files by digest, each file stored once per workspace."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, BinaryIO

from studio.accounts.models import Workspace
from studio.accounts.permissions import Actor, Permission, require
from studio.artifacts.models import Snapshot, SourceBlob
from studio.artifacts.paths import clean_path
from studio.artifacts.store import store
from studio.blobs import ZipMember, digest_key
from studio.runs.limits import Invalid

MAX_FILES = 2_000
MAX_BYTES = 300 * 1024 * 1024


class SnapshotError(Exception):
    """A snapshot that isn't there or can't be used."""


class MissingBlobs(SnapshotError):
    """Files of the list were not uploaded yet."""

    def __init__(self, missing: list[str]) -> None:
        self.missing = missing
        super().__init__(f"{len(missing)} files of the snapshot were not uploaded yet.")


def folder_of(workspace: Workspace) -> str:
    return f"source/{workspace.pk}"


def missing(workspace: Workspace, digests: Iterable[str], *, by: Actor) -> list[str]:
    """Those of `digests` that this workspace does not hold, in their order (1 query)."""
    require(by, Permission.SUBMIT_RUN, workspace)
    wanted = list(dict.fromkeys(digests))
    held = set(
        SourceBlob.objects.filter(workspace=workspace, digest__in=wanted).values_list(
            "digest", flat=True
        )
    )
    return [digest for digest in wanted if digest not in held]


def store_blob(workspace: Workspace, digest: str, stream: BinaryIO, *, by: Actor) -> SourceBlob:
    """Keep one source file; its bytes must have that digest (else DigestMismatch)."""
    require(by, Permission.SUBMIT_RUN, workspace)
    blob = store().put_if_absent(
        digest, stream, under=folder_of(workspace), limit_bytes=MAX_BYTES
    )
    row, _ = SourceBlob.objects.get_or_create(
        workspace=workspace, digest=digest, defaults={"n_bytes": blob.n_bytes}
    )
    return row


def make_snapshot(
    workspace: Workspace, files: Sequence[dict[str, Any]], *, by: Actor
) -> tuple[Snapshot, bool]:
    """The snapshot of these files {path, digest, size, executable}, and whether it is new."""
    require(by, Permission.SUBMIT_RUN, workspace)
    if len(files) > MAX_FILES:
        raise Invalid("files", f"A snapshot holds at most {MAX_FILES:,} files, not {len(files):,}.")
    entries = sorted(
        (clean_path(str(f["path"])), str(f["digest"]), bool(f.get("executable"))) for f in files
    )
    if len({path for path, _, _ in entries}) != len(entries):
        raise Invalid("files", "A path stands twice in the snapshot.")
    sizes = dict(
        SourceBlob.objects.filter(
            workspace=workspace, digest__in={digest for _, digest, _ in entries}
        ).values_list("digest", "n_bytes")
    )
    absent = [digest for _, digest, _ in entries if digest not in sizes]
    if absent:
        raise MissingBlobs(list(dict.fromkeys(absent)))
    n_bytes = sum(sizes[digest] for _, digest, _ in entries)
    if n_bytes > MAX_BYTES:
        raise Invalid("files", f"The snapshot has {n_bytes:,} bytes; at most {MAX_BYTES:,} fit.")
    listed = [
        {"path": path, "digest": digest, "size": sizes[digest], "executable": executable}
        for path, digest, executable in entries
    ]
    digest = hashlib.sha256(json.dumps(listed, sort_keys=True).encode()).hexdigest()
    return Snapshot.objects.get_or_create(
        workspace=workspace, digest=digest, defaults={"files": listed, "n_bytes": n_bytes}
    )


def find(workspace: Workspace, digest: str) -> Snapshot:
    """The workspace's snapshot; SnapshotError when there is none."""
    found = Snapshot.objects.filter(workspace=workspace, digest=digest).first()
    if found is None:
        raise SnapshotError(f"There is no snapshot {digest[:12]} in this workspace.")
    return found


def files_of(workspace: Workspace, digest: str) -> list[tuple[str, str, bool]]:
    """(path, digest, executable) of each file."""
    return [
        (file["path"], file["digest"], bool(file["executable"]))
        for file in find(workspace, digest).files
    ]


def opener(workspace: Workspace) -> Callable[[str], BinaryIO]:
    """A function that opens a source file of this workspace by digest."""
    folder = folder_of(workspace)

    def open_blob(digest: str) -> BinaryIO:
        return store().open(digest_key(digest, under=folder))

    return open_blob


def zip_members(snapshot: Snapshot) -> Iterator[ZipMember]:
    """The files of a snapshot as members of an archive."""
    open_blob = opener(snapshot.workspace)
    for file in snapshot.files:
        digest = file["digest"]
        yield ZipMember(
            file["path"], lambda digest=digest: open_blob(digest), file["size"], file["executable"]
        )

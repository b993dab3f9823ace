"""Small source files that come many in one request (wire.bundles)."""

import io
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import BinaryIO

from django.conf import settings

from studio.accounts.models import Workspace
from studio.accounts.permissions import Actor, Permission, require
from studio.artifacts.actions import TooLarge
from studio.artifacts.models import SourceBlob
from studio.artifacts.snapshots import SourceTooLarge
from studio.artifacts.store import source_folder, store
from studio.wire.bundles import MAX_BUNDLE_BYTES, read_bundle

PIECE_BYTES = 64 * 1024
# A disk and a bucket keep one waiting for each file, and take several in about the time of one.
AT_ONCE = 8


class BundleTooLarge(TooLarge):
    """More bytes than one request carries; nothing was stored."""

    most = "one request carries"
    advice = "Send it in several, and a large file alone by PUT to /blobs/{digest}."


def store_bundle(workspace: Workspace, stream: BinaryIO, *, by: Actor) -> dict[str, int]:
    """Store every file of a bundle; the same ones again are fine. SHA-256 -> bytes of each.

    All of it is read and checked before the first is stored: after NotAllowed, TooLarge and
    wire.bundles.BadBundle nothing is. After blobs.StorageFull and blobs.StoreAway some may be,
    each whole and known to `snapshots.missing`.
    """
    require(by, Permission.SUBMIT_RUN, workspace)
    files = read_bundle(_all_of(stream))
    limit_bytes = settings.SNAPSHOT_MAX_BYTES
    for digest, data in files.items():
        if len(data) > limit_bytes:
            raise SourceTooLarge(digest, limit_bytes=limit_bytes)
    stored, error = _put_all(files, under=source_folder(workspace.pk))
    SourceBlob.objects.bulk_create(
        [SourceBlob(workspace=workspace, digest=blob, n_bytes=stored[blob]) for blob in stored],
        ignore_conflicts=True,
    )
    if error is not None:
        raise error
    return stored


def _put_all(files: dict[str, bytes], *, under: str) -> tuple[dict[str, int], BaseException | None]:
    """Length of each that was stored, and what went wrong first; then the rest was not begun."""
    to = store()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        puts = {
            digest: pool.submit(to.put_if_absent, digest, io.BytesIO(data), under=under)
            for digest, data in files.items()
        }
        wait(puts.values(), return_when=FIRST_EXCEPTION)
        pool.shutdown(cancel_futures=True)
    over = {digest: put for digest, put in puts.items() if not put.cancelled()}
    errors = {digest: put.exception() for digest, put in over.items()}
    stored = {digest: put.result().n_bytes for digest, put in over.items() if not errors[digest]}
    return stored, next(filter(None, errors.values()), None)


def _all_of(stream: BinaryIO) -> bytes:
    """The body, which fits into memory, or BundleTooLarge."""
    pieces, n_bytes = [], 0
    while piece := stream.read(PIECE_BYTES):
        n_bytes += len(piece)
        if n_bytes > MAX_BUNDLE_BYTES:
            raise BundleTooLarge("blobs", limit_bytes=MAX_BUNDLE_BYTES)
        pieces.append(piece)
    return b"".join(pieces)

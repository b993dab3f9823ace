"""Files that people send to be imported: kept apart from those of runs, and not for long."""

import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import BinaryIO

from django.conf import settings
from django.utils import timezone

from studio.accounts.models import Workspace
from studio.accounts.permissions import Actor, Permission, require
from studio.artifacts.actions import TooLarge
from studio.artifacts.models import Upload
from studio.artifacts.paths import storable_path
from studio.artifacts.store import store
from studio.blobs import BlobTooLarge

# What nobody imported by then goes.
KEPT_S = 2 * 86_400
# Background work that looks what an import would do, and that does it.
CHECK, IMPORT = "import_check", "import"


@dataclass(frozen=True, slots=True)
class Importable:
    """A kind of file that can be imported. accepts: the endings of its name."""

    name: str
    title: str
    accepts: tuple[str, ...]


_IMPORTABLE: dict[str, Importable] = {}


def register_importable(kind: Importable) -> None:
    _IMPORTABLE[kind.name] = kind


def importable() -> list[Importable]:
    """The kinds there are, in the order they were registered."""
    return list(_IMPORTABLE.values())


class ImportTooLarge(TooLarge):
    """More bytes than a file to be imported may have; nothing was stored."""

    most = "a file to be imported may have"
    advice = (
        "Import it in parts or by manage.py import, or ask the studio's admin to raise "
        "STUDIO_MAX_IMPORT_BYTES."
    )


def take_upload(workspace: Workspace, name: str, stream: BinaryIO, *, by: Actor) -> Upload:
    """Store a file to be imported. Raises NotAllowed, TooLarge, blobs.StorageFull."""
    require(by, Permission.SUBMIT_RUN, workspace)
    uid, limit_bytes = uuid.uuid4().hex, settings.MAX_IMPORT_BYTES
    key = f"uploads/{workspace.pk}/{uid}"
    label = storable_path(name)[-255:] or "file"
    try:
        blob = store().put(key, stream, limit_bytes=limit_bytes)
    except BlobTooLarge as error:
        raise ImportTooLarge(label, limit_bytes=limit_bytes) from error
    return Upload.objects.create(
        workspace=workspace, uid=uid, blob_key=key, name=label, n_bytes=blob.n_bytes
    )


def find_upload(workspace: Workspace, uid: str) -> Upload | None:
    """(1 query.)"""
    return Upload.objects.filter(workspace=workspace, uid=uid).first()


def open_upload(upload: Upload) -> BinaryIO:
    """Raises blobs.BlobNotFound."""
    return store().open(upload.blob_key)


def drop_upload(upload: Upload) -> None:
    """Remove the file; the row goes first, so that nothing names bytes that are gone."""
    upload.delete()
    store().delete(upload.blob_key)


def sweep_uploads(*, older_than_s: float = KEPT_S) -> int:
    """Remove what nobody imported; how many bytes."""
    limit = timezone.now() - timedelta(seconds=older_than_s)
    n_bytes = 0
    for upload in Upload.objects.filter(created_at__lt=limit)[:1_000]:
        n_bytes += upload.n_bytes
        drop_upload(upload)
    return n_bytes

"""Storing files of runs."""

import mimetypes
import secrets
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from studio.accounts.permissions import Actor, Permission
from studio.artifacts.models import Artifact, hash_of_path
from studio.artifacts.paths import clean_path
from studio.artifacts.store import store
from studio.compute.workdir import open_output
from studio.runs.actions.rights import require_on
from studio.runs.models import Run


def new_key(run: Run, path: str) -> str:
    """A server-made key; the label has no part in it but its hash."""
    digest = hash_of_path(path)
    return f"runs/{run.workspace_id}/{run.pk}/{digest[:2]}/{digest[:32]}-{secrets.token_hex(8)}"


def put_artifact(
    run: Run, path: str, stream: BinaryIO, *, by: Actor, content_type: str | None = None
) -> Artifact:
    """Store a file of the run, replacing one of the same path.

    Raises StorageFull, BlobTooLarge, Invalid; then the earlier file is still there.
    """
    require_on(by, Permission.LOG_TO_RUN, run)
    path = clean_path(path)
    blob = store().put(new_key(run, path), stream, limit_bytes=settings.MAX_ARTIFACT_BYTES)
    facts = {
        "workspace_id": run.workspace_id,
        "path": path,
        "blob_key": blob.key,
        "n_bytes": blob.n_bytes,
        "digest": blob.sha256,
        "content_type": (content_type or guess_type(path))[:100],
        "is_log": path.startswith("logs/"),
        "is_complete": True,
        "damage": "",
        "updated_at": timezone.now(),
    }
    with transaction.atomic():
        old = (
            Artifact.objects.select_for_update()
            .filter(run=run, path_hash=hash_of_path(path))
            .values_list("blob_key", flat=True)
            .first()
        )
        artifact, _ = Artifact.objects.update_or_create(
            run=run, path_hash=hash_of_path(path), defaults=facts
        )
        if old and old != blob.key:
            transaction.on_commit(lambda: store().delete(old))
    return artifact


def put_artifact_file(run: Run, path: str, file: Path, *, by: Actor) -> Artifact:
    """Store a file of this machine."""
    with open_output(file) as stream:
        return put_artifact(run, path, stream, by=by)


def guess_type(path: str) -> str:
    return mimetypes.guess_type(path)[0] or "application/octet-stream"

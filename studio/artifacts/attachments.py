"""Images of descriptions: taken in by what their bytes are, and freed when no description names
them. See docs/adr/0025."""

import contextlib
import re
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from io import BytesIO
from typing import BinaryIO

from django.db import transaction
from django.utils import timezone

from studio.accounts.models import Workspace
from studio.accounts.permissions import Actor, Permission, require
from studio.artifacts.actions import TooLarge
from studio.artifacts.models import Removal
from studio.artifacts.preview_images import MAX_PIXELS, size_of_image
from studio.artifacts.store import store
from studio.artifacts.viewing import type_of_image
from studio.blobs import BlobNotFound
from studio.runs.actions.experiments import require_edit
from studio.runs.actions.rights import require_on
from studio.runs.attachment_models import Attachment
from studio.runs.history import record_experiment_event
from studio.runs.lifecycle import record_event
from studio.runs.limits import Invalid
from studio.runs.models import Experiment, Run

MAX_IMAGE_BYTES = 10_000_000
PIECE_BYTES = 256 * 1024
FOLDER = "attachments/"
# A text with the image in it may wait in somebody's editor for so long.
KEPT_UNUSED_S = 86_400
# Digits of the SHA-256 that name an image: as hard to meet by chance, and half as long to read.
DIGITS = 40
_UNSAFE_IN_NAME = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\[\]\\`<>*_|]+")


class ImageTooLarge(TooLarge):
    """More bytes than an image of a description may have; nothing was stored."""

    def __init__(self, name: str, *, limit_bytes: int | None = None) -> None:
        self.limit_bytes = MAX_IMAGE_BYTES if limit_bytes is None else limit_bytes
        Exception.__init__(
            self,
            f"“{name[:200]}” is larger than {self.limit_bytes / 1e6:.0f} MB, the most an image "
            "of a description may have. Make it smaller, or log it as a file of the run.",
        )


def attach_image(
    described: Run | Experiment, name: str, stream: BinaryIO, *, by: Actor
) -> Attachment:
    """Store an image for the description of a run or experiment; the same one again is the same.

    It is kept for KEPT_UNUSED_S, and for good once a saved description names it. Raises Invalid for
    anything but PNG, JPEG, GIF and WebP, ImageTooLarge, and blobs.StorageFull.
    """
    _require(by, described)
    label, data, kind = _image(name, stream)

    def record(image: Attachment) -> None:
        _record(described, image, by=by)

    return _stored(described.workspace_id, (label, data, kind), by=by, record=record)


def import_image(workspace: Workspace, name: str, stream: BinaryIO, *, by: Actor) -> Attachment:
    """As `attach_image`, for the descriptions of runs that are about to be imported: in the history
    of none of them."""
    require(by, Permission.SUBMIT_RUN, workspace)
    return _stored(workspace.pk, _image(name, stream), by=by, record=lambda image: None)


def _image(name: str, stream: BinaryIO) -> tuple[str, bytes, str]:
    """(label, bytes, media type). Raises Invalid and ImageTooLarge."""
    label = name_of(name)
    data = _read(stream, label)
    kind = type_of_image(data[:16])
    if not kind:
        raise Invalid(
            "image", f"“{label[:200]}” is no PNG, JPEG, GIF or WebP image. Convert it to one first."
        )
    size = size_of_image(data)
    if size is not None and size[0] * size[1] > MAX_PIXELS:
        limit = MAX_PIXELS // 1_000_000
        raise Invalid(
            "image", f"“{label[:200]}” has more than {limit} million pixels: make it smaller."
        )
    return label, data, kind


def _read(stream: BinaryIO, label: str) -> bytes:
    """All of it: only the empty read at its end tells that a body came whole."""
    data = bytearray()
    while piece := stream.read(PIECE_BYTES):
        data += piece
        if len(data) > MAX_IMAGE_BYTES:
            raise ImageTooLarge(label)
    return bytes(data)


def _require(by: Actor, described: Run | Experiment) -> None:
    if isinstance(described, Run):
        require_on(by, Permission.EDIT_RUN, described)
    else:
        require_edit(by, described)


def name_of(name: str) -> str:
    """What an image is called in the text and for screen readers: the last part of its path,
    without what Markdown would read as more than a name."""
    last = re.split(r"[/\\]", name)[-1]
    return _UNSAFE_IN_NAME.sub(" ", last).strip()[:120] or "image"


def markdown_of(attachment: Attachment) -> str:
    """How a description shows it."""
    return f"![{attachment.name}]({attachment.address})"


def _stored(
    workspace_id: int,
    image: tuple[str, bytes, str],
    *,
    by: Actor,
    record: Callable[[Attachment], None],
) -> Attachment:
    name, data, kind = image
    # A key of its own, not one made of the digest: whoever frees an image never takes the bytes of
    # the same one that is uploaded at that moment.
    own = secrets.token_hex(20)
    key = f"{FOLDER}{workspace_id}/{own[:2]}/{own}"
    blob = store().put(key, BytesIO(data))
    facts = {"name": name, "uploaded_at": timezone.now()}
    new = {"blob_key": key, "content_type": kind, "n_bytes": blob.n_bytes, "uploaded_by": by.name}
    try:
        with transaction.atomic():
            found, is_new = Attachment.objects.select_for_update().get_or_create(
                workspace_id=workspace_id,
                digest=blob.sha256[:DIGITS],
                defaults={**facts, **new},
            )
            if not is_new:
                Attachment.objects.filter(pk=found.pk).update(**facts)
                found.name = name
            record(found)
    except BaseException:
        store().delete(key)
        raise
    if not is_new:
        store().delete(key)
    return found


def _record(described: Run | Experiment, image: Attachment, *, by: Actor) -> None:
    after = {"path": image.name, "size": image.n_bytes, "digest": image.digest}
    if isinstance(described, Run):
        record_event(described, "image", by=by, after=after)
    else:
        record_experiment_event(described, "image", by=by, before=None, after=after)


def find_attachment(workspace: Workspace, digest: str) -> Attachment | None:
    """The workspace's image of that digest (1 query)."""
    return Attachment.objects.filter(workspace=workspace, digest=digest).first()


def open_attachment(attachment: Attachment) -> BinaryIO:
    """Its bytes. Raises blobs.BlobNotFound when storage has lost them."""
    return store().open(attachment.blob_key)


def forget_unused(workspace: Workspace | None = None, *, unused_s: float = KEPT_UNUSED_S) -> int:
    """Let go of images that no version of a description names, and that nobody uploaded within
    `unused_s`; how many. Their bytes are named for `purging.finish_removals`."""
    limit = timezone.now() - timedelta(seconds=unused_s)
    unused = Attachment.objects.filter(uses=None, uploaded_at__lt=limit)
    if workspace is not None:
        unused = unused.filter(workspace=workspace)
    return sum(_forget(key, limit) for key in list(unused.values_list("pk", flat=True)))


def _forget(key: int, limit: datetime) -> bool:
    with transaction.atomic():
        locked = Attachment.objects.select_for_update().filter(pk=key, uploaded_at__lt=limit)
        image = locked.first()
        # Asked again under the lock: somebody may have saved a description that names it.
        if image is None or image.uses.exists():
            return False
        where = {"workspace_id": image.workspace_id, "prefix": image.blob_key}
        Removal.objects.create(**where, n_bytes=image.n_bytes)
        image.delete()
    return True


def sweep_attachments(*, older_than_s: float) -> int:
    """Delete bytes of images without a row, left by uploads that were killed; how many bytes."""
    n_bytes = 0
    for key in list(store().list(FOLDER)):
        with contextlib.suppress(BlobNotFound):  # another sweep may be quicker
            is_named = Attachment.objects.filter(blob_key=key).exists()
            if not is_named and store().age_s(key) >= older_than_s:
                n_bytes += store().size(key)
                store().delete(key)
    return n_bytes

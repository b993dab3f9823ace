"""Bytes as HTTP answers that no browser runs: attachments, ranges, zip archives."""

import re
from collections.abc import Iterable, Iterator
from functools import partial
from io import BytesIO
from typing import BinaryIO
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

from studio.artifacts.actions import of_now, open_artifact, size_of
from studio.artifacts.models import Artifact
from studio.artifacts.store import store
from studio.blobs import BlobNotFound, ZipMember, safe_label, zip_stream

PIECE_BYTES = 256 * 1024
# Even opened directly, an uploaded page has no origin, no scripts and no plugins.
INERT_POLICY = "default-src 'none'; sandbox"
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


def attachment(request: HttpRequest, artifact: Artifact) -> HttpResponseBase:
    """The artifact as a download; one byte range is honoured (206), one past the end is 416."""
    try:
        return of_now(artifact, lambda: _whole_or_range(request, artifact))
    except BlobNotFound:
        return inert(HttpResponse("Storage has lost this file.", status=410))


def _whole_or_range(request: HttpRequest, artifact: Artifact) -> HttpResponseBase:
    """Raises BlobNotFound also when the file was replaced since its size was asked for: the bytes
    and their number are those of one file."""
    size = size_of(artifact)
    if size < artifact.n_bytes:
        # Fewer bytes than were promised: saying so is better than half a file that looks whole.
        return inert(HttpResponse("Storage has lost bytes of this file.", status=410))
    wanted = read_range(_range_header(request, artifact), size)
    if wanted is None:
        refusal = HttpResponse(status=416)
        refusal["Content-Range"] = f"bytes */{size}"
        return inert(refusal)
    return _bytes(artifact, *wanted, size=size)


def _range_header(request: HttpRequest, artifact: Artifact) -> str:
    """The Range to honour: none when it was meant for an earlier file of this path."""
    only_if = request.headers.get("If-Range", "")
    return "" if only_if and only_if != etag_of(artifact) else request.headers.get("Range", "")


def etag_of(artifact: Artifact) -> str:
    """A strong tag of a whole file; "" for a log, which grows."""
    return f'"{artifact.digest}"' if artifact.digest else ""


def _bytes(artifact: Artifact, start: int, end: int, *, size: int) -> HttpResponseBase:
    is_part = (start, end) != (0, size)
    source = store().open(artifact.blob_key, start, end) if size else None
    answer = StreamingHttpResponse(Pieces(source), status=206 if is_part else 200)
    answer["Content-Length"] = str(end - start)
    if is_part:
        answer["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    answer["Accept-Ranges"] = "bytes"
    if tag := etag_of(artifact):
        answer["ETag"] = tag
    answer["Content-Disposition"] = disposition(artifact.path)
    return inert(answer)


def part(artifact: Artifact, start: int, end: int, *, name: str) -> HttpResponseBase:
    """The bytes `start`..`end` of the artifact as a download called `name`."""
    try:
        source = open_artifact(artifact, start, end)
    except BlobNotFound:
        return inert(HttpResponse("Storage has lost this file.", status=410))
    answer = StreamingHttpResponse(Pieces(source))
    answer["Content-Disposition"] = disposition(name)
    return inert(answer)


class Pieces:
    """The bytes of a stream piece by piece; closed with the answer, also when nobody read it."""

    def __init__(self, source: BinaryIO | None) -> None:
        self.source = source

    def __iter__(self) -> Iterator[bytes]:
        return read_pieces(self.source) if self.source else iter(())

    def close(self) -> None:
        if self.source:
            self.source.close()


def inert(answer: HttpResponseBase, *, kind: str = "application/octet-stream") -> HttpResponseBase:
    """Headers that keep a browser from running or guessing; the type is plain bytes by default."""
    answer["Content-Type"] = kind
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Content-Security-Policy"] = INERT_POLICY
    return answer


def read_range(header: str, size: int) -> tuple[int, int] | None:
    """(start, end) of a Range header, None when it lies past the end.

    The whole file for a header we cannot read or that asks for several ranges (RFC 9110, 14.2).
    """
    found = _RANGE.fullmatch(header.strip())
    if not found or found.group(0) == "bytes=-":
        return 0, size
    first, last = found.groups()
    if first and last and int(last) < int(first):
        return 0, size
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
    return (start, end) if start < end else None


def read_pieces(source: BinaryIO) -> Iterator[bytes]:
    with source:
        while piece := source.read(PIECE_BYTES):
            yield piece


def disposition(path: str, *, kind: str = "attachment") -> str:
    """The last part of a label as a file name: once in ASCII, once as it is (RFC 6266)."""
    name = safe_label(path).rsplit("/", 1)[-1]
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", name)[-100:].lstrip(".") or "file"
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def zip_answer(name: str, members: Iterable[ZipMember]) -> HttpResponseBase:
    """A ZIP archive made while it is sent."""
    answer = StreamingHttpResponse(zip_stream(members))
    answer["Content-Disposition"] = disposition(name)
    return inert(answer)


def members_of(artifacts: Iterable[Artifact]) -> Iterator[ZipMember]:
    """Archive members for artifacts, as many bytes as each has now."""
    for artifact in artifacts:
        n_bytes = size_of(artifact)
        # A log that never began has no bytes to open.
        read = partial(open_artifact, artifact) if n_bytes else BytesIO
        yield ZipMember(artifact.path, read, n_bytes)

"""Bytes as HTTP answers that no browser runs: attachments, ranges, zip archives."""

import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

from studio.artifacts.logs import size_of
from studio.artifacts.models import Artifact
from studio.artifacts.store import store
from studio.blobs import BlobNotFound, ZipMember, zip_stream

PIECE_BYTES = 256 * 1024
# Even opened directly, an uploaded page has no origin, no scripts and no plugins.
INERT_POLICY = "default-src 'none'; sandbox"


def attachment(request: HttpRequest, artifact: Artifact) -> HttpResponseBase:
    """The artifact as a download; one byte range is honoured (206), a bad one is 416."""
    try:
        return _bytes(request, artifact, size_of(artifact))
    except BlobNotFound:
        return HttpResponse("The bytes of this file are gone.", status=410)


def _bytes(request: HttpRequest, artifact: Artifact, size: int) -> HttpResponseBase:
    wanted = read_range(request.headers.get("Range", ""), size)
    if wanted is None:
        answer: HttpResponseBase = HttpResponse(status=416)
        answer["Content-Range"] = f"bytes */{size}"
        return answer
    start, end = wanted
    is_part = (start, end) != (0, size)
    source = store().open(artifact.blob_key, start, end) if size else None
    pieces = read_pieces(source) if source else iter(())
    answer = StreamingHttpResponse(pieces, status=206 if is_part else 200)
    answer["Content-Length"] = str(end - start)
    if is_part:
        answer["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    answer["Accept-Ranges"] = "bytes"
    answer["Content-Disposition"] = disposition(artifact.path.rsplit("/", 1)[-1])
    return inert(answer)


def inert(answer: HttpResponseBase) -> HttpResponseBase:
    """Headers that keep a browser from showing or guessing; the type is always plain bytes."""
    answer["Content-Type"] = "application/octet-stream"
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Content-Security-Policy"] = INERT_POLICY
    return answer


def read_range(header: str, size: int) -> tuple[int, int] | None:
    """(start, end) of a Range header, the whole file without a usable one, None: not satisfiable."""
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", header.strip())
    if not found or found.group(0) == "bytes=-":
        return 0, size
    first, last = found.groups()
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
    return (start, end) if start < end else None


def read_pieces(source: BinaryIO) -> Iterator[bytes]:
    with source:
        while piece := source.read(PIECE_BYTES):
            yield piece


def disposition(name: str) -> str:
    """Always an attachment; the plain name is ASCII, the real one is encoded (RFC 6266)."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", name)[-100:].lstrip(".") or "file"
    encoded = quote(name.encode("utf-8", "replace"), safe="")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded[:600]}"


def zip_answer(name: str, members: Iterable[ZipMember]) -> HttpResponseBase:
    """A ZIP archive made while it is sent."""
    answer = StreamingHttpResponse(zip_stream(members))
    answer["Content-Disposition"] = disposition(name)
    return inert(answer)


def members_of(artifacts: Iterable[Artifact]) -> Iterator[ZipMember]:
    """Archive members for artifacts, as many bytes as each has now."""
    for artifact in artifacts:
        key, n_bytes = artifact.blob_key, size_of(artifact)
        yield ZipMember(
            artifact.path, lambda key=key: store().open(key), n_bytes
        )

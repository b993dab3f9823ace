"""Raw request bodies, read in pieces: a file of any size passes without being held in memory."""

import contextlib
import io
from typing import Any

from django.http import HttpRequest, UnreadablePostError

from studio.artifacts.actions import TooLarge

PIECE_BYTES = 64 * 1024


class PieceTooLarge(TooLarge):
    """More bytes than one request may append."""

    most = "one request may append"
    advice = "Send it in several requests, each from where the one before ended."


class BadUpload(Exception):
    """A body that can't be read, or ended too soon; nothing was stored."""


class Upload(io.RawIOBase):
    """The body as a stream; a body that ends too soon is an error, never a shorter file."""

    def __init__(
        self,
        request: HttpRequest,
        *,
        name: str,
        limit_bytes: int,
        refusal: type[TooLarge] = TooLarge,
    ) -> None:
        """Raises `refusal` by the announced length, before the first byte is read."""
        self._source, self._expected = _source_of(request)
        self._n_read = 0
        if self._expected is not None and self._expected > limit_bytes:
            raise refusal(name, limit_bytes=limit_bytes)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        try:
            piece: bytes = self._source.read(size)
        except (UnreadablePostError, OSError) as error:
            raise self._cut() from error
        self._n_read += len(piece)
        if not piece and self._expected is not None and self._n_read < self._expected:
            raise self._cut()
        return piece

    def _cut(self) -> BadUpload:
        return BadUpload(
            f"The body ended after {self._n_read:,} of {self._expected or 0:,} bytes; nothing was "
            "stored. Send it again."
        )


def _source_of(request: HttpRequest) -> tuple[Any, int | None]:
    """What to read from, and how many bytes will come (None: until the end)."""
    if request.META.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked":
        # Django reads by Content-Length alone and would see an empty body.
        if not request.META.get("wsgi.input_terminated"):
            raise BadUpload("Send a Content-Length; this server does not take chunked bodies.")
        return request.META["wsgi.input"], None
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal():
        raise BadUpload("The header Content-Length is not a number.")
    return request, int(length[:18])


def read_piece(request: HttpRequest, *, name: str, limit_bytes: int) -> bytes:
    """All of a small body. Raises PieceTooLarge, BadUpload."""
    upload = Upload(request, name=name, limit_bytes=limit_bytes, refusal=PieceTooLarge)
    pieces, n_bytes = [], 0
    while piece := upload.read(PIECE_BYTES):
        n_bytes += len(piece)
        if n_bytes > limit_bytes:
            raise PieceTooLarge(name, limit_bytes=limit_bytes)
        pieces.append(piece)
    return b"".join(pieces)


def drain(request: HttpRequest, *, most_bytes: int) -> None:
    """Read what is left of a body that nobody wants, and drop it: the client, which reads no
    answer before it has sent all, then gets one, and may use the connection again."""
    # What can't be read can't be dropped either; the server then closes the connection.
    with contextlib.suppress(BadUpload, UnreadablePostError, OSError):
        source, _ = _source_of(request)
        while most_bytes > 0 and (piece := source.read(PIECE_BYTES)):
            most_bytes -= len(piece)

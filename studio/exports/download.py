"""An export as the answer to a request."""

import logging
import time
from collections.abc import Iterator

from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone

from studio.artifacts.serving import disposition, inert
from studio.exports.archive import Archive
from studio.exports.formats import Format
from studio.exports.table import Table

logger = logging.getLogger(__name__)


def download(request: HttpRequest, table: Table, kind: Format, *, name: str) -> HttpResponseBase:
    """The table as a file called like `runs-lab-2026-11-21.csv` (`name`: the part in front of the
    date), made while it is sent; to HEAD only its headers."""
    pieces = _told(kind.write(table), f"{name} {kind.name}", len(table))
    # Also to HEAD without a length: nobody knows it before the end.
    answer = StreamingHttpResponse(() if request.method == "HEAD" else pieces)
    answer["Content-Disposition"] = disposition(f"{name}-{timezone.now():%Y-%m-%d}.{kind.name}")
    return inert(answer, kind=kind.content_type)


def download_archive(request: HttpRequest, archive: Archive, *, name: str) -> HttpResponseBase:
    """The archive as a file called like `runs-lab-2026-11-21.zip`, made while it is sent."""
    pieces = _told(archive.stream(), f"{name} zip", len(archive.ids))
    answer = StreamingHttpResponse(() if request.method == "HEAD" else pieces)
    answer["Content-Disposition"] = disposition(f"{name}-{timezone.now():%Y-%m-%d}.zip")
    return inert(answer, kind="application/zip")


def _told(pieces: Iterator[bytes], what: str, n_rows: int) -> Iterator[bytes]:
    """The pieces. What breaks off is logged and breaks the connection: no end is ever sent that
    would make half a file look whole."""
    began = time.monotonic()
    try:
        yield from pieces
    except Exception:
        logger.exception("export broke off what=%s rows=%d", what, n_rows)
        raise
    logger.info("exported what=%s rows=%d s=%.1f", what, n_rows, time.monotonic() - began)

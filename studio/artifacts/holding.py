"""Keeping bytes while somebody copies them: nothing that a row named a moment ago is deleted.

A hold is a small entry in the store itself, so that every process on every machine sees it. What is
not deleted meanwhile is named by a Removal, or found by the sweep of bytes that no row names.
"""

import contextlib
import io
import logging
import secrets
import threading
from collections.abc import Iterator

from studio.artifacts.store import store
from studio.blobs import BlobError, BlobNotFound

logger = logging.getLogger(__name__)

FOLDER = "hold/"
RENEWED_EVERY_S = 60.0
# A hold that nobody renewed is of a process that died.
HOLDS_FOR_S = 900.0


def are_held() -> bool:
    """Whether no bytes may be deleted now. Ask after the rows that named them are gone for good."""
    for key in store().list(FOLDER):
        with contextlib.suppress(BlobNotFound):  # let go of just now
            if store().age_s(key) < HOLDS_FOR_S:
                return True
    return False


@contextlib.contextmanager
def held_bytes() -> Iterator[None]:
    """What any row names when this begins can be read until it ends."""
    key, over = f"{FOLDER}{secrets.token_hex(8)}", threading.Event()

    def hold() -> None:
        store().put(key, io.BytesIO(b"held\n"))

    def renew() -> None:
        while not over.wait(RENEWED_EVERY_S):
            try:
                hold()
            except BlobError as trouble:
                logger.warning("hold not renewed because=%s", trouble)

    hold()
    thread = threading.Thread(target=renew, name="hold", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        store().delete(key)

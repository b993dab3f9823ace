"""Many small files in one body: of each its SHA-256, its length and its bytes, one after another.

    <64 hexadecimal digits> <7 decimal digits>\\n<so many bytes>

Every head has the same length and there is nothing to escape, to nest or to skip: a reader that
counts is a whole reader.
"""

from __future__ import annotations

import hashlib
import re

# What one body may hold, heads included: the server has all of it in memory.
MAX_BUNDLE_BYTES = 4 * 1024 * 1024
# A bucket takes some 50 ms for each, and a client waits a minute for the answer.
MAX_BUNDLE_FILES = 200
HEAD_BYTES = 64 + 1 + 7 + 1
_HEAD = re.compile(rb"([0-9a-f]{64}) ([0-9]{7})\n")
SHAPE = "64 digits of its SHA-256 in lower case, a space, 7 digits of its length, a line feed"


class BadBundle(ValueError):
    """A body that is no bundle: `field` names the entry, such as "blobs[3]"."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field} {message}. Nothing was stored.")
        self.field = field


def entry(digest: str, data: bytes) -> bytes:
    """One file as it stands in a bundle, shorter than 10 MB."""
    return b"%s %07d\n%s" % (digest.encode(), len(data), data)


def read_bundle(body: bytes) -> dict[str, bytes]:
    """SHA-256 -> bytes of every file, checked. The same file twice is one. Raises BadBundle."""
    found: dict[str, bytes] = {}
    at = n_read = 0
    while at < len(body):
        field = f"blobs[{n_read}]"
        if n_read == MAX_BUNDLE_FILES:
            text = f"is one too many: a request carries at most {MAX_BUNDLE_FILES} files"
            raise BadBundle(field, text)
        digest, data = _entry_at(body, at, field)
        found[digest] = data
        at += HEAD_BYTES + len(data)
        n_read += 1
    if not found:
        raise BadBundle("blobs", f"are none: the body is empty. Each file is {SHAPE}, its bytes")
    return found


def _entry_at(body: bytes, at: int, field: str) -> tuple[str, bytes]:
    head = _HEAD.fullmatch(body[at : at + HEAD_BYTES])
    if head is None:
        raise BadBundle(field, f"does not begin, at byte {at:,}, as every file does: {SHAPE}")
    digest, n_bytes = head[1].decode(), int(head[2])
    data = body[at + HEAD_BYTES : at + HEAD_BYTES + n_bytes]
    if len(data) < n_bytes:
        raise BadBundle(field, f"ends after {len(data):,} of {n_bytes:,} bytes")
    actual = hashlib.sha256(data).hexdigest()
    if actual != digest:
        raise BadBundle(field, f"has SHA-256 {actual}, not the announced {digest}")
    return digest, data

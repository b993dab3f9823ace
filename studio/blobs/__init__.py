"""Bytes in a store (put, read ranges, append, list, delete) and ZIP streams of them. No models.

Standard library only; nothing here knows what the bytes mean.
"""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from studio.blobs.local import LocalStore
from studio.blobs.store import (
    Blob,
    BlobError,
    BlobNotFound,
    BlobTooLarge,
    DigestMismatch,
    InvalidKey,
    LogGap,
    StorageFull,
    Store,
    StoreAway,
    check_key,
    digest_key,
)
from studio.blobs.zipping import Names, ZipMember, safe_label, zip_stream

__all__ = [
    "Blob",
    "BlobError",
    "BlobNotFound",
    "BlobTooLarge",
    "DigestMismatch",
    "InvalidKey",
    "LocalStore",
    "LogGap",
    "StorageFull",
    "Store",
    "StoreAway",
    "Names",
    "ZipMember",
    "check_key",
    "digest_key",
    "open_store",
    "safe_label",
    "zip_stream",
]


def open_store(url: str) -> Store:
    """The store a setting names: `file:///absolute/folder`, or
    `s3://bucket/folder?endpoint=https://host:port&region=eu-west-1`, whose secrets come from the
    environment as every S3 client reads them. Raises ValueError for anything else."""
    parts = urlsplit(url)
    if parts.scheme == "s3":
        # Only who keeps bytes there loads its client.
        from studio.blobs.s3_address import open_s3

        return open_s3(parts)
    # Only the scheme is quoted in the message: such URLs can hold credentials.
    if parts.scheme != "file":
        raise ValueError(
            f"Storage of kind {parts.scheme!r} is not supported; use file:///folder or s3://bucket."
        )
    if parts.netloc not in ("", "localhost") or parts.query or parts.fragment:
        raise ValueError("A file store is written file:///folder: no host, no '?', no '#'.")
    return LocalStore(Path(unquote(parts.path)))

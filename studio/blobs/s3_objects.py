"""The objects of one bucket: the few calls of S3 that a store needs, its errors in our words."""

from __future__ import annotations

import base64
import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from studio.blobs.store import BlobNotFound, StorageFull, StoreAway

MISSING = {"404", "NoSuchKey", "NotFound", "NoSuchUpload"}
FULL = {"507", "XMinioStorageFull", "QuotaExceeded", "InsufficientCapacity"}
CHANGED = {"412", "PreconditionFailed", "409", "ConditionalRequestConflict"}
KEYS_PER_DELETE = 1_000


class Changed(StoreAway):
    """Somebody else wrote the object first."""


@dataclass(frozen=True, slots=True)
class Found:
    """One object of a listing; `changed_at`: seconds of Unix time."""

    key: str
    n_bytes: int
    changed_at: float
    etag: str


class Reading(Protocol):
    """Something of `n_bytes` bytes that is read from any place."""

    @property
    def key(self) -> str: ...

    @property
    def n_bytes(self) -> int: ...

    def stream(self, start: int, stop: int) -> BinaryIO:
        """Bytes from `start` on, at most up to `stop`; maybe fewer, then ask again."""


@contextlib.contextmanager
def named_errors(key: str, *, n_stored: int = 0) -> Iterator[None]:
    """Errors of the service in the words of a store: BlobNotFound, StorageFull, Changed, StoreAway.

    What the service says is not passed on: it may name the account.
    """
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = str(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))
        if code == "NoSuchBucket":
            raise StoreAway("The bucket of the storage does not exist.") from error
        if {code, status} & MISSING:
            raise BlobNotFound(key) from error
        if {code, status} & FULL:
            raise StorageFull(key, size_bytes=n_stored) from error
        if {code, status} & CHANGED:
            raise Changed(f"{key!r} was written by somebody else; read it again.") from error
        raise StoreAway(f"The storage refused {key!r} ({code or status}); try again.") from error
    except (BotoCoreError, OSError) as error:
        kind = type(error).__name__
        raise StoreAway(f"The storage does not answer ({kind}); try again.") from error


class Objects:
    """Objects below `prefix` in `bucket`. Errors: those of `named_errors`."""

    def __init__(self, client: Any, bucket: str, prefix: str) -> None:
        self.client, self.bucket, self.prefix = client, bucket, prefix

    def _named(self, key: str) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": self.prefix + key}

    def put(self, key: str, data: bytes, *, only_if: dict[str, str] | None = None) -> None:
        """Store the bytes; `only_if`: {"IfNoneMatch": "*"} or {"IfMatch": etag}. Raises Changed."""
        with named_errors(key):
            self.client.put_object(
                **self._named(key), Body=data, ChecksumSHA256=_checksum(data), **(only_if or {})
            )

    def get(self, key: str, *, etag: str = "") -> bytes:
        """All bytes; with `etag` of that version only. Raises BlobNotFound, Changed."""
        only = {"IfMatch": etag} if etag else {}
        with named_errors(key):
            data: bytes = self.client.get_object(**self._named(key), **only)["Body"].read()
            return data

    def stream(self, key: str, start: int, stop: int, *, etag: str = "") -> BinaryIO:
        """The bytes [start, stop), of the version `etag` only; its reader checks its length."""
        only = {"IfMatch": etag} if etag else {}
        found = self.client.get_object(
            **self._named(key), Range=f"bytes={start}-{stop - 1}", **only
        )
        body: BinaryIO = found["Body"]
        return body

    def reading(self, key: str) -> Reading | None:
        """The object as it is now; None where there is none."""
        head = self._head(key)
        if head is None:
            return None
        return _Whole(self, key, head["ContentLength"], head["ETag"])

    def size(self, key: str) -> int | None:
        head = self._head(key)
        return None if head is None else int(head["ContentLength"])

    def changed_at(self, key: str) -> float | None:
        head = self._head(key)
        return None if head is None else float(head["LastModified"].timestamp())

    def _head(self, key: str) -> dict[str, Any] | None:
        try:
            with named_errors(key):
                head: dict[str, Any] = self.client.head_object(**self._named(key))
                return head
        except BlobNotFound:
            return None

    def delete(self, keys: Sequence[str]) -> None:
        """Remove the objects; those that are gone already are no error."""
        for at in range(0, len(keys), KEYS_PER_DELETE):
            some = [{"Key": self.prefix + key} for key in keys[at : at + KEYS_PER_DELETE]]
            with named_errors(keys[at]):
                answer = self.client.delete_objects(
                    Bucket=self.bucket, Delete={"Objects": some, "Quiet": True}
                )
            if answer.get("Errors"):
                raise StoreAway(f"The storage did not delete {len(answer['Errors'])} objects.")

    def list(self, prefix: str, *, most: int | None = None) -> Iterator[Found]:
        """What begins with `prefix`, in the order of keys; `most` of them in one request."""
        asked: dict[str, Any] = {"Bucket": self.bucket, "Prefix": self.prefix + prefix}
        if most is not None:
            asked["MaxKeys"] = most
        while True:
            with named_errors(prefix):
                answer = self.client.list_objects_v2(**asked)
            for one in answer.get("Contents", ()):
                yield Found(
                    one["Key"].removeprefix(self.prefix),
                    one["Size"],
                    one["LastModified"].timestamp(),
                    one["ETag"],
                )
            if most is not None or not answer.get("IsTruncated"):
                return
            asked["ContinuationToken"] = answer["NextContinuationToken"]

    def begin_upload(self, key: str) -> Upload:
        with named_errors(key):
            made = self.client.create_multipart_upload(
                **self._named(key), ChecksumAlgorithm="SHA256"
            )
        return Upload(self, key, made["UploadId"])

    def abort_uploads(self, *, before: float) -> int:
        """Give up uploads begun before that moment (Unix time); how many."""
        n = 0
        with named_errors(self.prefix):
            pages = self.client.get_paginator("list_multipart_uploads")
            for page in pages.paginate(Bucket=self.bucket, Prefix=self.prefix):
                for one in page.get("Uploads", ()):
                    if one["Initiated"].timestamp() < before:
                        self.client.abort_multipart_upload(
                            Bucket=self.bucket, Key=one["Key"], UploadId=one["UploadId"]
                        )
                        n += 1
        return n


class Upload:
    """One object that is sent in parts; nothing is visible before `complete`."""

    def __init__(self, objects: Objects, key: str, upload_id: str) -> None:
        self.objects, self.key = objects, key
        self._where = {**objects._named(key), "UploadId": upload_id}
        self._parts: list[dict[str, Any]] = []

    def add(self, part: bytes) -> None:
        """The next part: at least 5 MB, except for the last one."""
        number, known = len(self._parts) + 1, _checksum(part)
        with named_errors(self.key):
            answer = self.objects.client.upload_part(
                **self._where, PartNumber=number, Body=part, ChecksumSHA256=known
            )
        self._parts.append({"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": known})

    def complete(self) -> None:
        with named_errors(self.key):
            self.objects.client.complete_multipart_upload(
                **self._where, MultipartUpload={"Parts": self._parts}
            )

    def abort(self) -> None:
        """Free what was sent. A service that does not answer keeps it until the next sweep."""
        with contextlib.suppress(ClientError, BotoCoreError, OSError):
            self.objects.client.abort_multipart_upload(**self._where)


@dataclass(frozen=True, slots=True)
class _Whole:
    objects: Objects
    key: str
    n_bytes: int
    etag: str

    def stream(self, start: int, stop: int) -> BinaryIO:
        with named_errors(self.key):
            return self.objects.stream(self.key, start, stop, etag=self.etag)


def _checksum(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()

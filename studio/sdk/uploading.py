"""Sending files by content: small ones together, large ones alone."""

from __future__ import annotations

from pathlib import Path

from studio.sdk.client import Client
from studio.sdk.errors import ServiceException
from studio.wire.bundles import HEAD_BYTES, MAX_BUNDLE_BYTES, MAX_BUNDLE_FILES, entry

# A larger one gains nothing: its bytes take longer than its request.
SMALL_BYTES = 256 * 1024
# A studio from before bundles knows no such address, and a proxy may take less than we send.
NOT_TAKEN = frozenset({404, 405, 413})


class BlobSender:
    """Uploads files under their SHA-256. `flush` sends what waits for company.

    Both raise what `Client.request` does. An older studio is sent one file at a time.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._waiting: dict[str, tuple[Path, bytes]] = {}
        self._n_bytes = 0
        self._takes_bundles = True

    def add(self, digest: str, file: Path) -> None:
        """Send the file, now or with others. Its bytes are taken now."""
        data = _small(file) if self._takes_bundles else None
        if data is None:
            return self._send_alone(digest, file)
        n_bytes = HEAD_BYTES + len(data)
        if len(self._waiting) == MAX_BUNDLE_FILES or self._n_bytes + n_bytes > MAX_BUNDLE_BYTES:
            self.flush()
        self._waiting[digest] = (file, data)
        self._n_bytes += n_bytes

    def flush(self) -> None:
        waiting, self._waiting, self._n_bytes = self._waiting, {}, 0
        if self._takes_bundles and len(waiting) > 1:
            body = b"".join(entry(digest, data) for digest, (_, data) in waiting.items())
            try:
                self._client.request("POST", "/blobs", body=body)
                return
            except ServiceException as error:
                if error.status_code not in NOT_TAKEN:
                    raise
                self._takes_bundles = False
        for digest, (file, _) in waiting.items():
            self._send_alone(digest, file)

    def _send_alone(self, digest: str, file: Path) -> None:
        self._client.request("PUT", f"/blobs/{digest}", body=file)


def _small(file: Path) -> bytes | None:
    """The file's bytes; None for one that goes alone, or whose fault shows when it does."""
    try:
        with file.open("rb") as stream:
            data = stream.read(SMALL_BYTES + 1)
    except OSError:
        return None
    return data if len(data) <= SMALL_BYTES else None

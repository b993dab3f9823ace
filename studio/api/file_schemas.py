"""The shapes of answers about files."""

from typing import Any

from studio.api.schemas import Closed


class ArtifactItem(Closed):
    path: str
    size: int
    digest: str | None
    content_type: str
    kind: str
    complete: bool
    damage: str
    updated_at: str


class ArtifactPage(Closed):
    items: list[ArtifactItem]
    next: str | None


class LogSize(Closed):
    size: int


class LogLine(Closed):
    line: int
    text: str
    hidden_bytes: int
    earlier_states: bool
    open: bool
    mark: str | None
    at_ms: int | None


class LogLines(Closed):
    path: str
    items: list[LogLine]
    last: int
    total: int
    size: int
    counted: int
    complete: bool
    errors: int
    warnings: int
    damage: str


class MissingList(Closed):
    missing: list[str]


class BlobItem(Closed):
    digest: str
    size: int


class BlobList(Closed):
    blobs: list[BlobItem]


class SnapshotItem(Closed):
    id: str
    n_files: int
    n_bytes: int


class SnapshotFiles(Closed):
    id: str
    files: list[dict[str, Any]]

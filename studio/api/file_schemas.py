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


class MissingList(Closed):
    missing: list[str]


class BlobItem(Closed):
    digest: str
    size: int


class SnapshotItem(Closed):
    id: str
    n_files: int
    n_bytes: int


class SnapshotFiles(Closed):
    id: str
    files: list[dict[str, Any]]

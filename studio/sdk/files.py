"""Files of a run: artifacts up and down, snapshots."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from studio.sdk import snapshots
from studio.sdk.errors import NotFoundException, SnapshotException, UserErrorException
from studio.sdk.state import RunState

SNAPSHOT_PROPERTY = "ContentSnapshotId"
MOST_KEPT_BYTES = 64 << 20  # of a file, on disk, while the studio is away


class Files(RunState):
    """The file half of a run."""

    def upload_file(
        self, name: str, path_or_stream: Any, datastore_name: str | None = None
    ) -> dict[str, Any]:
        """Store one file (a path or a stream) as the artifact `name`; {path, size} as stored.

        With the studio away a file of up to 64 MB is kept on disk and sent later; a larger one
        raises ConnectionFailedException after 90 s.
        """
        label = _label(name)
        if hasattr(path_or_stream, "read"):
            content = path_or_stream.read()
            data = content.encode() if isinstance(content, str) else bytes(content)
        else:
            file = Path(path_or_stream)
            if not file.is_file():
                raise UserErrorException(f"upload_file: there is no file {str(file)!r}")
            if file.stat().st_size > MOST_KEPT_BYTES:
                return self._put_file(label, file)
            data = file.read_bytes()
        if len(data) > MOST_KEPT_BYTES:
            return self._put_file(label, data)
        path = self._channel.path("artifacts", label)
        answer = self._sent_or_kept("PUT", path, data, f"the file {label}")
        return answer or {"path": label, "size": len(data)}

    def upload_files(
        self,
        names: Iterable[str],
        paths: Iterable[Any],
        return_artifacts: bool = False,
        timeout_seconds: float | None = None,
        datastore_name: str | None = None,
    ) -> dict[str, dict[str, Any]] | None:
        """Store files under names, pairwise; TypeError when the lists differ in length. With
        `return_artifacts` {name: {path, size}}."""
        names, paths = list(names), list(paths)
        if len(names) != len(paths):
            raise TypeError(f"upload_files got {len(names)} names and {len(paths)} paths")
        pairs = zip(names, paths, strict=True)
        stored = {name: self.upload_file(name, path) for name, path in pairs}
        return stored if return_artifacts else None

    def upload_folder(
        self, name: str, path: str | os.PathLike[str], datastore_name: str | None = None
    ) -> None:
        """Store every file below a folder as `name/<relative path>`."""
        root = Path(path)
        if not root.is_dir():
            raise UserErrorException(f"upload_folder: {str(root)!r} is not a folder")
        for file in sorted(entry for entry in root.rglob("*") if entry.is_file()):
            self.upload_file(f"{name.rstrip('/')}/{file.relative_to(root).as_posix()}", file)

    def _put_file(self, label: str, data: bytes | Path) -> dict[str, Any]:
        path = self._channel.path("artifacts", label)
        stored: dict[str, Any] = self._client.request("PUT", path, body=data).json()
        return stored

    def get_file_names(self) -> list[str]:
        """The paths of all artifacts, logs included."""
        return [item["path"] for item in self._artifacts(None)]

    def download_file(
        self, name: str, output_file_path: Any = None, _validate_checksum: bool = False
    ) -> None:
        """Write an artifact to a file (default: its base name here); a folder keeps that name."""
        target = Path(output_file_path or os.path.basename(name))
        if target.is_dir() or str(output_file_path or "").endswith("/"):
            target = target / os.path.basename(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._client.download(self._channel.path("artifacts", _label(name)), target)
        except NotFoundException:
            raise UserErrorException(f"run {self._uid} has no file {name!r}") from None

    def download_files(
        self,
        prefix: str | None = None,
        output_directory: Any = None,
        output_paths: list[str] | None = None,
        batch_size: int = 100,
        append_prefix: bool = True,
        timeout_seconds: float | None = None,
    ) -> None:
        """Write all artifacts below a prefix into a folder, or to `output_paths` one by one.

        `append_prefix=False` leaves the prefix out of the written paths. Nothing found is an
        error; a stored name cannot lead outside the folder.
        """
        names = [item["path"] for item in self._artifacts(prefix)]
        if not names:
            raise UserErrorException(f"run {self._uid} has no files below {prefix!r}")
        if output_paths is not None and len(output_paths) != len(names):
            raise UserErrorException(f"{len(names)} files need as many output_paths")
        cut = len((prefix or "").rstrip("/")) + 1 if prefix and not append_prefix else 0
        for i, name in enumerate(names):
            relative = name[cut:] if len(name) > cut else os.path.basename(name)
            local = output_paths[i] if output_paths else _inside(output_directory or ".", relative)
            self.download_file(name, local)

    def take_snapshot(self, path: str | os.PathLike[str]) -> str:
        """Store a folder as the run's snapshot; returns its id. A run has at most one."""
        if (existing := self._snapshot_id()) is not None:
            raise SnapshotException(f"run {self._uid} already has the snapshot {existing}")
        snapshot = snapshots.upload(self._client, path)
        self._change("properties", {"set": {SNAPSHOT_PROPERTY: snapshot}})
        return snapshot

    def restore_snapshot(self, snapshot_id: str | None = None, path: Any = None) -> str:
        """Download the snapshot as `<id>.zip` into a folder (default: a new temporary one);
        returns the absolute path of the zip."""
        snapshot = snapshot_id or self.get_snapshot_id()
        folder = Path(path) if path is not None else Path(tempfile.mkdtemp(prefix="snapshot-"))
        try:
            return str(snapshots.download(self._client, snapshot, folder))
        except NotFoundException as error:
            raise SnapshotException(f"there is no snapshot {snapshot}: {error}") from None

    def get_snapshot_id(self) -> str:
        """The id of the run's snapshot; SnapshotException when it has none."""
        if (snapshot := self._snapshot_id()) is None:
            raise SnapshotException(f"run {self._uid} has no snapshot")
        return snapshot

    def _snapshot_id(self) -> str | None:
        record = self._fetch()
        found = record.get("snapshot") or (record.get("properties") or {}).get(SNAPSHOT_PROPERTY)
        return str(found) if found else None

    def _artifacts(self, prefix: str | None) -> list[dict[str, Any]]:
        below = prefix.rstrip("/") + "/" if prefix else None
        items = self._client.items(self._channel.path("artifacts"), prefix=below, limit=500)
        return [item for item in items if below is None or item["path"].startswith(below)]


def _label(name: str) -> str:
    """A name as the studio takes it: relative, '/'-separated."""
    label = os.path.normpath(str(name).replace("\\", "/")).lstrip("/")
    if label in ("", ".") or label.startswith(".."):
        raise UserErrorException(f"{name!r} is not a file name below the run")
    return label


def _inside(folder: Any, name: str) -> Path:
    """The path of a stored name below a folder; names are labels of others, never trusted."""
    root = Path(folder).resolve()
    target = (root / _label(name)).resolve()
    if not target.is_relative_to(root):
        raise UserErrorException(f"the stored name {name!r} leads outside {root}")
    return target

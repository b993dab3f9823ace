"""Snapshots of many small files: how they travel, and what happens on the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.sdk import SnapshotException, Workspace, snapshots
from studio.sdk.uploading import SMALL_BYTES
from studio.wire.bundles import MAX_BUNDLE_BYTES, MAX_BUNDLE_FILES
from tests.sdk.fake_server import FakeStudio
from tests.sdk.fake_store import Fault


def folder_of(root: Path, *contents: bytes) -> Path:
    root.mkdir()
    for i, data in enumerate(contents):
        (root / f"{i:04}.py").write_bytes(data)
    return root


def sent(studio: FakeStudio) -> list[str]:
    """POST for a bundle, PUT for a file alone, in their order."""
    return [method for method, path in studio.store.requests if "/blobs" in path]


def stored(studio: FakeStudio, snapshot: str) -> list[bytes]:
    return [studio.store.blobs[file["digest"]] for file in studio.store.snapshots[snapshot]]


def test_small_files_travel_together_and_large_ones_alone(
    workspace: Workspace, studio: FakeStudio, tmp_path: Path
) -> None:
    small = [b"%d" % i for i in range(2 * MAX_BUNDLE_FILES)] + [b"", b"x" * SMALL_BYTES]
    files = [*small, b"x" * (SMALL_BYTES + 1)]
    snapshot = snapshots.upload(workspace._client, folder_of(tmp_path / "p", *files))
    assert stored(studio, snapshot) == files
    assert sorted(sent(studio)) == ["POST"] * 3 + ["PUT"]
    again = snapshots.upload(workspace._client, tmp_path / "p")
    assert (again, len(sent(studio))) == (snapshot, 4)


def test_no_request_is_larger_than_the_studio_takes(
    workspace: Workspace, studio: FakeStudio, tmp_path: Path
) -> None:
    n = MAX_BUNDLE_BYTES // SMALL_BYTES + 1
    files = [bytes([i]) * SMALL_BYTES for i in range(n)]
    snapshot = snapshots.upload(workspace._client, folder_of(tmp_path / "p", *files))
    assert stored(studio, snapshot) == files
    # 15 with their heads, and 2.
    assert sent(studio) == ["POST", "POST"]


@pytest.mark.parametrize("refusal", ["404", "405", "413"])
def test_where_files_may_not_travel_together_each_goes_alone(
    workspace: Workspace, studio: FakeStudio, tmp_path: Path, refusal: str
) -> None:
    """An older studio, and a proxy that takes only small bodies."""
    files = [b"%d" % i for i in range(MAX_BUNDLE_FILES + 10)]
    studio.faults = [Fault(refusal, "/blobs")]
    snapshot = snapshots.upload(workspace._client, folder_of(tmp_path / "p", *files))
    assert stored(studio, snapshot) == files
    assert sent(studio) == ["PUT"] * len(files)


@pytest.mark.parametrize("kind", ["503", "reset", "drop"])
def test_after_a_fault_the_same_is_sent_again(
    workspace: Workspace, studio: FakeStudio, tmp_path: Path, kind: str
) -> None:
    files = [b"a", b"b", b"c"]
    studio.faults = [Fault(kind, "/blobs")]
    snapshot = snapshots.upload(workspace._client, folder_of(tmp_path / "p", *files))
    assert stored(studio, snapshot) == files
    assert set(sent(studio)) == {"POST"}


@pytest.mark.parametrize("kind", ["422", "507"])
def test_a_refusal_is_told_and_a_repeat_sends_what_is_missing(
    workspace: Workspace, studio: FakeStudio, tmp_path: Path, kind: str
) -> None:
    project = folder_of(tmp_path / "p", b"a", b"b", b"c")
    client = workspace._client
    client.retry_total_s = 0.0
    studio.faults = [Fault(kind, "/blobs")]
    with pytest.raises(SnapshotException, match=f"could not be stored: fault {kind}"):
        snapshots.upload(client, project)
    # As if the first had come through.
    client.request("PUT", f"/blobs/{snapshots.digest_of(project / '0000.py')}", body=b"a")
    snapshots.upload(client, project)
    assert len(studio.store.puts) == 3


def test_a_file_that_changes_or_goes_while_it_is_sent_is_told(
    workspace: Workspace, studio: FakeStudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = folder_of(tmp_path / "p", b"a", b"b", b"c")
    digest_of = snapshots.digest_of

    def while_it_is_read(file: Path) -> str:
        digest = digest_of(file)
        if file.name == "0001.py":
            change(file)
        return digest

    monkeypatch.setattr(snapshots, "digest_of", while_it_is_read)
    change = lambda file: file.write_bytes(b"other")  # noqa: E731
    with pytest.raises(SnapshotException, match="was a file changed while it was read"):
        snapshots.upload(workspace._client, project)
    change = Path.unlink
    with pytest.raises(SnapshotException, match="a file went while it was read"):
        snapshots.upload(workspace._client, project)
    assert not studio.store.snapshots

"""Sources of submissions."""

import hashlib
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from studio.accounts.permissions import NotAllowed
from studio.artifacts import snapshots
from studio.artifacts.actions import TooLarge
from studio.artifacts.models import SourceBlob
from studio.artifacts.store import store
from studio.blobs import DigestMismatch, StorageFull
from studio.runs.limits import Invalid
from studio.wire import FileEntry
from tests import make

pytestmark = pytest.mark.data


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def bob(people: Any) -> Any:
    return make.actor(people.bob)


@pytest.fixture
def store_all(workspace: Any, bob: Any) -> Any:
    def do(*contents: bytes) -> None:
        for data in contents:
            snapshots.store_blob(workspace, sha(data), io.BytesIO(data), by=bob)

    return do


def entry(path: str, data: bytes, *, executable: bool = False) -> FileEntry:
    return FileEntry(path=path, digest=sha(data), size=len(data), executable=executable)


def test_a_tree_is_named_by_its_content(workspace: Any, bob: Any, store_all: Any) -> None:
    store_all(b"print(1)", b"")
    files = [entry("train.py", b"print(1)", executable=True), entry("lib/__init__.py", b"")]
    one = snapshots.make_snapshot(workspace, files, by=bob)
    two = snapshots.make_snapshot(workspace, files[::-1], by=bob)
    assert one.pk == two.pk
    assert one.n_bytes == 8
    assert snapshots.files_of(workspace, one.digest) == [
        ("lib/__init__.py", sha(b""), False),
        ("train.py", sha(b"print(1)"), True),
    ]
    with snapshots.open_file(one, "train.py") as stream:
        assert stream.read() == b"print(1)"


def test_only_what_is_missing_must_be_sent(workspace: Any, bob: Any, store_all: Any) -> None:
    store_all(b"a", b"b")
    asked = [sha(b"c"), sha(b"a"), sha(b"d"), sha(b"c")]
    assert snapshots.missing(workspace, asked, by=bob) == [sha(b"c"), sha(b"d")]
    many = [sha(str(i).encode()) for i in range(20_000)]
    assert snapshots.missing(workspace, [*many, sha(b"a")], by=bob) == many


def test_the_same_file_twice_is_stored_once(workspace: Any, store_all: Any) -> None:
    store_all(b"a", b"a")
    assert SourceBlob.objects.count() == 1
    assert len(list(store().list())) == 1


def test_bytes_of_another_workspace_are_missing_here(
    workspace: Any, bob: Any, store_all: Any, people: Any
) -> None:
    other = make.workspace("other", owner=people.dave)
    store_all(b"secret")
    dave = make.actor(people.dave)
    assert snapshots.missing(other, [sha(b"secret")], by=dave) == [sha(b"secret")]
    with pytest.raises(snapshots.MissingBlobs) as absent:
        snapshots.make_snapshot(other, [entry("a", b"secret")], by=dave)
    assert absent.value.missing == [sha(b"secret")]
    mine = snapshots.make_snapshot(workspace, [entry("a", b"secret")], by=bob)
    with pytest.raises(snapshots.SnapshotNotFound):
        snapshots.find(other, mine.digest)
    with pytest.raises(snapshots.SnapshotError):
        snapshots.opener(other)(sha(b"secret"))


def test_bytes_with_another_digest_are_refused(workspace: Any, bob: Any) -> None:
    with pytest.raises(DigestMismatch):
        snapshots.store_blob(workspace, sha(b"a"), io.BytesIO(b"b"), by=bob)
    for wrong in ("", "../../etc/passwd", "a" * 63, sha(b"a").upper(), sha(b"a") + "\n"):
        with pytest.raises(Invalid):
            snapshots.store_blob(workspace, wrong, io.BytesIO(b"a"), by=bob)
    assert not list(store().list())
    assert not SourceBlob.objects.exists()


@pytest.mark.any_database
@pytest.mark.parametrize(
    "paths",
    [
        ["../a"],
        ["/a"],
        ["a/../../b"],
        ["a\\b"],
        ["a", "a"],
        ["a", "a/b"],
        ["a/b/c", "a/b"],
        ["cafe\u0301", "caf\u00e9"],
        ["x" * 256],
        ["a\0"],
        [""],
        ["a//b"],
        ["."],
    ],
    ids=repr,
)
def test_paths_no_worker_could_make_are_refused(
    workspace: Any, bob: Any, store_all: Any, paths: list[str]
) -> None:
    store_all(b"x")
    with pytest.raises(Invalid):
        snapshots.make_snapshot(workspace, [entry(path, b"x") for path in paths], by=bob)


def test_too_many_or_too_large_files_are_refused(
    workspace: Any, bob: Any, store_all: Any, settings: Any
) -> None:
    store_all(b"x")
    settings.SNAPSHOT_MAX_FILES = 2
    with pytest.raises(Invalid, match="at most 2 files"):
        snapshots.make_snapshot(workspace, [entry(str(i), b"x") for i in range(3)], by=bob)
    settings.SNAPSHOT_MAX_BYTES = 1
    with pytest.raises(Invalid):
        snapshots.make_snapshot(workspace, [entry("a", b"x"), entry("b", b"x")], by=bob)
    with pytest.raises(TooLarge, match="STUDIO_SNAPSHOT_MAX_BYTES"):
        snapshots.store_blob(workspace, sha(b"xy"), io.BytesIO(b"xy"), by=bob)


def test_a_lie_about_the_size_is_refused(workspace: Any, bob: Any, store_all: Any) -> None:
    store_all(b"x" * 100)
    lie = FileEntry(path="a", digest=sha(b"x" * 100), size=1, executable=False)
    with pytest.raises(Invalid):
        snapshots.make_snapshot(workspace, [lie], by=bob)


def test_a_full_disk_stores_no_part_of_a_file(full_disk: Path, workspace: Any, bob: Any) -> None:
    data = b"x" * 1_000_000
    with pytest.raises(StorageFull):
        snapshots.store_blob(workspace, sha(data), io.BytesIO(data), by=bob)
    assert snapshots.missing(workspace, [sha(data)], by=bob) == [sha(data)]


def test_a_reader_and_an_outsider_may_not_store(workspace: Any, people: Any) -> None:
    def attempts(by: Any) -> Iterable[Any]:
        yield lambda: snapshots.store_blob(workspace, sha(b"a"), io.BytesIO(b"a"), by=by)
        yield lambda: snapshots.make_snapshot(workspace, [], by=by)
        yield lambda: snapshots.missing(workspace, [sha(b"a")], by=by)

    for who in (people.carol, people.dave):
        for attempt in attempts(make.actor(who)):
            with pytest.raises(NotAllowed):
                attempt()

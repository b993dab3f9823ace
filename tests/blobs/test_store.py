"""What every store promises, tried on a folder and on a bucket of a real server."""

import hashlib
import io
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.blobs import (
    BlobNotFound,
    DigestMismatch,
    InvalidKey,
    LocalStore,
    LogGap,
    Store,
    digest_key,
    open_store,
)
from tests.blobs.bucket import Bucket, serving


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    with serving() as found:
        yield found


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return LocalStore(tmp_path / "store")
    bucket: Bucket = request.getfixturevalue("bucket")
    found = open_store(bucket.url)
    for key in list(found.list()):
        found.delete(key)
    return found


def bytes_of(store: Store, key: str, start: int = 0, end: int | None = None) -> bytes:
    with store.open(key, start, end) as stream:
        return stream.read()


def test_what_is_put_comes_back_with_its_digest_and_size(store: Store) -> None:
    data = os.urandom(3_000_000)
    blob = store.put("runs/1/model.bin", io.BytesIO(data))
    assert (blob.sha256, blob.n_bytes) == (hashlib.sha256(data).hexdigest(), len(data))
    assert bytes_of(store, "runs/1/model.bin") == data
    assert store.size("runs/1/model.bin") == len(data)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(0, None, b"0123456789"), (3, 6, b"345"), (9, 99, b"9"), (10, None, b""), (50, 60, b"")],
)
def test_a_range_is_cut_at_the_end(
    store: Store, start: int, end: int | None, expected: bytes
) -> None:
    store.put("a", io.BytesIO(b"0123456789"))
    assert bytes_of(store, "a", start, end) == expected


def test_a_range_can_be_sought_within(store: Store) -> None:
    store.put("a", io.BytesIO(b"0123456789"))
    with store.open("a", 2, 8) as stream:
        assert stream.seek(-2, os.SEEK_END) == 4
        assert stream.read() == b"67"
        stream.seek(1)
        assert stream.read(2) == b"34"


def test_a_range_opened_before_an_append_keeps_its_end(store: Store) -> None:
    store.append("log", 0, b"old")
    with store.open("log") as stream:
        store.append("log", 3, b"new")
        assert stream.read() == b"old"


@pytest.mark.parametrize(
    "key",
    [
        "",
        ".",
        "..",
        "a/../b",
        "../a",
        "/a",
        "a/",
        "a//b",
        "A",
        "a b",
        "a\0b",
        "a\n",
        "é",
        ".tmp/x",
        "a/.hidden",
        "a\\b",
        "c:/x",
        "%2e%2e/a",
        "a" * 201,
        "/".join(["a"] * 600),
    ],
)
def test_a_key_of_another_shape_is_refused_by_every_method(store: Store, key: str) -> None:
    for call in (store.size, store.exists, store.open, store.delete):
        with pytest.raises(InvalidKey):
            call(key)
    with pytest.raises(InvalidKey):
        store.put(key, io.BytesIO(b"x"))
    with pytest.raises(InvalidKey):
        store.append(key, 0, b"x")


def test_a_missing_key_is_named(store: Store) -> None:
    assert not store.exists("a/b")
    assert store.delete("a/b") is False
    with pytest.raises(BlobNotFound, match="a/b"):
        store.open("a/b")
    with pytest.raises(BlobNotFound):
        store.size("a/b")


@pytest.mark.parametrize("known", [False, True])
def test_content_that_lies_about_its_digest_is_refused(store: Store, known: bool) -> None:
    digest = hashlib.sha256(b"x").hexdigest()
    if known:
        store.put_if_absent(digest, io.BytesIO(b"x"), under="files")
    with pytest.raises(DigestMismatch):
        store.put_if_absent(digest, io.BytesIO(b"y"), under="files")
    assert store.exists(digest_key(digest, under="files")) == known


def test_appends_continue_repeat_and_overlap_without_doubling(store: Store) -> None:
    assert store.append("log", 0, b"hello ") == 6
    assert store.append("log", 6, b"world") == 11
    assert store.append("log", 6, b"world") == 11
    assert store.append("log", 8, b"rld, again") == 18
    assert bytes_of(store, "log") == b"hello world, again"


@pytest.mark.parametrize("n_before", [0, 3])
def test_a_gap_is_refused_and_tells_where_to_go_on(store: Store, n_before: int) -> None:
    if n_before:
        store.append("log", 0, b"x" * n_before)
    with pytest.raises(LogGap) as caught:
        store.append("log", 5, b"y")
    assert caught.value.size_bytes == n_before
    assert store.exists("log") == bool(n_before)


def test_appenders_racing_with_the_same_bytes_leave_one_copy(store: Store) -> None:
    data = os.urandom(40_000)

    def ship() -> None:
        size = 0
        while size < len(data):
            size = store.append("log", size, data[size : size + 701])

    threads = [threading.Thread(target=ship) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bytes_of(store, "log") == data


def test_a_list_finds_keys_by_any_prefix(store: Store) -> None:
    for key in ("a/b", "a/bc/d", "ab", "b"):
        store.put(key, io.BytesIO(b""))
    assert set(store.list()) == {"a/b", "a/bc/d", "ab", "b"}
    assert set(store.list("a/b")) == {"a/b", "a/bc/d"}
    assert set(store.list("a")) == {"a/b", "a/bc/d", "ab"}
    assert list(store.list("nothing/")) == []
    with pytest.raises(InvalidKey):
        list(store.list("../"))

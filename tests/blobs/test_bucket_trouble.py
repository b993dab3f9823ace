"""A service that fails, lies, is slow or says no (P28): nothing wrong is ever readable."""

import base64
import hashlib
import io
import os
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest

from studio.blobs import (
    BlobNotFound,
    BlobTooLarge,
    DigestMismatch,
    StorageFull,
    StoreAway,
    open_store,
    s3,
)
from studio.blobs.pieces import JOIN_AT, LEAST_BLOCK, Piece, piece_key, to_join
from studio.blobs.s3_objects import Found
from tests.blobs.bucket import App, Bucket, serving

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def served() -> Iterator[Bucket]:
    with serving() as found:
        yield found


@pytest.fixture
def bucket(served: Bucket) -> Iterator[Bucket]:
    store = open_store(served.url)
    for key in list(store.list()):
        store.delete(key)
    served.asked.clear()
    yield served
    served.fault = None


def refusing(status: str, code: str, *, method: str, times: int = 1_000) -> Any:
    """A fault: the first `times` requests of the method are answered with an error of S3."""
    left = [times]

    def fault(environ: dict[str, Any], start: Callable[..., Any], server: App) -> Any:
        if environ["REQUEST_METHOD"] != method or left[0] <= 0:
            return None
        left[0] -= 1
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>x</Message></Error>"
        start(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
        return [body.encode()]

    return fault


def content(store: Any, key: str) -> bytes:
    with store.open(key) as stream:
        data: bytes = stream.read()
        return data


def test_a_large_file_goes_up_in_parts_and_comes_back_the_same(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "PART_BYTES", 5 * 1024 * 1024)
    store, data = open_store(bucket.url), os.urandom(12_000_000)

    blob = store.put("runs/1/model", io.BytesIO(data))

    assert (blob.sha256, blob.n_bytes) == (hashlib.sha256(data).hexdigest(), len(data))
    assert bucket.n("PUT") == 3
    assert content(store, "runs/1/model") == data
    with store.open("runs/1/model", 5_000_000, 11_000_000) as stream:
        stream.seek(100_000)
        assert stream.read(9) == data[5_100_000:5_100_009]


@pytest.mark.parametrize("how", ["the stream breaks", "too large", "another digest", "no part 2"])
def test_half_an_upload_is_never_seen_and_is_given_up(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(s3, "PART_BYTES", 5 * 1024 * 1024)
    store, data = open_store(bucket.url), os.urandom(11_000_000)
    digest = hashlib.sha256(b"something else").hexdigest()

    class Breaks(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > 6_000_000:
                raise ConnectionResetError
            return super().read(size)

    if how == "no part 2":

        def fault(environ: dict[str, Any], start: Callable[..., Any], server: App) -> Any:
            if "partNumber=2" not in environ["QUERY_STRING"]:
                return None
            return refusing("500 Internal Server Error", "InternalError", method="PUT")(
                environ, start, server
            )

        bucket.fault = fault
    trouble = {
        "the stream breaks": (ConnectionResetError, lambda: store.put("x", Breaks(data))),
        "too large": (
            BlobTooLarge,
            lambda: store.put("x", io.BytesIO(data), limit_bytes=10_000_000),
        ),
        "another digest": (
            DigestMismatch,
            lambda: store.put_if_absent(digest, io.BytesIO(data), under="x"),
        ),
        "no part 2": (StoreAway, lambda: store.put("x", io.BytesIO(data))),
    }
    error, call = trouble[how]
    with pytest.raises(error):
        call()

    bucket.fault = None
    assert list(store.list()) == []
    assert open_store(bucket.url).sweep(older_than_s=-60) == 0, "the parts were given up"  # type: ignore[attr-defined]


def test_a_service_that_fails_now_and_then_is_asked_again(bucket: Bucket) -> None:
    store = open_store(bucket.url)
    bucket.fault = refusing("503 Slow Down", "SlowDown", method="PUT", times=2)

    store.put("a", io.BytesIO(b"data"))

    assert content(store, "a") == b"data"


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        ("500 Internal Server Error", "InternalError", StoreAway),
        ("403 Forbidden", "InvalidAccessKeyId", StoreAway),
        ("403 Forbidden", "AccessDenied", StoreAway),
        ("400 Bad Request", "BadDigest", StoreAway),
        ("507 Insufficient Storage", "XMinioStorageFull", StorageFull),
    ],
)
def test_what_the_service_refuses_is_said_and_changes_nothing(
    bucket: Bucket, status: str, code: str, error: type[Exception]
) -> None:
    store = open_store(bucket.url)
    store.put("a", io.BytesIO(b"old"))
    store.append("log", 0, b"line 1\n")

    bucket.fault = refusing(status, code, method="PUT")
    with pytest.raises(error):
        store.put("a", io.BytesIO(b"new"))
    with pytest.raises(error):
        store.append("log", 7, b"line 2\n")
    bucket.fault = None

    assert content(store, "a") == b"old"
    assert content(store, "log") == b"line 1\n"
    assert store.append("log", 7, b"line 2\n") == 14


def test_every_upload_carries_its_sum_so_that_a_service_can_refuse_what_changed_on_the_way(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "PART_BYTES", 5 * 1024 * 1024)
    store, sums = open_store(bucket.url), []

    def look(environ: dict[str, Any], start: Callable[..., Any], server: App) -> Any:
        if environ["REQUEST_METHOD"] == "PUT":
            body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            environ["wsgi.input"] = io.BytesIO(body)
            own = base64.b64encode(hashlib.sha256(body).digest()).decode()
            sums.append(environ["HTTP_X_AMZ_CHECKSUM_SHA256"] == own)
        return None

    bucket.fault = look
    store.put("a", io.BytesIO(b"data"))
    store.append("log", 0, b"line")
    store.put("b", io.BytesIO(os.urandom(11_000_000)))
    assert sums == [True] * 5


def test_an_answer_that_ends_too_soon_is_read_on_and_never_passed_off_as_whole(
    bucket: Bucket,
) -> None:
    store, data = open_store(bucket.url), os.urandom(300_000)
    store.put("a", io.BytesIO(data))
    cuts = [2]

    def cut(environ: dict[str, Any], start: Callable[..., Any], server: App) -> Any:
        if environ["REQUEST_METHOD"] != "GET" or "/a" not in environ["PATH_INFO"]:
            return None
        if not cuts[0]:
            return None
        cuts[0] -= 1
        whole = b"".join(server(environ, start))
        return [whole[: len(whole) // 2]]

    bucket.fault = cut
    assert content(store, "a") == data
    cuts[0] = 1_000
    with pytest.raises(StoreAway):
        content(store, "a")


def test_a_missing_bucket_and_a_dead_server_are_told_apart_from_a_missing_file(
    bucket: Bucket,
) -> None:
    with pytest.raises(BlobNotFound):
        open_store(bucket.url).size("a")
    elsewhere = bucket.url.replace("s3://lab/", "s3://nowhere/")
    with pytest.raises(StoreAway, match="bucket"):
        list(open_store(elsewhere).list())
    with pytest.raises(StoreAway, match="does not answer"):
        open_store("s3://lab/x?endpoint=http://127.0.0.1:1&region=r").size("a")


def test_a_long_log_has_few_pieces_and_every_byte_once(bucket: Bucket) -> None:
    store, whole, end = open_store(bucket.url), b"", 0
    for i in range(5 * JOIN_AT):
        line = f"line {i} {'x' * (i % 50)}\n".encode()
        end = store.append("log", end, line)
        whole += line

    assert end == len(whole) == store.size("log")
    assert content(store, "log") == whole
    pieces = store._pieces._all("log")  # type: ignore[attr-defined]
    assert len(pieces) < 2 * JOIN_AT
    assert all(one.end == other.start for one, other in pairwise(pieces))
    assert list(store.list()) == ["log"]


def test_a_reader_of_a_log_is_not_disturbed_by_joins(bucket: Bucket) -> None:
    writer, reader = open_store(bucket.url), open_store(bucket.url)
    end = 0
    for i in range(JOIN_AT - 1):
        end = writer.append("log", end, b"%03d\n" % i)
    before = content(reader, "log")
    with reader.open("log") as stream:
        for i in range(JOIN_AT - 1, 2 * JOIN_AT):
            end = writer.append("log", end, b"%03d\n" % i)
        assert stream.read() == before


def test_two_processes_that_ship_one_log_leave_one_copy(bucket: Bucket) -> None:
    data = os.urandom(30_000)

    def ship(step: int) -> None:
        store, size = open_store(bucket.url), 0
        while size < len(data):
            size = store.append("log", size, data[size : size + step])

    threads = [threading.Thread(target=ship, args=(step,)) for step in (701, 499, 997)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert content(open_store(bucket.url), "log") == data


def test_appending_to_what_was_stored_whole_keeps_it(bucket: Bucket) -> None:
    store = open_store(bucket.url)
    store.put("log", io.BytesIO(b"first "))
    assert store.append("log", 6, b"second") == 12
    assert content(store, "log") == b"first second"
    store.put("log", io.BytesIO(b"anew"))
    assert content(store, "log") == b"anew"
    assert store.delete("log") is True
    assert list(store.list()) == []


def test_a_repeat_at_a_place_that_another_process_joined_away_changes_nothing(
    bucket: Bucket,
) -> None:
    """The first process remembers an end of the log at which there is no piece any more."""
    one, other, data = open_store(bucket.url), open_store(bucket.url), os.urandom(600)
    one.append("log", 0, data[:100])
    other.append("log", 100, data[100:])

    assert one.append("log", 100, data[100:150]) == 600
    assert one.append("log", 150, b"X" * 20) == 600

    assert content(open_store(bucket.url), "log") == data
    assert len(one._pieces._all("log")) == 1  # type: ignore[attr-defined]


def test_what_a_process_left_that_died_is_not_read_and_goes_with_the_next_join(
    bucket: Bucket,
) -> None:
    store: Any = open_store(bucket.url)
    end = store.append("log", 0, b"x" * 300)
    store._objects.put(piece_key("log", 100), b"y" * 500)

    assert content(store, "log") == b"x" * 300
    assert open_store(bucket.url).size("log") == 300
    for _ in range(JOIN_AT):
        end = store.append("log", end, b"x" * 10)
    assert content(store, "log") == b"x" * end
    assert 100 not in {piece.start for piece in store._pieces._all("log")}


def test_two_that_go_on_with_what_was_stored_whole_keep_it(bucket: Bucket) -> None:
    one, other = open_store(bucket.url), open_store(bucket.url)
    one.put("log", io.BytesIO(b"first "))

    def meanwhile(environ: dict[str, Any], start: Callable[..., Any], server: App) -> Any:
        if environ["REQUEST_METHOD"] == "PUT":
            bucket.fault = None
            other.append("log", 6, b"second ")
            other.append("log", 13, b"third ")
        return None

    bucket.fault = meanwhile
    assert one.append("log", 6, b"second ") == 19
    assert content(open_store(bucket.url), "log") == b"first second third "


# Sizes of pieces, and how many of them become one each.
@pytest.mark.parametrize(
    ("sizes", "rows"),
    [
        ([1] * LEAST_BLOCK, [LEAST_BLOCK]),
        ([1] * (LEAST_BLOCK - 1), []),
        ([LEAST_BLOCK, *[10] * 30], [26]),
        ([LEAST_BLOCK] * 4, [4]),
        ([4 * LEAST_BLOCK, *[LEAST_BLOCK] * 3], []),
        ([40_000_000, *[10] * 30], [26]),
        ([1, 40_000_000, 1], []),
        ([], []),
    ],
)
def test_pieces_are_joined_that_begin_in_one_block_that_is_passed(
    sizes: list[int], rows: list[int]
) -> None:
    pieces, at = [], 0
    for size in sizes:
        pieces.append(Piece(at, at + size, Found("", size, 0.0, "")))
        at += size

    assert [len(row) for row in to_join(pieces)] == rows

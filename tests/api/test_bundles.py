"""POST …/blobs: many small source files in one request."""

import hashlib
import io
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.handlers.wsgi import WSGIRequest
from django.core.wsgi import get_wsgi_application
from django.test import RequestFactory

from studio.artifacts.models import SourceBlob
from studio.artifacts.store import store
from studio.wire.bundles import HEAD_BYTES, MAX_BUNDLE_BYTES, MAX_BUNDLE_FILES, entry
from tests import make
from tests.blobs.bucket import serving

pytestmark = pytest.mark.data
RAW = "application/octet-stream"
FILES = [b"print('hello')\n", b"", bytes(range(256)) * 40, b"print('hello')\n"]


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def bundle(*files: bytes) -> bytes:
    return b"".join(entry(sha(data), data) for data in files)


def send(api: Any, body: bytes) -> Any:
    return api.send("POST", "/blobs", body, RAW)


def missing(api: Any, *files: bytes) -> list[str]:
    found = api.post("/snapshots/missing", {"digests": [sha(data) for data in files]}).json()
    return list(found["missing"])


def read(workspace: Any, data: bytes) -> bytes:
    with store().open(f"source/{workspace.pk}/{sha(data)[:2]}/{sha(data)}") as stream:
        return stream.read()


@pytest.fixture(params=["folder", "bucket"])
def either_store(request: pytest.FixtureRequest, settings: LazySettings) -> Iterator[Any]:
    if request.param == "folder":
        yield None
        return
    with serving() as bucket:
        settings.STUDIO_STORAGE_URL = bucket.url
        yield bucket


def test_files_arrive_whole_and_a_snapshot_is_made_of_them(
    either_store: Any, api: Any, workspace: Any
) -> None:
    for _ in range(2):
        answer = send(api, bundle(*FILES))
        sizes = [{"digest": sha(data), "size": len(data)} for data in FILES[:3]]
        assert (answer.status_code, answer.json()) == (201, {"blobs": sizes})
    assert missing(api, *FILES) == []
    assert [read(workspace, data) for data in FILES] == FILES
    assert SourceBlob.objects.count() == 3
    files = [{"path": f"{i}", "digest": sha(d), "size": len(d)} for i, d in enumerate(FILES)]
    assert api.post("/snapshots", {"files": files}).status_code == 201


def test_what_one_request_may_carry_at_most_is_taken(api: Any, count_queries: Any) -> None:
    many = [str(i).encode() for i in range(MAX_BUNDLE_FILES)]
    assert send(api, bundle(*many)).status_code == 201
    full = b"x" * (MAX_BUNDLE_BYTES - HEAD_BYTES)
    assert send(api, bundle(full)).status_code == 201
    assert missing(api, full, *many) == []
    few = count_queries(lambda: send(api, bundle(*FILES)))
    assert count_queries(lambda: send(api, bundle(*many))) == few


A, B = bundle(b"a"), bundle(b"bb")
# Each after a good file, which must not be stored either; (body, where, what it says).
BAD = {
    "the bytes end too soon": (B[:-1], "blobs[1]", "ends after 1 of 2 bytes"),
    "the head ends too soon": (B[:40], "blobs[1]", "does not begin"),
    "a length that is too small": (B.replace(b"02\n", b"01\n"), "blobs[1]", "has SHA-256"),
    "a length over the next file": (B.replace(b"02\n", b"76\n") + A, "blobs[1]", "has SHA-256"),
    "a length past the end": (B.replace(b"02\n", b"9999999\n"), "blobs[1]", "does not begin"),
    "a length below zero": (B.replace(b"0000002", b"-000002"), "blobs[1]", "does not begin"),
    "a length in other digits": (B.replace(b" 0000002", " ²2222".encode()), "blobs[1]", "does not"),
    "another digest": (entry(sha(b"bb"), b"cc"), "blobs[1]", f"not the announced {sha(b'bb')}"),
    "a digest in capitals": (entry(sha(b"bb").upper(), b"bb"), "blobs[1]", "does not begin"),
    "a path for a digest": (entry("../" * 21 + "a", b"bb"), "blobs[1]", "does not begin"),
    "nonsense after a file": (b"\n", "blobs[1]", "does not begin"),
    "JSON": (b'{"digest": "x"}', "blobs[1]", "does not begin"),
    "too many": (A * MAX_BUNDLE_FILES, f"blobs[{MAX_BUNDLE_FILES}]", "one too many"),
}  # fmt: skip


@pytest.mark.any_database
@pytest.mark.parametrize("name", BAD)
def test_a_body_with_a_fault_stores_nothing(api: Any, name: str) -> None:
    body, where, text = BAD[name]
    answer = send(api, A + body)
    assert answer.status_code == 422, answer.content
    error = answer.json()["error"]
    assert (error["code"], error["field"]) == ("invalid", where)
    assert text in error["message"]
    assert not list(store().list())
    assert not SourceBlob.objects.exists()


def test_an_empty_body_is_422_and_says_what_is_wanted(api: Any) -> None:
    error = send(api, b"").json()["error"]
    assert (error["field"], "64 digits" in error["message"]) == ("blobs", True)


def through_wsgi(api: Any, body: bytes, **environ: Any) -> tuple[int, bytes]:
    """As a server hands it over: the test client refuses bodies that are cut or have no length."""
    request = RequestFactory().post(f"{api.base}/blobs", content_type=RAW, headers=api.headers)
    environ = {**request.environ, "wsgi.input": io.BytesIO(body), **environ}
    answer = get_wsgi_application().get_response(WSGIRequest(environ))
    return answer.status_code, answer.content


def test_a_body_cut_between_two_files_stores_nothing(api: Any) -> None:
    status, answer = through_wsgi(api, A, CONTENT_LENGTH=str(len(A + B)))
    assert (status, b"74 of 149 bytes; nothing was stored" in answer) == (400, True)
    assert not list(store().list())


def test_a_body_that_tells_no_length_is_read_no_further_than_it_may_go(api: Any) -> None:
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""}
    assert through_wsgi(api, A + B, **chunked)[0] == 400
    chunked["wsgi.input_terminated"] = "1"
    endless = Endless()
    assert through_wsgi(api, b"", **{**chunked, "wsgi.input": endless})[0] == 413
    assert endless.n_read < MAX_BUNDLE_BYTES + 100_000
    assert not list(store().list())
    assert through_wsgi(api, A + B, **chunked)[0] == 201


class Endless(io.RawIOBase):
    n_read = 0

    def read(self, size: int = -1) -> bytes:
        self.n_read += size
        return b"x" * size


def test_too_many_bytes_are_413(api: Any, settings: Any) -> None:
    over = b"x" * (MAX_BUNDLE_BYTES - HEAD_BYTES + 1)
    answer = send(api, bundle(over))
    assert answer.status_code == 413
    assert "alone by PUT" in answer.json()["error"]["message"]
    settings.SNAPSHOT_MAX_BYTES = 10
    answer = send(api, bundle(b"small", b"x" * 11))
    assert answer.status_code == 413
    assert "STUDIO_SNAPSHOT_MAX_BYTES" in answer.json()["error"]["message"]
    assert not list(store().list())


def test_a_reader_and_an_outsider_store_nothing(people: Any, workspace: Any) -> None:
    elsewhere = make.Api(people.dave, make.workspace("other", owner=people.dave))
    elsewhere.base = make.Api(people.bob, workspace).base
    for api, status in ((make.Api(people.carol, workspace), 403), (elsewhere, 404)):
        assert send(api, bundle(b"x")).status_code == status
    assert not list(store().list())


def check_what_stayed(api: Any, workspace: Any, files: list[bytes]) -> None:
    """`files[0]` is not there; each of the others is whole, or is missing and may be sent again."""
    away = missing(api, *files)
    assert sha(files[0]) in away
    rest = [data for data in files[1:] if sha(data) in away]
    if rest:
        assert send(api, bundle(*rest)).status_code == 201
    assert missing(api, *files) == [sha(files[0])]
    assert [read(workspace, data) for data in files[1:]] == files[1:]


def test_a_full_disk_keeps_no_part_of_a_file(full_disk: Any, api: Any, workspace: Any) -> None:
    files = [b"x" * 1_000_000, *(b"%d" % i for i in range(20))]
    answer = send(api, bundle(*files))
    assert (answer.status_code, answer.json()["error"]["code"]) == (507, "storage_full")
    check_what_stayed(api, workspace, files)


def test_a_bucket_that_refuses_one_file_keeps_others_whole(
    api: Any, settings: Any, workspace: Any
) -> None:
    files = [b"away", *(b"in a bucket %d" % i for i in range(20))]

    def refuse_the_first(environ: Any, start: Any, server: Any) -> Any:
        if sha(files[0]) not in environ["PATH_INFO"]:
            return None
        start("403 Forbidden", [])
        return [b""]

    with serving() as bucket:
        settings.STUDIO_STORAGE_URL, bucket.fault = bucket.url, refuse_the_first
        answer = send(api, bundle(*files))
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
        check_what_stayed(api, workspace, files)
        bucket.fault = None
        assert send(api, bundle(files[0])).status_code == 201
        assert missing(api, *files) == []

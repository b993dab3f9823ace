"""GET …/runs/{uid}/artifacts; PUT and GET …/artifacts/{path}."""

import hashlib
import io
import os
from typing import Any
from urllib.parse import quote

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.core.wsgi import get_wsgi_application
from django.test import Client, RequestFactory

from studio.artifacts.actions import find_artifact, put_artifact
from studio.artifacts.store import store
from studio.runs.actions import complete_run
from tests import make

pytestmark = pytest.mark.data
RAW = "application/octet-stream"
PAGE = b"<script>alert(1)</script>"


@pytest.fixture
def put(api: Any, run: Any) -> Any:
    def send(path: str, body: bytes, kind: str = RAW) -> Any:
        return api.send("PUT", f"/runs/{run.uid}/artifacts/{path}", body, kind)

    return send


@pytest.fixture
def get(api: Any, run: Any) -> Any:
    def send(path: str, **headers: str) -> Any:
        address = f"{api.base}/runs/{run.uid}/artifacts/{path}"
        return api.client.get(address, headers={**api.headers, **headers})

    return send


def body_of(answer: Any) -> bytes:
    return answer.getvalue()


@pytest.mark.parametrize("data", [b"", b"x", os.urandom(700_000)], ids=["empty", "one", "many"])
def test_a_file_comes_back_with_its_facts(put: Any, get: Any, data: bytes) -> None:
    sent = put("outputs/model.pkl", data)
    assert sent.status_code == 201
    item = sent.json()
    assert item["path"], item["size"] == ("outputs/model.pkl", len(data))
    assert item["digest"] == hashlib.sha256(data).hexdigest()
    assert (item["kind"], item["complete"]) == ("outputs", True)
    answer = get("outputs/model.pkl")
    assert answer.status_code == 200
    assert answer["Content-Length"] == str(len(data))
    assert hashlib.sha256(body_of(answer)).hexdigest() == item["digest"]


@pytest.mark.any_database
@pytest.mark.parametrize("name", ["page.html", "pic.svg", "feed.xml", "x.js", "x.pdf", "x.png"])
def test_nothing_uploaded_is_served_so_that_a_browser_runs_it(
    put: Any, get: Any, name: str
) -> None:
    put(name, PAGE, "text/html")
    answer = get(name)
    assert answer["Content-Type"] == RAW
    assert answer["Content-Disposition"].startswith("attachment;")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]
    assert body_of(answer) == PAGE


@pytest.mark.parametrize(
    "name", ['a"b.txt', "a\\b.txt", "ф.txt", "a;b=c.txt", "a'b.txt", "x" * 400, ".hidden", "🦀"]
)
def test_any_name_downloads_under_a_safe_one(put: Any, get: Any, name: str) -> None:
    assert put(quote(f"dir/{name}"), b"x").status_code == 201
    header = get(quote(f"dir/{name}"))["Content-Disposition"]
    plain = header.split('filename="')[1].split('"')[0]
    assert header.isascii()
    assert plain
    assert not set(plain) - set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
    assert "filename*=UTF-8''" in header


TRAVERSALS = [
    "../../../etc/passwd", "..%2f..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd", "a/../../b",
    "%2fetc/passwd", "/etc/passwd", "a//b", "a/%2e/b", "a%00b", "a%0ab", "a%0d%0aX: y", "a/",
    "%2e%2e%2f", "a/..%2f..",
]  # fmt: skip
LITERALS = [
    "%252e%252e%252fetc%252fpasswd", "..%5c..%5cwindows", "C%3a%5cx", "..%c0%af..%c0%afetc",
    "%25%32%65%25%32%65", "....%2f%2f"[:4], "file%3aetc", "~root", "%ff%fe",
]  # fmt: skip


@pytest.mark.any_database
@pytest.mark.parametrize("path", TRAVERSALS)
def test_a_path_that_climbs_is_refused_in_every_encoding(
    put: Any, get: Any, run: Any, path: str
) -> None:
    assert put(path, b"evil").status_code in {404, 422}
    assert get(path).status_code == 404
    assert not run.artifacts.exists()
    assert not list(store().list())


@pytest.mark.parametrize("path", LITERALS)
def test_what_only_looks_like_climbing_is_a_name(put: Any, get: Any, run: Any, path: str) -> None:
    assert put(path, b"x").status_code == 201
    assert body_of(get(path)) == b"x"
    (key,) = store().list()
    assert key.startswith(f"runs/{run.workspace_id}/{run.pk}/")


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("header", "status", "body"),
    [
        ("bytes=0-3", 206, b"0123"),
        ("bytes=4-", 206, b"456789"),
        ("bytes=-3", 206, b"789"),
        ("bytes=-99", 200, b"0123456789"),
        ("bytes=0-99", 200, b"0123456789"),
        ("bytes=9-9", 206, b"9"),
        ("bytes=10-", 416, b""),
        ("bytes=-0", 416, b""),
        ("bytes=999999999999999999-", 416, b""),
        ("bytes=5-2", 200, b"0123456789"),
        ("bytes=0-1,3-4", 200, b"0123456789"),
        ("bytes=" + "9" * 5_000 + "-", 200, b"0123456789"),
        ("lines=0-3", 200, b"0123456789"),
        ("bytes=-", 200, b"0123456789"),
    ],
)
def test_one_range_of_bytes(put: Any, get: Any, header: str, status: int, body: bytes) -> None:
    put("a.txt", b"0123456789")
    answer = get("a.txt", Range=header)
    assert (answer.status_code, body_of(answer) if status != 416 else b"") == (status, body)
    if status == 206:
        first = 10 - len(body) if header.startswith("bytes=-") else int(header[6])
        assert answer["Content-Range"] == f"bytes {first}-{first + len(body) - 1}/10"
        assert answer["Content-Length"] == str(len(body))
    if status == 416:
        assert answer["Content-Range"] == "bytes */10"


def test_a_resumed_download_does_not_mix_two_files(put: Any, get: Any) -> None:
    put("a.txt", b"old old old")
    tag = get("a.txt")["ETag"]
    assert get("a.txt", **{"Range": "bytes=4-", "If-Range": tag}).status_code == 206
    put("a.txt", b"new new new")
    assert body_of(get("a.txt", **{"Range": "bytes=4-", "If-Range": tag})) == b"new new new"


def test_lost_bytes_are_not_an_empty_file(put: Any, get: Any, run: Any) -> None:
    put("a.txt", b"x")
    store().delete(run.artifacts.get().blob_key)
    assert get("a.txt").status_code == 410


def through_wsgi(api: Any, run: Any, body: bytes, **environ: Any) -> tuple[int, bytes]:
    """A PUT as a server hands it over: the test client itself refuses bodies that are cut."""
    request = RequestFactory().put(
        f"{api.base}/runs/{run.uid}/artifacts/a.txt", content_type=RAW, headers=api.headers
    )
    environ = {**request.environ, "wsgi.input": io.BytesIO(body), **environ}
    answer = get_wsgi_application().get_response(WSGIRequest(environ))
    return answer.status_code, answer.content


def test_a_body_cut_short_is_refused(api: Any, run: Any) -> None:
    status, answer = through_wsgi(api, run, b"half", CONTENT_LENGTH="8")
    assert status == 400
    assert b"4 of 8 bytes" in answer
    assert not run.artifacts.exists()
    assert not list(store().list())


def test_a_body_without_a_length_is_stored_or_refused_but_never_empty(
    api: Any, run: Any, get: Any
) -> None:
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""}
    assert through_wsgi(api, run, b"data", **chunked)[0] == 400
    assert not run.artifacts.exists()
    whole = {**chunked, "wsgi.input_terminated": True}
    assert through_wsgi(api, run, b"data", **whole)[0] == 201
    assert body_of(get("a.txt")) == b"data"


def test_too_large_a_file_is_413(put: Any, run: Any, settings: Any) -> None:
    settings.MAX_ARTIFACT_BYTES = 3
    answer = put("a.txt", b"four")
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    assert not run.artifacts.exists()


def test_the_list_is_in_the_order_of_paths_and_goes_on(put: Any, api: Any, run: Any) -> None:
    for path in ("outputs/b", "outputs/a", "logs/x.txt", "Outputs/c", "z"):
        put(path, b"1")
    by = make.actor(run.submitter)
    make_log(run, by)
    address = f"/runs/{run.uid}/artifacts"
    seen, cursor = [], ""
    while cursor is not None:
        found = api.get(address, limit=2, **({"cursor": cursor} if cursor else {})).json()
        seen += [item["path"] for item in found["items"]]
        cursor = found["next"]
    assert seen == sorted(set(seen), key=seen.index)
    assert set(seen) == {
        "outputs/b",
        "outputs/a",
        "logs/x.txt",
        "logs/output.txt",
        "Outputs/c",
        "z",
    }
    below = api.get(address, prefix="outputs/").json()["items"]
    assert [item["path"] for item in below] == ["outputs/a", "outputs/b"]
    kinds = {item["path"]: item["kind"] for item in api.get(address).json()["items"]}
    assert (kinds["outputs/a"], kinds["logs/x.txt"], kinds["z"]) == ("outputs", "logs", "file")


def make_log(run: Any, by: Any) -> None:
    from studio.artifacts.logs import append_log

    append_log(run, "logs/output.txt", 0, b"x\n", by=by)


def test_a_log_of_a_finished_run_is_complete(api: Any, run: Any) -> None:
    by = make.actor(run.submitter)
    make_log(run, by)
    address = f"/runs/{run.uid}/artifacts"
    assert api.get(address).json()["items"][0]["complete"] is False
    complete_run(run, by=by)
    assert api.get(address).json()["items"][0]["complete"] is True


def test_who_may_read_and_who_may_write(people: Any, workspace: Any, run: Any, put: Any) -> None:
    put("a.txt", b"secret")
    path = f"/runs/{run.uid}/artifacts/a.txt"
    reader = make.Api(people.carol, workspace)
    assert body_of(reader.get(path)) == b"secret"
    assert reader.send("PUT", path, b"x", RAW).status_code == 403
    read_only = make.Api(people.bob, workspace, scope="read")
    assert read_only.send("PUT", path, b"x", RAW).status_code == 403
    outsider = make.Api(people.dave, workspace, secret=make.token(people.dave))
    for answer in (
        outsider.get(path),
        outsider.get(f"/runs/{run.uid}/artifacts"),
        outsider.send("PUT", path, b"x", RAW),
    ):
        assert answer.status_code == 404
        assert b"secret" not in answer.content
    assert Client().get(f"{reader.base}{path}").status_code == 401
    assert find_artifact(run, "a.txt").n_bytes == 6


def test_a_runs_own_token_writes_to_its_tree_only(
    people: Any, workspace: Any, run: Any, experiment: Any
) -> None:
    from studio.accounts.models import Scope, new_token

    facts = {"name": "run", "scope": Scope.WRITE, "workspace": workspace, "run_uid": run.uid}
    api = make.Api(people.bob, workspace, secret=new_token(people.bob, **facts)[1])
    child, other = make.run(experiment, parent=run), make.run(experiment)
    for where, status in ((run, 201), (child, 201), (other, 403)):
        sent = api.send("PUT", f"/runs/{where.uid}/artifacts/a.txt", b"x", RAW)
        assert sent.status_code == status


def test_a_file_of_another_run_is_not_found(get: Any, experiment: Any, people: Any) -> None:
    other = make.run(experiment)
    put_artifact(other, "theirs.txt", io.BytesIO(b"x"), by=make.actor(people.bob))
    assert get("theirs.txt").status_code == 404

"""Files of a run in the browser: downloads, images, archives, and the log as it grows."""

import io
import zipfile
from html import unescape
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from studio.artifacts.actions import put_artifact
from studio.artifacts.logs import append_log
from studio.artifacts.models import MAIN_LOG
from tests import make

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"\0\0\0\x02" * 2 + b"\0" * 24
HOSTILE = '"><img src=x onerror=alert(1)>'


@pytest.fixture
def by(people: Any) -> Any:
    return make.actor(people.bob)


@pytest.fixture
def put(run: Any, by: Any) -> Any:
    return lambda path, data: put_artifact(run, path, io.BytesIO(data), by=by)


@pytest.fixture
def page(run: Any, carol_client: Client) -> Any:
    """A page of the run as a reader sees it."""

    def get(path: str, query: dict[str, Any] | None = None, client: Client = carol_client) -> Any:
        return client.get(f"{run.page_path}/{path}", query or {})

    return get


@pytest.fixture
def log(run: Any, by: Any) -> Any:
    """Append to the main log."""
    size = 0

    def write(data: bytes) -> None:
        nonlocal size
        size = append_log(run, MAIN_LOG, size, data, by=by)

    return write


def test_a_download_is_the_file_and_never_runs(put: Any, page: Any) -> None:
    put("outputs/page.html", b"<script>alert(1)</script>")
    answer = page("files/outputs/page.html")
    assert answer.getvalue() == b"<script>alert(1)</script>"
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"].startswith("attachment")
    assert "sandbox" in answer["Content-Security-Policy"]


@pytest.mark.parametrize(
    "path",
    ["../../etc/passwd", "..%2f..%2fetc/passwd", "%2e%2e/secret_key", "a%00b", "/etc/passwd",
     "..%5c..%5cx", "%252e%252e%252fx", "nothing"],
)  # fmt: skip
def test_no_path_leads_out_of_the_run(put: Any, page: Any, path: str) -> None:
    put("a.txt", b"x")
    for where in ("files", "image"):
        assert page(f"{where}/{path}").status_code == 404
    assert page("log-lines", {"path": path}).status_code in {204, 404}


def test_only_real_images_are_shown_inline(put: Any, page: Any) -> None:
    put("outputs/a.png", PNG)
    answer = page("image/outputs/a.png")
    assert (answer["Content-Type"], answer.getvalue()) == ("image/png", PNG)
    assert answer["Content-Disposition"].startswith("inline")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]


@pytest.mark.parametrize("body", [b"<svg onload='alert(1)'/>", b"<html>", b"", b"GIF8<script>"])
def test_what_only_claims_to_be_an_image_is_a_download(put: Any, page: Any, body: bytes) -> None:
    put("fake.png", body)
    answer = page("image/fake.png")
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"].startswith("attachment")


def names_of(answer: Any) -> set[str]:
    with zipfile.ZipFile(io.BytesIO(answer.getvalue())) as archive:
        assert archive.testzip() is None
        return set(archive.namelist())


def test_a_folder_or_everything_comes_as_a_zip(put: Any, page: Any, log: Any) -> None:
    put("outputs/a.bin", b"a")
    put("outputs2/b.bin", b"b")
    put("outputs/..%2f..%2fetc", b"c")
    log(b"line\n")
    assert names_of(page("zip", {"prefix": "outputs"})) == {
        "outputs/a.bin",
        "outputs/..%2f..%2fetc",
    }
    assert names_of(page("zip")) > {"outputs/a.bin", "outputs2/b.bin", MAIN_LOG}
    assert names_of(page("zip", {"prefix": "../.."})) == set()


def test_hostile_names_and_lines_are_shown_as_text(page: Any, put: Any, log: Any) -> None:
    log(HOSTILE.encode() + b"\n\x1b]8;;javascript:alert(1)\x07link\n\0\xff\n")
    put(f"outputs/{HOSTILE}.txt", HOSTILE.encode())
    html = page("logs").content.decode()
    assert HOSTILE in unescape(html)
    assert "<img" not in html
    assert "javascript:" not in html
    opened = page("logs", {"path": f"outputs/{HOSTILE}.txt"}).content.decode()
    assert "<img" not in opened
    assert page(f"files/outputs/{quote(HOSTILE)}.txt").getvalue() == HOSTILE.encode()


@pytest.mark.parametrize(
    ("name", "body", "shown"),
    [
        ("a.json", b'{"a": 1}', "&#34;a&#34;"),
        ("readme", b"plain words", "plain words"),
        ("a.png", PNG, "/image/outputs/a.png"),
        ("a.bin", b"\0\1\2", "00 01 02"),
        ("empty.txt", b"", "artifacts-log"),
    ],
)
def test_a_file_is_shown_as_what_it_is(
    page: Any, put: Any, name: str, body: bytes, shown: str
) -> None:
    put(f"outputs/{name}", body)
    answer = page("logs", {"path": f"outputs/{name}"})
    assert answer.status_code == 200
    assert shown in answer.content.decode()


@pytest.mark.parametrize(
    "path",
    [
        "files/a.png",
        "image/a.png",
        "zip",
        f"log-lines?path={MAIN_LOG}",
        f"log-mark?path={MAIN_LOG}",
    ],
)
def test_outsiders_find_nothing_and_strangers_must_sign_in(
    put: Any, log: Any, run: Any, dave_client: Client, path: str
) -> None:
    put("a.png", PNG)
    log(b"secret\n")
    assert dave_client.get(f"{run.page_path}/{path}").status_code == 404
    assert Client().get(f"{run.page_path}/{path}").status_code == 302


def test_some_lines_or_bytes_are_a_download_of_their_own(page: Any, log: Any) -> None:
    log(b"one\ntwo\nthree\nfour")
    path = f"files/{MAIN_LOG}"
    for query, body in {
        "lines=2-3": b"two\nthree\n",
        "lines=4": b"four",
        "lines=3-99": b"three\nfour",
        "bytes=0-2": b"one",
        "bytes=8-999": b"three\nfour",
    }.items():
        answer = page(f"{path}?{query}")
        assert (answer.status_code, answer.getvalue()) == (200, body), query
        assert "sandbox" in answer["Content-Security-Policy"]
    assert 'filename="output-L2-L3.txt"' in page(f"{path}?lines=2-3")["Content-Disposition"]
    for query, status in {
        **{"lines=9": 416, "bytes=18": 416, "lines=0": 416},
        **{"lines=3-2": 422, "lines=x": 422, "lines=-1": 422, "bytes=": 422},
    }.items():
        assert page(f"{path}?{query}").status_code == status, query

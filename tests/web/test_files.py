"""Files of a run in the browser: downloads, images, archives, and the log as it grows."""

import io
import re
import zipfile
from html import unescape
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from studio.artifacts.actions import put_artifact
from studio.artifacts.logs import append_log
from studio.artifacts.models import MAIN_LOG
from studio.runs.actions import complete_run
from tests import make

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40
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


def text_of(html: str) -> list[str]:
    lines = re.findall(r'<span class="log-text[^"]*">(.*?)</span></div>', html, re.DOTALL)
    return [unescape(re.sub(r"<[^>]*>", "", line)) for line in lines]


def piece_url(html: str) -> str:
    found = re.search(r'hx-get="([^"]*log-piece[^"]*)" hx-trigger="every', html)
    return unescape(found.group(1)) if found else ""


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
    assert page("log-piece", {"path": path}).status_code in {204, 404}
    assert page("log-piece", {"path": path, "before": 5}).status_code == 404


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


def test_the_logs_page_shows_the_end_of_the_main_log(page: Any, log: Any) -> None:
    log(b"\x1b[31mred\x1b[0m plain\n10%\r20%")
    html = page("logs").content.decode()
    assert '<span class="ansi-1">red</span> plain' in html
    assert text_of(html)[-2:] == ["red plain", "20%"]
    assert 'id="L1"' in html
    assert piece_url(html)


def test_a_page_that_polls_shows_every_line_once(page: Any, log: Any, carol_client: Client) -> None:
    log(b"line 1\n")
    html = page("logs").content.decode()
    seen, url = text_of(html), piece_url(html)
    for i in range(2, 30, 3):
        assert carol_client.get(url).status_code == 204
        log(f"line {i}\nline {i + 1}\nline {i + 2}".encode())
        answer = carol_client.get(url)
        assert answer.status_code == 200
        lines, _, tail = answer.content.decode().partition('id="artifacts-log_tail"')
        assert text_of(tail) == [f"line {i + 2}"]
        seen += text_of(lines)
        url = piece_url(answer.content.decode())
        log(b"\n")
        answer = carol_client.get(url)
        seen += text_of(answer.content.decode())
        url = piece_url(answer.content.decode())
    assert seen == [f"line {i}" for i in range(1, 32)]


def test_the_last_piece_stops_the_polling(
    page: Any, log: Any, run: Any, by: Any, carol_client: Client
) -> None:
    log(b"one\ntwo")
    url = piece_url(page("logs").content.decode())
    assert carol_client.get(url).status_code == 204
    complete_run(run, by=by)
    answer = carol_client.get(url)
    html = answer.content.decode()
    assert answer.status_code == 286
    assert text_of(html) == ["two"]
    assert not piece_url(html)
    assert not piece_url(page("logs").content.decode())


def test_a_page_opened_before_the_first_line_waits_for_it(
    page: Any, log: Any, carol_client: Client
) -> None:
    url = piece_url(page("logs").content.decode())
    assert carol_client.get(url).status_code == 204
    log(b"first\n")
    assert text_of(carol_client.get(url).content.decode()) == ["first"]


def test_earlier_pieces_join_without_a_gap(page: Any, log: Any, carol_client: Client) -> None:
    lines = [f"line {i} " + "x" * 90 for i in range(3_000)]
    log(("\n".join(lines) + "\n").encode())
    html = page("logs").content.decode()
    seen = text_of(html)
    while found := re.search(r'href="([^"]*)" hx-get="([^"]*before[^"]*)"', html):
        html = carol_client.get(unescape(found.group(2))).content.decode()
        seen = text_of(html) + seen
    assert seen == lines


def test_without_scripts_earlier_lines_are_a_page_of_their_own(page: Any, log: Any) -> None:
    log(b"early\n" + b"x" * 99 + b"\n" + b"late\n" * 20_000)
    answer = page("logs", {"path": MAIN_LOG, "before": 106})
    html = answer.content.decode()
    assert text_of(html) == ["early", "x" * 99]
    assert not piece_url(html)


@pytest.mark.parametrize("number", ["-1", "x", "9" * 5_000, "٣", "1e3", ""])
def test_odd_numbers_in_the_address_are_no_crash(page: Any, log: Any, number: str) -> None:
    log(b"a\nb\n")
    for name in ("after", "before", "line", "seen"):
        assert page("log-piece", {"path": MAIN_LOG, name: number}).status_code in {200, 204, 404}
    assert page("logs", {"path": MAIN_LOG, "before": number}).status_code == 200


def test_hostile_names_and_lines_are_shown_as_text(page: Any, put: Any, log: Any) -> None:
    log(HOSTILE.encode() + b"\n\x1b]8;;javascript:alert(1)\x07link\n\0\xff\n")
    put(f"outputs/{HOSTILE}.txt", HOSTILE.encode())
    html = page("logs").content.decode()
    assert HOSTILE in text_of(html)
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
        ("a.bin", b"\0\1\2", "not shown here"),
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
    "path", ["files/a.png", "image/a.png", "zip", f"log-piece?path={MAIN_LOG}"]
)
def test_outsiders_find_nothing_and_strangers_must_sign_in(
    put: Any, log: Any, run: Any, dave_client: Client, path: str
) -> None:
    put("a.png", PNG)
    log(b"secret\n")
    assert dave_client.get(f"{run.page_path}/{path}").status_code == 404
    assert Client().get(f"{run.page_path}/{path}").status_code == 302

"""The tree of a run's files, tabs of opened ones, and what they look like."""

import hashlib
import io
import zipfile
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from studio.artifacts.actions import put_artifact
from studio.artifacts.logs import append_log, close_log
from studio.artifacts.models import MAIN_LOG, Artifact, hash_of_path
from studio.blobs import safe_label
from tests import make
from tests.web.pages import read

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"\0\0\0\x02" * 2 + b"\0" * 24
NAMES = [
    *("a" * n for n in (1, 900)),
    *("..%2f..%2fetc%2fpasswd", "..\\..\\win.ini", "%2e%2e%2f", "C:\\x", "%00", "&amp;", "a?b#c"),
    *("\u202egnp.exe", "\u2066x", "\u200b.txt", "😀.csv", "é.md", "a b+c.json", "'", '"', "`$(x)`"),
    *("<img src=x onerror=alert(1)>.html", '"><script>alert(1)</script>.csv', "{{ 7*7 }}"),
]  # fmt: skip


@pytest.fixture
def put(run: Any, people: Any) -> Any:
    by = make.actor(people.bob)
    return lambda path, data: put_artifact(run, path, io.BytesIO(data), by=by)


@pytest.fixture
def page(run: Any, carol_client: Client) -> Any:
    """A page of the run as a reader sees it."""
    return lambda path, query=None: carol_client.get(f"{run.page_path}/{path}", query or {})


def many(run: Any, paths: list[str]) -> None:
    rows = [
        Artifact(
            workspace=run.workspace,
            run=run,
            path=path,
            path_hash=hash_of_path(path),
            blob_key=f"none/{n}",
            n_bytes=1,
        )
        for n, path in enumerate(paths)
    ]
    Artifact.objects.bulk_create(rows)


def test_only_opened_folders_of_5000_files_are_drawn(run: Any, page: Any) -> None:
    many(run, [f"outputs/f{n % 20:02}/{n:05}.bin" for n in range(5_000)])
    many(run, [f"outputs/{n:05}.txt" for n in range(300)])
    whole = page("logs")
    assert "250 · 250 B" in read(whole).text
    assert "100 more; search for them by name" in read(whole).text
    assert "f07/00007.bin" not in whole.content.decode()
    assert len(whole.content) < 300_000
    opened = page("tree", {"dir": ["", "outputs", "outputs/f07"]})
    assert "f07/00007.bin" in opened.content.decode()
    assert "50 more; search for them by name" in read(opened).text


def test_a_search_finds_files_in_all_folders(run: Any, page: Any) -> None:
    many(run, [f"outputs/deep/Down/{n:04}.bin" for n in range(1_000)])
    found = page("tree", {"find": "down 7.BIN", "dir": ""})
    assert "100 of 1,000 files" in read(found).text
    assert "outputs/deep/Down/0007.bin" in found.content.decode()
    many_found = page("logs", {"find": ".bin"})
    assert "1,000 of 1,000 files, the first 200 are shown" in read(many_found).text


def test_the_tree_is_silent_until_something_changes(run: Any, people: Any, page: Any) -> None:
    by = make.actor(people.bob)
    append_log(run, MAIN_LOG, 0, b"one\n", by=by)
    assert page("tree", {"v": "1-4"}).status_code == 204
    append_log(run, MAIN_LOG, 4, b"two\n", by=by)
    assert page("tree", {"v": "1-4"}).status_code == 200


def links(answer: Any, words: str) -> list[str]:
    return [
        own.get("href", "") for _, own in read(answer).elements if own.get("aria-label") == words
    ]


def test_opened_files_stand_in_tabs_that_close(put: Any, page: Any) -> None:
    for name in "abc":
        put(f"outputs/{name}.txt", name.encode())
    both = page("logs", {"open": ["outputs/a.txt", "outputs/b.txt"], "path": "outputs/b.txt"})
    closing = links(both, "Close b.txt")[0]
    assert "path=outputs%2Fa.txt" in closing
    assert "b.txt" not in closing
    assert links(page("logs", {"path": "outputs/a.txt"}), "Close a.txt") == []
    opened = [f"outputs/{n}.txt" for n in range(20)]
    assert page("logs", {"open": opened}).content.decode().count('class="file-tab"') <= 8
    gone = page("logs", {"path": "outputs/none.txt", "open": "outputs/a.txt"})
    assert gone.status_code == 200


def test_a_preview_has_its_raw_lines_beside_it(put: Any, page: Any) -> None:
    put("outputs/a.csv", b"name,n\nada,1\n")
    shown = page("logs", {"path": "outputs/a.csv"}).content.decode()
    assert "<td>ada</td>" in shown
    assert "view=raw" in shown
    raw = page("logs", {"path": "outputs/a.csv", "view": "raw"}).content.decode()
    assert "artifacts-log_lines" in raw
    assert "name,n" in raw
    rows = page("logs", {"path": "outputs/a.csv", "rows": "9" * 18})
    assert "No rows here" in read(rows).text
    assert page("logs", {"path": "outputs/a.csv", "rows": "x"}).status_code == 200


def test_markdown_shows_images_of_its_own_run_only(put: Any, page: Any, run: Any) -> None:
    put("outputs/plots/a.png", PNG)
    put(
        "outputs/README.md",
        b"![own](plots/a.png) ![none](/w/lab/delete) ![up](../../a.png)"
        b" ![far](https://x.example/a.png)",
    )
    answer = page("logs", {"path": "outputs/README.md"})
    drawn = [own["src"] for tag, own in read(answer).elements if tag == "img"]
    assert drawn == [f"{run.page_path}/image/outputs/plots/a.png"]
    assert "[image: none]" in read(answer).text


def test_hostile_names_are_words_everywhere(put: Any, page: Any) -> None:
    data = {f"outputs/{name}": f"body of {n}".encode() for n, name in enumerate(NAMES)}
    for path, body in data.items():
        put(path, body)
    for path, body in data.items():
        answer = page("logs", {"path": path, "open": list(data)})
        text = answer.content.decode()
        assert answer.status_code == 200
        for harm in ("<img src=x", "<script>alert", ">49<"):
            assert harm not in text
        for unseen in ("\u202e", "\u2066", "\u200b"):
            assert unseen not in read(answer).text
        file = page(f"files/{quote(path)}")
        assert hashlib.sha256(file.getvalue()).digest() == hashlib.sha256(body).digest()
    archive = zipfile.ZipFile(io.BytesIO(page("zip", {"prefix": "outputs"}).getvalue()))
    assert sorted(archive.read(name) for name in archive.namelist()) == sorted(data.values())
    assert all(safe_label(name) == name for name in archive.namelist())


def test_a_log_that_never_began_breaks_no_zip(put: Any, page: Any, run: Any) -> None:
    put("outputs/a.txt", b"there")
    close_log(run, MAIN_LOG, damage="5 bytes of output were lost.")

    archive = zipfile.ZipFile(io.BytesIO(page("zip").getvalue()))

    assert {name: archive.read(name) for name in archive.namelist()} == {
        "outputs/a.txt": b"there",
        MAIN_LOG: b"",
    }


def test_what_a_browser_would_run_is_never_run(put: Any, page: Any, run: Any) -> None:
    for name in ("a.html", "a.svg", "a.xml", "a.pdf"):
        put(f"outputs/{name}", b"%PDF-1.7 <script>alert(1)</script>\xff\0")
        put(f"outputs/text-{name}", b"<svg onload='alert(1)'><script>alert(1)</script></svg>")
        for path in (f"outputs/{name}", f"outputs/text-{name}"):
            shown = page("logs", {"path": path}).content.decode()
            assert "<script>alert" not in shown
            assert "<svg onload" not in shown
            assert "<iframe" not in shown
            assert "<embed" not in shown
            assert page(f"image/{path}")["Content-Disposition"].startswith("attachment")


def test_a_second_log_stands_beside_the_first(run: Any, people: Any, put: Any, page: Any) -> None:
    by = make.actor(people.bob)
    append_log(run, MAIN_LOG, 0, b"main\n", by=by)
    append_log(run, "logs/rank-1.txt", 0, b"\x1b[31mrank\x1b[0m <b>\n" * 900, by=by)
    put("outputs/a.png", PNG)
    both = page("logs", {"path": MAIN_LOG, "beside": "logs/rank-1.txt"})
    assert "rank <b>" in read(both).text
    earlier = page("logs", {"path": MAIN_LOG, "beside": "logs/rank-1.txt", "beside_line": "1"})
    assert "Later lines" in read(earlier).text
    asked = {"path": MAIN_LOG, "beside": "logs/rank-1.txt"}
    size = 900 * len(b"\x1b[31mrank\x1b[0m <b>\n")
    assert page("log-beside", {**asked, "seen": size}).status_code == 204
    assert page("log-beside", {**asked, "seen": size - 1}).status_code == 200
    assert page("log-beside", {"path": MAIN_LOG}).status_code == 404
    pinned = page(
        "logs",
        {**asked, "open": "outputs/a.png", "t": int(run.started_at.timestamp() * 1000) + 9_000},
    )
    assert "beside=logs%2Frank-1.txt" in pinned["Location"]
    assert "open=outputs%2Fa.png" in pinned["Location"]
    for other in ("outputs/a.png", "outputs/none", "../x", "x" * 3_000):
        assert page("logs", {"path": MAIN_LOG, "beside": other}).status_code == 200

"""The log viewer over HTTP: any line by its number, the live end, pages without scripts."""

import random
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from studio.artifacts import line_index
from studio.artifacts.log_lines import SHOWN_BYTES
from studio.artifacts.logs import append_log, close_log
from studio.artifacts.models import MAIN_LOG
from studio.artifacts.store import store
from studio.runs.actions import complete_run, fail_run
from tests import make

ROW = re.compile(
    r'<div class="log-line[^"]*" id="L(\d+)".*?<span class="log-text">(.*?)</span></div>'
)
HIDDEN = re.compile(r'<a class="log-note".*?</a>|<[^>]*>')


@pytest.fixture
def by(people: Any) -> Any:
    return make.actor(people.bob)


@pytest.fixture
def log(run: Any, by: Any) -> Any:
    """Append to the main log."""

    def write(data: bytes) -> None:
        found = run.artifacts.filter(path=MAIN_LOG).first()
        append_log(run, MAIN_LOG, found.n_bytes if found else 0, data, by=by)

    return write


@pytest.fixture
def ask(run: Any, carol_client: Client) -> Any:
    """A part or page of the main log as a reader sees it."""

    def get(name: str = "log-lines", client: Client = carol_client, **query: Any) -> Any:
        query = {name.rstrip("_"): value for name, value in query.items()}
        headers = query.pop("headers", None)
        path = f"{run.page_path}/{name}"
        return client.get(path, {"path": MAIN_LOG, **query}, headers=headers)

    return get


def rows(answer: Any) -> dict[int, str]:
    """Number -> text of the lines of an answer."""
    html = answer.content.decode()
    return {
        int(number): unescape(HIDDEN.sub("", text)).rstrip()
        for number, text in re.findall(ROW.pattern, html, re.DOTALL)
    }


def said(answer: Any) -> dict[str, str]:
    """What the answer says of the file in its attributes."""
    found = re.search(r'id="artifacts-log_lines"(.*?)>', answer.content.decode(), re.DOTALL)
    assert found
    return {
        name: unescape(value or "")
        for name, value in re.findall(r'data-(\w+)(?:="([^"]*)")?', found[1])
    }


def as_shown(line: bytes) -> str:
    """What splitting the file says a row shows."""
    if len(line) > SHOWN_BYTES:
        line = line[:SHOWN_BYTES]
    return re.sub("[\x00-\x08\x7f-\x9f]", "\ufffd", line.decode("utf-8", "replace")).rstrip()


def made_up(chance: random.Random) -> bytes:
    """Lines of many lengths, some not UTF-8, some much longer than what is shown."""
    words = [b"plain", "größe ✓".encode(), b"\xff\xfe", b"nul \0 in it", b"<b>&amp;", b"ERROR no"]
    lines = []
    for _ in range(chance.choice([3, 60, 900])):
        n = chance.choice([0, 1, 1, 9, 9, 40, 2_000, 9_000])
        lines.append((chance.choice(words) + b" ") * (n // 5))
    return b"\n".join(lines) + chance.choice([b"", b"\n"])


@pytest.mark.parametrize("seed", range(6))
def test_every_line_is_what_splitting_the_file_says(log: Any, ask: Any, seed: int) -> None:
    chance = random.Random(seed)
    data = made_up(chance)
    log(data)
    lines = data.split(b"\n")
    lines = lines if lines[-1] else lines[:-1]
    for _ in range(12):
        first, n = chance.randint(1, len(lines)), chance.randint(0, 420)
        answer = ask(from_=first, n=n)
        found = rows(answer)
        assert list(found) == list(range(first, first + len(found)))
        assert bool(found) == bool(n)
        assert len(found) <= min(n, 400)
        assert found == {number: as_shown(lines[number - 1]) for number in found}
        assert said(answer)["total"] == str(len(lines))
        assert said(answer)["last"] == str(first + len(found) - 1)
    assert rows(ask(from_=len(lines) + 1)) == {}


def test_a_follower_sees_every_line_once_and_pays_little(log: Any, ask: Any) -> None:
    """A line that is still open comes again; 204 while nothing was written."""
    log(b"line 1\n")
    seen, size, next_line = rows(ask()), 7, 2
    for i in range(2, 12, 3):
        log(f"line {i}\nline {i + 1}\nli".encode())
        answer = ask(from_=next_line, seen=size)
        assert list(rows(answer).values())[-3:] == [f"line {i}", f"line {i + 1}", "li"]
        assert min(rows(answer)) == next_line
        seen |= rows(answer)
        next_line, size = i + 2, int(said(answer)["size"])
        assert "data-open" in answer.content.decode()
        with CaptureQueriesContext(connection) as queries:
            assert ask(from_=next_line, seen=size).status_code == 204
        assert len(queries) <= 5
        log(f"ne {i + 2}\n".encode())
    seen |= rows(ask(from_=next_line, seen=size))
    assert seen == {i: f"line {i}" for i in range(1, 14)}


def test_a_log_that_begins_later_grows_and_ends(log: Any, ask: Any, run: Any, by: Any) -> None:
    assert b"Waiting for the first line" in ask("logs").content
    assert ask().status_code == 204
    log(b"one\ntw")
    assert "grows" in said(ask())
    log(b"o")
    close_log(run, MAIN_LOG, damage="12 kB lost: the disk was full")
    complete_run(run, by=by)
    answer = ask(from_=2, seen=6)
    assert rows(answer) == {2: "two"}
    assert "grows" not in said(answer)
    assert said(answer)["damage"] == "12 kB lost: the disk was full"
    assert b"12 kB lost" in ask("logs").content
    assert ask(seen=7).status_code == 200


def test_a_run_that_ends_without_a_log_says_so(ask: Any, run: Any, by: Any) -> None:
    complete_run(run, by=by)
    waited = ask(seen=0)
    assert (waited.status_code, rows(waited)) == (200, {})
    assert "grows" not in said(waited)
    assert ask().status_code == 404
    assert b"This run wrote no log" in ask("logs").content


def test_other_bytes_in_the_place_of_a_file_are_told(
    log: Any, ask: Any, run: Any, by: Any, tmp_path: Path
) -> None:
    from studio.artifacts.actions import put_artifact_file

    log(b"old\n")
    before = said(ask())["version"]
    assert said(ask())["version"] == before
    complete_run(run, by=by)
    (tmp_path / "new.txt").write_bytes(b"new\n")
    put_artifact_file(run, MAIN_LOG, tmp_path / "new.txt", by=by)
    assert rows(ask()) == {1: "new"}
    assert said(ask())["version"] != before


def test_a_file_without_an_index_is_counted_piece_by_piece(
    log: Any, ask: Any, run: Any, monkeypatch: Any
) -> None:
    log(b"a line of 16 byt\n" * 30_000)
    key = run.artifacts.get().blob_key
    store().delete(line_index.index_key(key))
    monkeypatch.setattr(line_index.extend, "__kwdefaults__", {"limit_bytes": 65_536 * 3})
    monkeypatch.setattr(line_index.load, "__kwdefaults__", {"limit_bytes": 65_536 * 3})
    answer = ask()
    assert "behind" in said(answer)
    assert rows(answer)[1] == "a line of 16 byt"
    percents = [said(answer)["percent"]]
    assert b"Counting lines" in ask("logs").content
    while "behind" in said(answer := ask(from_=30_000)):
        percents.append(said(answer)["percent"])
    assert percents == ["38"]
    assert rows(answer) == {30_000: "a line of 16 byt"}


def test_without_scripts_there_are_pages_with_links(log: Any, ask: Any, carol_client: Any) -> None:
    log(b"".join(b"line %d\n" % i for i in range(1, 1_901)))
    end = ask("logs")
    assert list(rows(end)) == list(range(1_601, 1_901))
    seen, html, links = set(rows(end)), end.content.decode(), 0
    while found := re.search(r'href="([^"#]*)#L\d+">[^>]*<svg[^§]*?</svg>Earlier lines', html):
        answer = carol_client.get(unescape(found[1]))
        seen |= set(rows(answer))
        html, links = answer.content.decode(), links + 1
    assert (seen, links) == (set(range(1, 1_901)), 4)
    middle = ask("logs", line=700).content.decode()
    assert list(rows(ask("logs", line=700))) == list(range(401, 801))
    assert all(word in middle for word in ("First lines", "Later lines", "Last lines"))
    assert list(rows(ask("logs", line=10**9))) == list(range(1_601, 1_901))


def test_pages_of_very_long_lines_go_on_and_end(log: Any, ask: Any) -> None:
    log(b"".join(b"%03d " % i + b"z" * 4_000 + b"\n" for i in range(1, 501)))
    for line in (1, 66, 300, 500):
        assert line in rows(ask("logs", line=line))
    assert 500 in rows(ask("logs"))


def test_the_next_error_and_warning_are_a_request_away(log: Any, ask: Any) -> None:
    lines = [b"fine"] * 9_000
    lines[4_999], lines[7_999] = b"ERROR here", b"WARN there"
    log(b"\n".join(lines))
    json = {"Accept": "application/json"}
    for query, line in (
        ({"kind": "error", "after": 3}, 5_000),
        ({"kind": "error", "after": 5_000}, None),
        ({"kind": "error", "before": 9_000}, 5_000),
        ({"kind": "warning", "after": 1}, 8_000),
        ({"kind": "warning", "before": 8_000}, None),
    ):
        assert ask("log-mark", **query, headers=json).json() == {"line": line}
    assert ask("log-mark", kind="error", after=3)["Location"].endswith("&line=5000#L5000")
    assert ask("log-map").content.count(b"<rect") == 2
    assert said(ask())["errors"] == said(ask())["warnings"] == "1"


def test_more_of_a_line_is_a_part_or_a_page(log: Any, ask: Any) -> None:
    log(b"10%\r20%\r30%\n" + b"z" * 100_000 + b"\n")
    html = ask().content.decode()
    assert "2 earlier" in html
    assert "96 kB more" in html
    part = ask("log-line", line=1, headers={"HX-Request": "true"}).content.decode()
    assert re.findall(r"\d0%", part) == ["10%", "20%", "30%"]
    assert "<html" not in part
    page = ask("log-line", line=2).content.decode()
    assert "<html" in page
    (more,) = re.findall(r'href="([^"]*at=65536[^"]*)"', page)
    assert more
    assert "z" * 34_464 in ask("log-line", line=2, at=65_536).content.decode()
    assert ask("log-line", line=3).status_code == 404


def test_times_come_only_when_asked_for(log: Any, ask: Any) -> None:
    log(b"one\n")
    assert b"<time" not in ask().content
    assert re.search(
        rb'<time class="log-time" data-ms="\d{13}">\d\d:\d\d:\d\d<', ask(times=1).content
    )


@pytest.mark.parametrize("number", ["-1", "x", "9" * 18, "9" * 5_000, "٣", "1e3", ""])
def test_odd_numbers_in_the_address_are_no_crash(ask: Any, log: Any, number: str) -> None:
    log(b"a\nb\n")
    for name in ("from_", "n", "seen"):
        assert ask(**{name: number}).status_code in {200, 204}
    for name in ("after", "before", "kind"):
        assert ask("log-mark", **{name: number}).status_code == 302
    assert ask("log-line", line=number).status_code in {200, 404}
    assert ask("log-line", line=1, at=number).status_code == 200
    assert ask("logs", line=number).status_code == 200


def test_a_link_to_the_error_or_the_last_line_leads_to_its_number(
    log: Any, ask: Any, run: Any, by: Any
) -> None:
    log(b"epoch 1\n" * 2_000 + b"ValueError: NaN\nnot closed\nbye\n\n")
    assert ask("logs", line="error")["Location"].endswith("line=2003#L2003")
    trace = "Traceback\n  in train\nValueError: NaN"
    told = {"message": "The loss is NaN", "traceback": trace}
    fail_run(run, by=by, error=told)

    assert ask("logs", line="last")["Location"] == f"{at(run)}&line=2003#L2003"
    assert ask("logs", line="error")["Location"] == f"{at(run)}&line=2001#L2001"
    assert 2_001 in rows(ask("logs", line=2_001))
    part = ask("logs", line="last", headers={"HX-Request": "true"})
    assert list(rows(part))[-1] == 2_004


def test_without_a_log_such_a_link_opens_the_page(ask: Any, run: Any) -> None:
    assert ask("logs", line="error").status_code == 200
    assert ask("logs", line="last").status_code == 200


def at(run: Any) -> str:
    return f"{run.page_path}/logs?path=logs%2Foutput.txt"


def test_programs_read_lines_too(log: Any, run: Any, people: Any) -> None:
    log(b"\x1b[31mERROR\x1b[0m no\n1%\r2%\nopen")
    api = make.Api(people.carol, run.workspace)
    found = api.get(f"/runs/{run.uid}/log-lines?path={MAIN_LOG}&first=1&n=9").json()
    assert [
        (line["line"], line["text"], line["mark"], line["open"]) for line in found["items"]
    ] == [
        (1, "ERROR no", "error", False),
        (2, "2%", None, False),
        (3, "open", None, True),
    ]
    assert (found["total"], found["last"], found["complete"]) == (3, 3, False)
    assert found["counted"] == found["size"]
    for query in ("first=-5", "first=99999999999999999999&n=0", "n=-1", "n=100000"):
        answer = api.get(f"/runs/{run.uid}/log-lines?path={MAIN_LOG}&{query}")
        assert answer.status_code == 200

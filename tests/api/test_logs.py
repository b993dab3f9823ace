"""POST and GET …/runs/{uid}/logs/{path}."""

import os
from typing import Any

import pytest

from studio.api.files import MAX_LOG_PIECE
from studio.runs.actions import complete_run
from tests import make

pytestmark = pytest.mark.data
RAW = "application/octet-stream"


@pytest.fixture
def append(api: Any, run: Any) -> Any:
    def send(offset: Any, data: bytes, path: str = "logs/output.txt") -> Any:
        return api.send("POST", f"/runs/{run.uid}/logs/{path}?offset={offset}", data, RAW)

    return send


@pytest.fixture
def read(api: Any, run: Any) -> Any:
    return lambda **query: api.get(f"/runs/{run.uid}/logs/logs/output.txt", **query)


def test_a_sender_that_reconnects_and_a_reader_that_polls_see_every_byte_once(
    append: Any, read: Any
) -> None:
    source = os.urandom(300_000)
    stored, got = 0, b""
    while len(got) < len(source):
        # The sender lost the last answer and starts a little earlier than it could.
        begin = max(0, stored - 4_321)
        stored = append(begin, source[begin : begin + 40_000]).json()["size"]
        got += read(offset=len(got), limit=30_000).content
    assert got == source
    assert read(offset=len(got)).content == b""


def test_the_answer_tells_size_and_whether_more_will_come(append: Any, read: Any, run: Any) -> None:
    append(0, b"one\n")
    answer = read(offset=2, limit=1)
    assert (answer.content, answer["X-Log-Size"], answer["X-Log-Complete"]) == (b"e", "4", "0")
    complete_run(run, by=make.actor(run.submitter))
    assert read()["X-Log-Complete"] == "1"


def test_a_gap_is_409_with_the_size(append: Any) -> None:
    append(0, b"abc")
    answer = append(10, b"x")
    assert answer.status_code == 409
    error = answer.json()["error"]
    assert (error["code"], error["size"]) == ("log_gap", 3)
    assert "runs/" not in error["message"]


@pytest.mark.parametrize("offset", ["-1", "x", "", "1.5", "9" * 30])
def test_a_wrong_offset_is_refused(append: Any, offset: str) -> None:
    assert append(offset, b"x").status_code in {409, 413, 422}


def test_an_odd_window_is_no_crash(append: Any, read: Any) -> None:
    append(0, b"abc")
    for query in ({"offset": -5, "limit": 3}, {"offset": 10**18}, {"limit": 0}, {"limit": -1}):
        assert read(**query).status_code == 200


def test_more_than_4_mb_at_once_is_413_and_to_be_sent_in_pieces(append: Any, run: Any) -> None:
    refused = append(0, b"x" * (MAX_LOG_PIECE + 1))
    assert refused.status_code == 413
    assert "one request may append. Send it in several" in refused.json()["error"]["message"]
    assert append(0, b"x" * MAX_LOG_PIECE).json() == {"size": MAX_LOG_PIECE}


def test_a_full_disk_is_507_and_nothing_is_lost(full_disk: Any, append: Any, read: Any) -> None:
    assert append(0, b"x" * 1_000).status_code == 200
    answer = append(1_000, b"y" * 1_000_000)
    assert (answer.status_code, answer.json()["error"]["code"]) == (507, "storage_full")
    assert read().content == b"x" * 1_000
    assert append(1_000, b"z").json() == {"size": 1_001}


def test_a_log_is_inert(append: Any, read: Any) -> None:
    append(0, b"<script>")
    answer = read()
    assert answer["Content-Type"] == RAW
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Disposition"].startswith("attachment")


def test_who_may_read_and_who_may_append(
    people: Any, workspace: Any, run: Any, append: Any
) -> None:
    append(0, b"secret\n")
    path = f"/runs/{run.uid}/logs/logs/output.txt"
    reader = make.Api(people.carol, workspace)
    assert reader.get(path).content == b"secret\n"
    assert reader.send("POST", f"{path}?offset=7", b"x", RAW).status_code == 403
    outsider = make.Api(people.dave, workspace, secret=make.token(people.dave))
    assert outsider.get(path).status_code == 404
    assert outsider.send("POST", f"{path}?offset=7", b"x", RAW).status_code == 404
    assert run.artifacts.get().n_bytes == 7


def test_a_log_that_is_not_there_is_404(read: Any) -> None:
    assert read().status_code == 404

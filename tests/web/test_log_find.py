"""Finding in a log over the web: hits as lines of JSON, a page without scripts, and who may."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from django.test import Client

from studio.artifacts import find_slots, ripgrep
from studio.artifacts.logs import append_log
from studio.artifacts.models import MAIN_LOG
from tests import make
from tests.artifacts.test_finding import is_alive

LOG = b"epoch 1\nCUDA out of memory <b>\nepoch 2\nepoch 3\ncuda again\n"


@pytest.fixture
def log(run: Any, people: Any) -> Any:
    append_log(run, MAIN_LOG, 0, LOG, by=make.actor(people.bob))
    return run


def lines_of(answer: Any) -> list[Any]:
    return [json.loads(line) for line in b"".join(answer.streaming_content).splitlines()]


def test_hits_are_streamed_with_counts_and_context(log: Any, carol_client: Client) -> None:
    query = {"path": MAIN_LOG, "find": "cuda", "context": "1"}
    answer = carol_client.get(f"{log.page_path}/find-hits", query)

    assert (answer.status_code, answer["Content-Type"]) == (200, "application/x-ndjson")
    said = lines_of(answer)
    hits = [one for one in said if one["type"] == "hit"]
    assert [(hit["line"], hit["start"], hit["at"]) for hit in hits] == [(2, 8, 8), (5, 47, 47)]
    assert hits[0]["parts"] == [["CUDA", True], [" out of memory <b>", False]]
    assert (hits[0]["before"], hits[0]["after"]) == ([[1, "epoch 1"]], [[3, "epoch 2"]])
    end = {"n": 2, "is_exact": True, "stopped": "", "message": "", "next": None}
    assert said[-1] == {"type": "end", **end, "n_bytes": len(LOG), "size": len(LOG)}
    assert answer["X-Accel-Buffering"] == "no"


def test_a_page_without_scripts_shows_hits_as_links(log: Any, carol_client: Client) -> None:
    answer = carol_client.get(f"{log.page_path}/find", {"path": MAIN_LOG, "find": "out OF"})

    html = answer.content.decode()
    assert "<mark>out of</mark> memory &lt;b&gt;" in html
    assert "?path=logs%2Foutput.txt&amp;line=2#L2" in html
    assert "1 of 1" in re.sub(r"\s+", " ", html)
    nothing = carol_client.get(f"{log.page_path}/find", {"path": MAIN_LOG, "find": "zzz"})
    assert "No line of this file matches “zzz”" in nothing.content.decode()


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ({"find": ""}, 422, "Write what to find."),
        ({"find": "[z-a]", "regex": "1"}, 422, "at character 2: invalid character class range"),
        ({"find": "x", "after": "z"}, 422, "after is a cursor"),
        ({"find": "x", "context": "many"}, 422, "context must be a whole number"),
        ({"find": "x", "path": "logs/none.txt"}, 404, "no file"),
    ],
)
def test_what_can_not_be_found_is_said(
    query: dict[str, str], status: int, words: str, log: Any, carol_client: Client, api: Any
) -> None:
    for page in ("find", "find-hits"):
        answer = carol_client.get(f"{log.page_path}/{page}", query)
        assert answer.status_code == status
        if status == 422:
            said = answer.json()["message"] if page == "find-hits" else answer.content.decode()
            assert words in said
    if "context" not in query:
        address = "&".join(f"{name}={value}" for name, value in query.items())
        refusal = api.get(f"/runs/{log.uid}/find?{address}")
        assert refusal.status_code == status
        assert words in refusal.json()["error"]["message"]


def test_the_api_streams_the_same_lines(log: Any, api: Any, carol_client: Client) -> None:
    answer = api.get(f"/runs/{log.uid}/find?find=epoch+\\d&regex=true&most=2")
    said = lines_of(answer)

    assert [one["line"] for one in said if one["type"] == "hit"] == [1, 3]
    assert (said[-1]["n"], said[-1]["stopped"], said[-1]["next"]) == (3, "enough", "39-4")
    more = lines_of(api.get(f"/runs/{log.uid}/find?find=epoch&after=39-4"))
    assert [one["line"] for one in more if one["type"] == "hit"] == [4]


def test_only_a_few_search_at_once(
    log: Any, people: Any, carol_client: Client, api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find_slots, "WAIT_S", 0.0)
    address = f"{log.page_path}/find-hits"

    with taken(people.carol, find_slots.AT_ONCE_PER_PERSON):
        own = carol_client.get(address, {"find": "x"})
        assert own.status_code == 429
        assert "You are searching 3 logs already" in own.json()["message"]
        assert carol_client.get(f"{log.page_path}/find", {"find": "x"}).status_code == 429
        with taken(people.dave, find_slots.AT_ONCE - find_slots.AT_ONCE_PER_PERSON):
            other = api.get(f"/runs/{log.uid}/find?find=x")
            assert other.status_code == 429
            assert "6 searches of logs" in other.json()["error"]["message"]
    assert lines_of(carol_client.get(address, {"find": "x"}))[-1]["type"] == "end"


@contextmanager
def taken(person: Any, n: int) -> Iterator[None]:
    with ExitStack() as held:
        for _ in range(n):
            held.enter_context(find_slots.slot(person.pk))
        yield


def test_an_answer_that_is_closed_ends_the_process_and_frees_its_slot(
    log: Any, people: Any, carol_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    append_log(log, MAIN_LOG, len(LOG), b"epoch\n" * 300_000, by=make.actor(people.bob))
    pids: list[int] = []
    monkeypatch.setattr(ripgrep.Child, "_limit", lambda child: pids.append(child.pid))
    monkeypatch.setattr(find_slots, "WAIT_S", 0.0)

    for _ in range(find_slots.AT_ONCE_PER_PERSON + 1):
        answer: Any = carol_client.get(f"{log.page_path}/find-hits", {"find": "epoch"})
        # As a server reads it, and closes it when the connection is gone.
        pieces = answer._iterator
        next(pieces)
        assert is_alive(pids[0])
        pieces.close()
        assert not any(map(is_alive, pids))
        pids.clear()

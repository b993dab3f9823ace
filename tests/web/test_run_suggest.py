"""What the search bar offers while somebody types, as its address answers."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests import make
from tests.web.pages import HTMX, read

SUGGEST = "/w/lab/runs-suggest"
HOSTILE = ['<script>alert(1)</script>"', "' onclick=x '", "a & b", "‮drawkcab", '😀 \\ "']


def offered(client: Client, text: str, **query: str) -> list[dict[str, str]]:
    answer = client.get(SUGGEST, {"text": text, **query}, headers=HTMX)
    assert answer.status_code == 200
    return [own for tag, own in read(answer).elements if own.get("role") == "option"]


def inserted(client: Client, text: str, **query: str) -> list[str]:
    return [one["data-insert"] for one in offered(client, text, **query)]


def test_values_come_from_all_runs_and_are_quoted_where_needed(
    bob_client: Client, experiment: Any
) -> None:
    make.run(experiment, tags={"quality": "fantastic run"})
    for _ in range(60):
        make.run(experiment, tags={"quality": "poor"})

    assert inserted(bob_client, "tag.quality:fan") == ['tag.quality:"fantastic run"']


def test_the_cursor_says_which_part_is_completed(bob_client: Client, run: Any) -> None:
    (found,) = [
        one
        for one in offered(bob_client, "warm stat cold", cursor="9")
        if one["data-insert"] == "status:"
    ]
    assert (found["data-start"], found["data-end"]) == ("5", "9")


def test_an_empty_box_offers_what_is_asked_for_most(bob_client: Client, run: Any) -> None:
    assert inserted(bob_client, "")[:4] == ["status:", "tag.", "metric.", "param."]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_offered_literally(
    bob_client: Client, experiment: Any, name: str
) -> None:
    make.run(experiment, tags={name: name})

    keys = offered(bob_client, "tag.")
    assert len(keys) == 1
    values = offered(bob_client, keys[0]["data-insert"] + ":")
    assert len(values) == 1
    found = bob_client.get("/w/lab/runs", {"q": values[0]["data-insert"]})
    assert found.status_code == 200
    assert "No run matches" not in read(found).text


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"text": "status:", "cursor": "-1"},
        {"text": "status:", "cursor": "9" * 400},
        {"text": "status:", "cursor": "²"},
        {"text": "a\x00b", "cursor": "2"},
        {"text": "(" * 10_000, "cursor": "5000"},
        {"text": "tag." + "x" * 3_000, "cursor": "3000"},
        {"text": "status:" * 20_000},
        {"text": '"\\' * 2_000},
        {"text": "tag.\ud83d".encode("utf-8", "surrogatepass").decode("latin-1")},
    ],
)
def test_nothing_asked_is_too_strange(bob_client: Client, run: Any, query: dict[str, str]) -> None:
    assert bob_client.get(SUGGEST, query).status_code == 200


def test_half_a_surrogate_pair_is_no_error(bob_client: Client, run: Any) -> None:
    assert bob_client.get(f"{SUGGEST}?text=tag.%ED%A0%BD&cursor=5").status_code == 200


@pytest.mark.parametrize("text", ["", "st", "tag.", "tag.quality:g", "submitter:b", "has:tag."])
def test_an_answer_costs_few_queries_however_many_runs(
    bob_client: Client, experiment: Any, text: str
) -> None:
    make.run(experiment, tags={"quality": "great"})
    bob_client.get(SUGGEST, {"text": text})
    with CaptureQueriesContext(connection) as few:
        bob_client.get(SUGGEST, {"text": text})
    for number in range(20):
        make.run(experiment, tags={"quality": f"great {number}"})
    with CaptureQueriesContext(connection) as many:
        bob_client.get(SUGGEST, {"text": text})

    assert len(many) == len(few) <= 7

"""The run list in groups."""

import uuid
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from studio.metrics.actions import record_batch
from studio.runs import actions
from studio.wire import Batch, Series
from tests import make
from tests.web.pages import HTMX, read, rows

LIST = "/w/lab/runs"


@pytest.fixture
def six(workspace: Any) -> list[Any]:
    """Four runs of vision, one of them failed; two of nlp, one of them great."""
    by = make.actor(make.contributor_of(workspace))
    vision, nlp = make.experiment(workspace, "vision"), make.experiment(workspace, "nlp")
    runs = [make.run(vision, parameters={"lr": str(i % 2)}) for i in range(4)]
    runs += [make.run(nlp, tags={"quality": "great"}), make.run(nlp)]
    actions.fail_run(runs[0], by=by)
    return runs


def cells(answer: Any) -> list[str]:
    return read(answer).texts


def test_each_group_leads_to_its_runs(bob_client: Client, six: list[Any]) -> None:
    page = read(bob_client.get(LIST, {"group": "experiment"}))

    assert "2 groups of 6 runs" in page.text
    links = {own["title"]: own["href"] for _, own in page.elements if "data-row-link" in own}
    assert list(links) == ["vision", "nlp"]
    assert rows(bob_client.get(links["nlp"])) == [run.uid for run in reversed(six[4:])]


def test_runs_without_a_value_are_a_group_too(bob_client: Client, six: list[Any]) -> None:
    page = read(bob_client.get(LIST, {"group": "tag.quality"}))

    links = [own["href"] for _, own in page.elements if "data-row-link" in own]
    assert "none" in page.texts
    assert len(rows(bob_client.get(links[0]))) == 5
    assert rows(bob_client.get(links[1])) == [six[4].uid]


def test_two_keys_make_a_group_each(bob_client: Client, six: list[Any]) -> None:
    page = read(bob_client.get(LIST, {"group": "experiment,param.lr"}))

    assert "3 groups of 6 runs" in page.text
    links = [own["href"] for _, own in page.elements if "data-row-link" in own]
    assert [len(rows(bob_client.get(link))) for link in links] == [2, 2, 2]


def test_a_shown_metric_is_summed_up(bob_client: Client, six: list[Any]) -> None:
    by = make.actor(make.contributor_of(six[0].workspace))
    for run, value in zip(six[1:4], (1.0, 2.0, 6.0), strict=True):
        series = Series("loss", "scalar", [1.7e9], [value], None)
        record_batch(run, Batch(str(uuid.uuid4()), (series,)), by=by)

    query = {"group": "experiment", "columns": "name,metric.loss"}
    text = read(bob_client.get(LIST, query)).text

    assert "1 – 6" in text
    assert " 3 " in text


def test_the_query_narrows_what_is_grouped(bob_client: Client, six: list[Any]) -> None:
    page = read(bob_client.get(LIST, {"group": "experiment", "q": "status:failed"}, headers=HTMX))

    assert "1 group of 1 run" in page.text


@pytest.mark.parametrize("text", ["metric.loss", "name", "experiment,status,target", "tag.", "x"])
def test_what_makes_no_groups_is_told(bob_client: Client, six: list[Any], text: str) -> None:
    answer = bob_client.get(LIST, {"group": text})

    assert answer.status_code == 422
    assert "For example:" in read(answer).text
    # The runs are there all the same.
    assert len(rows(answer)) == 6
    example = next(
        own["href"] for _, own in read(answer).elements if "?group=" in own.get("href", "")
    )
    assert bob_client.get(example).status_code == 200


def test_the_menu_adds_a_second_key_and_gives_it_back(bob_client: Client, six: list[Any]) -> None:
    page = read(bob_client.get(LIST, {"group": "experiment"}))
    offers = {own.get("href") for _, own in page.elements if "menu-item" in own.get("class", "")}

    assert f"{LIST}?{urlencode({'group': 'experiment,status'}, safe=',')}" in offers
    assert LIST in offers


def test_the_box_offers_tags_and_parameters(bob_client: Client, six: list[Any]) -> None:
    page = read(bob_client.get("/w/lab/runs-group-names", {"group": "experiment,"}))
    assert [own["value"] for tag, own in page.elements if tag == "option"] == [
        "tag.quality",
        "param.lr",
    ]

    page = read(bob_client.get("/w/lab/runs-group-names", {"group": "param."}))
    assert [own["value"] for tag, own in page.elements if tag == "option"] == ["param.lr"]

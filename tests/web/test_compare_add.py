"""Adding runs to a comparison, or beginning one from a run's own page."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from tests import make
from tests.rows import all_rows
from tests.web.comparing import HOSTILE, PAGE, chosen
from tests.web.pages import HTMX, Read, read

ADD = f"{PAGE}/add"


@pytest.fixture
def runs(experiment: Any) -> list[Any]:
    return [make.run(experiment, display_name=f"try-{i}") for i in range(4)]


def offered(found: Read) -> list[str]:
    return [own["value"] for tag, own in found.elements if own.get("name") == "add"]


def uids(runs: Any) -> list[str]:
    return [run.uid for run in runs]


def test_a_run_s_page_leads_to_it_with_that_run(run: Any, bob_client: Client) -> None:
    page = read(bob_client.get(f"/w/lab/runs/{run.uid}"))

    assert page.href(id="run-compare-button") == f"{ADD}?chosen={run.uid}"


def test_the_runs_before_it_are_offered_newest_first(runs: Any, bob_client: Client) -> None:
    found = read(bob_client.get(ADD, {"chosen": runs[2].uid}))

    assert offered(found) == uids([runs[1], runs[0]])
    assert "Earlier runs of vision" in found.text


def test_the_first_run_is_offered_the_others(runs: Any, bob_client: Client) -> None:
    found = read(bob_client.get(ADD, {"chosen": runs[0].uid}))

    assert offered(found) == uids([runs[3], runs[2], runs[1]])


def test_a_child_run_is_offered_its_parent_s_others(experiment: Any, bob_client: Client) -> None:
    parent = make.run(experiment)
    children = [make.run(experiment, parent=parent) for _ in range(3)]
    found = read(bob_client.get(ADD, {"chosen": children[1].uid}))

    assert offered(found)[:2] == uids([children[2], children[0]])
    assert "Other child runs of its parent" in found.text


@pytest.mark.parametrize("find", ["try-3", "status:Running name:try-3"])
def test_others_are_found_by_typing(find: str, runs: Any, bob_client: Client) -> None:
    found = read(bob_client.get(ADD, {"chosen": runs[0].uid, "add_find": find}))

    assert offered(found) == [runs[3].uid]


def test_a_run_is_found_by_the_beginning_of_its_id(runs: Any, bob_client: Client) -> None:
    query = {"chosen": runs[0].uid, "add_find": runs[3].short_uid}

    assert offered(read(bob_client.get(ADD, query))) == [runs[3].uid]


def test_what_was_ticked_stays_ticked_while_something_else_is_typed(
    runs: Any, bob_client: Client
) -> None:
    query = {"chosen": runs[0].uid, "add": runs[1].uid, "add_find": "try-3"}
    found = read(bob_client.get(ADD, query))

    ticked = [own["value"] for _, own in found.elements if "checked" in own]
    assert ticked == [runs[1].uid]
    assert offered(found) == uids([runs[1], runs[3]])


def test_a_wrong_query_is_told_and_keeps_what_was_typed(runs: Any, bob_client: Client) -> None:
    answer = bob_client.get(ADD, {"chosen": runs[0].uid, "add_find": "status:("})
    found = read(answer)

    assert answer.status_code == 200
    assert found.one("input", id="compare-add_find")["value"] == "status:("
    assert found.one("p", role="alert")


@pytest.mark.parametrize(("headers", "status"), [({}, 303), (HTMX, 200)])
def test_ticked_runs_come_behind_those_that_are_compared(
    headers: dict[str, str], status: int, runs: Any, bob_client: Client
) -> None:
    before = all_rows()
    query = {"chosen": chosen(runs[:2]), "only": "all", "add": uids(runs[2:]), "apply": "1"}
    answer = bob_client.get(ADD, query, headers=headers)

    assert answer.status_code == status
    to = urlsplit(answer["HX-Redirect"] if headers else answer["Location"])
    assert to.path == PAGE
    assert parse_qs(to.query) == {"chosen": [chosen(runs)], "only": ["all"]}
    assert all_rows() == before


def test_nothing_ticked_is_refused(runs: Any, bob_client: Client) -> None:
    answer = bob_client.get(ADD, {"chosen": runs[0].uid, "apply": "1"})

    assert answer.status_code == 422
    assert "Tick at least one run." in read(answer).text


def test_names_are_shown_as_they_are(experiment: Any, run: Any, bob_client: Client) -> None:
    make.run(experiment, display_name=HOSTILE)
    answer = bob_client.get(ADD, {"chosen": run.uid, "add_find": "status:Running"})

    assert HOSTILE in read(answer).text
    assert "<img" not in answer.content.decode()


def test_a_comparison_of_one_run_leads_on(run: Any, bob_client: Client) -> None:
    page = read(bob_client.get(PAGE, {"chosen": run.uid}))

    assert any(own.get("href") == f"{ADD}?chosen={run.uid}" for _, own in page.elements)
    assert "Choose at least two runs" in page.text

"""What each filter removes, and which one to drop where no run is left."""

from typing import Any

import pytest
from django.test import Client

from studio.runs import actions
from tests import make
from tests.web.forms import link_of
from tests.web.pages import HTMX, read, rows

LIST = "/w/lab/runs"


@pytest.fixture
def four(experiment: Any, people: Any) -> list[Any]:
    """Runs of bob's: good, good, bad, and one of alice's that is good."""
    tags = ("good", "good", "bad")
    found = [make.run(experiment, tags={"quality": tag}) for tag in tags]
    return [*found, make.run(experiment, by=people.alice, tags={"quality": "good"})]


def effects(page: Any) -> list[str]:
    html = page.content.decode().split('class="pill-effect')[1:]
    return [part.split('<span aria-hidden="true">')[1].split("<")[0] for part in html]


def test_each_pill_says_how_many_runs_it_removes(bob_client: Client, four: list[Any]) -> None:
    asked = {"q": "tag.quality:good submitter:bob status:Running"}
    page = read(bob_client.get(LIST, asked))
    assert "removes" not in page.text

    part = bob_client.get(page.one("a", id="runs-explain_button")["hx-get"], headers=HTMX)
    assert effects(part) == ["−1", "−1", "−0"]
    assert "removes 1 run" in read(part).text


def test_the_explanation_is_part_of_the_address_until_it_is_switched_off(
    bob_client: Client, four: list[Any]
) -> None:
    page = read(bob_client.get(LIST, {"q": "tag.quality:good submitter:bob"}))
    part = bob_client.get(page.one("a", id="runs-explain_button")["hx-get"], headers=HTMX)
    assert part["HX-Push-Url"].endswith("?q=tag.quality:good%20submitter:bob&explain=1")

    without_one = read(part).one("a", **{"aria-label": "Remove filter submitted by: bob"})["hx-get"]
    part = bob_client.get(without_one, headers=HTMX)
    assert effects(part) == ["−1"]

    off = read(part).one("a", id="runs-explain_button")
    assert off["aria-checked"] == "true"
    part = bob_client.get(off["hx-get"], headers=HTMX)
    assert effects(part) == []
    assert part["HX-Push-Url"] == "/w/lab/runs?q=tag.quality:good"


def test_clearing_the_search_ends_its_explanation(bob_client: Client, four: list[Any]) -> None:
    page = bob_client.get(LIST, {"q": "tag.quality:good submitter:bob", "explain": "1"})

    assert link_of(page, "Clear all") == LIST


def test_without_scripts_the_page_explains_itself(bob_client: Client, four: list[Any]) -> None:
    page = read(bob_client.get(LIST, {"q": "tag.quality:good submitter:bob"}))

    explained = bob_client.get(page.href(id="runs-explain_button"))
    assert effects(explained) == ["−1", "−1"]
    assert len(rows(explained)) == 2


def test_a_condition_that_is_switched_off_removes_nothing(
    bob_client: Client, four: list[Any]
) -> None:
    asked = {"q": "tag.quality:good", "off": "submitter:bob", "explain": "1"}

    assert effects(bob_client.get(LIST, asked)) == ["−1"]


def test_a_list_without_filters_has_nothing_to_explain(bob_client: Client, run: Any) -> None:
    assert "runs-explain_button" not in read(bob_client.get(LIST)).ids()


def test_an_empty_list_says_which_filter_to_drop(bob_client: Client, four: list[Any]) -> None:
    page = bob_client.get(LIST, {"q": "tag.quality:good status:Failed", "order": "name"})
    box = read(page).one("div", id="runs-explain")
    assert box["hx-trigger"] == "load"

    part = bob_client.get(box["hx-get"], headers=HTMX)
    assert "Without status: Failed : 3 runs" in read(part).text
    assert "Without tag" not in read(part).text
    there = bob_client.get(link_of(part, "Without status: Failed"))
    assert dict(there.wsgi_request.GET.items()) == {"q": "tag.quality:good", "order": "name"}
    assert len(rows(there)) == 3


def test_where_one_is_not_enough_two_are_named(bob_client: Client, four: list[Any]) -> None:
    asked = {"q": "tag.quality:bad status:Failed type:script", "explain": "1"}

    page = bob_client.get(LIST, asked)
    link = link_of(page, "Without status: Failed and run type: script")
    assert "1 run" in read(page).text
    assert rows(bob_client.get(link)) == [four[2].uid]


@pytest.mark.parametrize("children", ["", "tree"])
def test_an_empty_list_of_root_runs_offers_child_runs(
    bob_client: Client, run: Any, children: str
) -> None:
    child = make.run(run.experiment, parent=run, tags={"quality": "good"})
    asked = {"q": "tag.quality:good", "children": children, "explain": "1"}

    page = bob_client.get(LIST, asked)
    assert rows(bob_client.get(link_of(page, "Search child runs too"))) == [child.uid]


def test_child_runs_are_not_offered_where_they_help_nothing(bob_client: Client, run: Any) -> None:
    make.run(run.experiment, parent=run)

    page = read(bob_client.get(LIST, {"q": "tag.quality:good", "explain": "1"}))
    assert "child runs too" not in page.text


@pytest.mark.parametrize(
    ("query", "words"),
    [("x1 x2 x3", "No filter alone"), ("x1", "Nor does one without"), ("x1 x2", "Nor does one")],
)
def test_where_no_filter_is_the_reason_that_is_said(
    bob_client: Client, workspace: Any, query: str, words: str
) -> None:
    assert words in read(bob_client.get(LIST, {"q": query, "explain": "1"})).text


def test_a_toggle_that_empties_the_list_is_named_too(
    bob_client: Client, carol_client: Client, run: Any
) -> None:
    page = carol_client.get(LIST, {"q": "status:Running", "mine": "1", "explain": "1"})

    assert rows(carol_client.get(link_of(page, "Runs of everybody"))) == [run.uid]
    page = bob_client.get(LIST, {"only": "1", "explain": "1"})
    assert rows(bob_client.get(link_of(page, "Not only the selected runs"))) == [run.uid]


def test_an_archived_run_is_found_by_dropping_what_hides_it(
    bob_client: Client, run: Any, people: Any
) -> None:
    actions.complete_run(run, by=make.actor(people.bob))

    page = bob_client.get(LIST, {"q": "is:archived status:Completed", "explain": "1"})
    assert rows(bob_client.get(link_of(page, "Without archived"))) == [run.uid]


@pytest.mark.parametrize("query", ["(((", "duration>x", "status:nonsense"])
def test_what_cannot_be_read_is_not_explained(bob_client: Client, run: Any, query: str) -> None:
    assert bob_client.get("/w/lab/runs-explain", {"q": query}).status_code == 200
    assert bob_client.get(LIST, {"q": query, "explain": "1"}).status_code == 422

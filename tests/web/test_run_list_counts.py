"""The total and the counters of a list of runs, which keep up with the runs by themselves."""

from typing import Any

import pytest
from django.test import Client

from studio.runs import actions
from tests import make
from tests.web.pages import HTMX, Read, read, rows

LIST = "/w/lab/runs"
COUNTS = "/w/lab/runs-counts"


def asks(page: Read) -> dict[str, str]:
    """The element that asks for the counters."""
    return page.one("div", id="runs-counts")


def first(client: Client, **query: str) -> Read:
    """The counters as the list with that query loads them after its rows."""
    loads = asks(read(client.get(LIST, query)))
    assert loads["hx-trigger"] == "load"
    return read(client.get(loads["hx-get"], headers=HTMX))


def is_silent(client: Client, url: str) -> bool:
    """Whether there is nothing to tell; a minute that begins meanwhile is told once."""
    answer = client.get(url, headers=HTMX)
    if answer.status_code == 200 and read(answer).ids() == ["runs-counts"]:
        answer = client.get(asks(read(answer))["hx-get"], headers=HTMX)
    return answer.status_code == 204


@pytest.fixture
def going_on(experiment: Any) -> Any:
    """A run that goes on, and 30 newer ones that have ended."""
    by = make.actor(make.contributor_of(experiment.workspace))
    run = make.run(experiment, display_name="goes on")
    for _ in range(30):
        actions.complete_run(make.run(experiment), by=by)
    return run


@pytest.mark.parametrize("query", [{"size": "25"}, {"group": "status"}, {"q": "status:Completed"}])
def test_counters_are_news_though_no_row_of_the_page_changed(
    bob_client: Client, going_on: Any, query: dict[str, str]
) -> None:
    page = first(bob_client, **query)
    assert "Running 1" in page.text
    assert asks(page)["hx-trigger"].startswith("every ")
    url = asks(page)["hx-get"]
    assert is_silent(bob_client, url)

    actions.fail_run(going_on, by=make.actor(going_on.submitter), reason="melted")
    news = read(bob_client.get(url, headers=HTMX))

    assert "Running 0" in news.text
    assert "Failed 1" in news.text
    assert "hx-get" not in asks(news), "nothing goes on any more"


def test_counters_that_stayed_the_same_are_not_drawn_again(
    bob_client: Client, going_on: Any, experiment: Any
) -> None:
    url = asks(first(bob_client, q="name~goes"))["hx-get"]
    make.run(experiment, display_name="another")

    answer = bob_client.get(url, headers=HTMX)

    assert read(answer).ids() == ["runs-counts"]
    assert is_silent(bob_client, asks(read(answer))["hx-get"])


def test_a_list_in_which_no_run_goes_on_asks_for_no_counters(
    bob_client: Client, going_on: Any
) -> None:
    assert "hx-get" not in asks(first(bob_client, q="-name~goes"))
    assert "hx-get" not in asks(first(bob_client, q="tag.none:x"))


def test_a_newer_run_brings_the_counters_of_a_list_in_which_none_went_on(
    bob_client: Client, run: Any, experiment: Any
) -> None:
    actions.complete_run(run, by=make.actor(run.submitter))
    url = read(bob_client.get(LIST)).one("div", id="runs-newer")["hx-get"]
    make.run(experiment)

    news = read(bob_client.get(url, headers=HTMX))

    assert asks(news)["hx-trigger"] == "load"
    counters = read(bob_client.get(asks(news)["hx-get"], headers=HTMX))
    assert "Running 1 Completed 1" in counters.text
    assert asks(counters)["hx-trigger"].startswith("every ")


def test_made_up_numbers_are_answered_with_those_there_are(bob_client: Client, run: Any) -> None:
    page = read(bob_client.get(COUNTS, {"v": "x", "shown": "\0"}, headers=HTMX))

    assert "Running 1" in page.text
    assert rows(bob_client.get(LIST)) == [run.uid]

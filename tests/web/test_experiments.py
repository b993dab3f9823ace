"""All experiments."""

from typing import Any

from django.test import Client

from studio.runs import actions
from tests import make
from tests.web.pages import HTMX, read

PAGE = "/w/lab/experiments"


def test_experiments_are_listed_by_latest_submission(bob_client: Client, workspace: Any) -> None:
    first, second = make.experiment(workspace, "first"), make.experiment(workspace, "second")
    make.run(second)
    run = make.run(first, display_name="the newest")

    text = read(bob_client.get(PAGE)).text
    assert text.index("first the newest") < text.index("second second-1")
    assert run.page_path in bob_client.get(PAGE).content.decode()


def test_a_row_tells_its_runs_by_status(bob_client: Client, run: Any, experiment: Any) -> None:
    actions.complete_run(make.run(experiment), by=make.actor(run.submitter))

    assert b"Runs of vision: 1 running, 1 completed" in bob_client.get(PAGE).content


def test_the_part_and_the_page_carry_the_same_rows(bob_client: Client, run: Any) -> None:
    page, part = bob_client.get(PAGE), bob_client.get(PAGE, headers=HTMX)

    assert read(part).text in read(page).text
    for answer in (page, part):
        assert "HX-Request" in answer["Vary"]


def test_a_search_finds_by_part_of_the_name(bob_client: Client, workspace: Any) -> None:
    for name in ("vision", "nlp"):
        make.experiment(workspace, name)

    assert "nlp" not in read(bob_client.get(PAGE, {"q": "VIS"}, headers=HTMX)).text
    missing = read(bob_client.get(PAGE, {"q": "<b>"}, headers=HTMX)).text
    assert "No name in this workspace holds “<b>”" in missing


def test_more_than_a_page_of_experiments_can_all_be_reached(
    bob_client: Client, workspace: Any
) -> None:
    for n in range(101):
        make.experiment(workspace, f"e{n:03}")
    first = read(bob_client.get(PAGE))
    more = next(own["href"] for _, own in first.elements if "from=100" in own.get("href", ""))

    second = read(bob_client.get(more))
    names = {text for text in first.texts + second.texts if text.startswith("e") and len(text) == 4}
    assert len(names) == 101


def test_a_workspace_without_experiments_says_where_they_come_from(bob_client: Client) -> None:
    assert "No experiments yet" in read(bob_client.get(PAGE)).text

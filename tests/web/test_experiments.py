"""All experiments."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from studio.runs import actions
from studio.runs.actions.experiments import archive_experiment, star_experiment
from studio.runs.models import Experiment, Run
from studio.runs.querysets import COUNTED_TO
from studio.runs.summaries import Summary
from studio.web.experiment_state import ExperimentState
from studio.web.experiments import ExperimentRow
from tests import make
from tests.rows import all_rows, changed_tables
from tests.web.pages import HTMX, Read, read

PAGE = "/w/lab/experiments"
ROW = "experiments-row-"


def names(answer: Any) -> list[str]:
    """The experiments shown, in order."""
    return [one.removeprefix(ROW) for one in read(answer).ids(ROW)]


def header(page: Read, label: str) -> dict[str, str]:
    """The link of a column's header."""
    return page.one("a", title=label)


def test_experiments_are_listed_by_latest_submission(bob_client: Client, workspace: Any) -> None:
    first, second = make.experiment(workspace, "first"), make.experiment(workspace, "second")
    make.run(second)
    run = make.run(first, display_name="the newest")

    answer = bob_client.get(PAGE)
    assert names(answer) == ["first", "second"]
    assert "the newest" in read(answer).text
    assert run.page_path in answer.content.decode()


def test_the_bar_of_a_row_leads_to_the_runs_of_each_status(
    bob_client: Client, run: Any, experiment: Any
) -> None:
    done = make.run(experiment)
    actions.complete_run(done, by=make.actor(run.submitter))

    page = read(bob_client.get(PAGE))
    assert page.one("svg", role="group")["aria-label"] == "Runs of vision by status"
    for words, there in (("1 running", run), ("1 completed", done)):
        part = page.one("a", **{"aria-label": words})
        listed = bob_client.get(part["href"])
        assert read(listed).ids("runs-row-link-") == [f"runs-row-link-{there.uid}"]


def test_a_row_tells_its_runs_and_who_submitted_them(
    bob_client: Client, experiment: Any, people: Any
) -> None:
    for who in (people.alice, people.bob):
        make.run(experiment, by=who)

    page = read(bob_client.get(PAGE))
    assert page.one("span", **{"class": "submitters"})["title"] == "bob, alice"
    page.one("a", **{"aria-label": "2 runs of vision"})


def test_more_than_three_submitters_are_a_number(
    bob_client: Client, workspace: Any, experiment: Any, people: Any
) -> None:
    from studio.accounts.actions import set_member
    from studio.accounts.models import Role

    for name in ("erin", "frank", "grace"):
        person = make.user(name)
        set_member(workspace, person, Role.CONTRIBUTOR, by=make.actor(people.alice))
        make.run(experiment, by=person)
    make.run(experiment, by=people.alice)

    page = read(bob_client.get(PAGE))
    assert "alice, grace, frank +1" in page.text


def test_a_number_that_was_not_counted_to_its_end_says_so(experiment: Any) -> None:
    summary = Summary({"Completed": COUNTED_TO + 1, "Failed": 2})
    row = ExperimentRow(experiment, False, PAGE, summary)

    assert row.n_runs == "10,002+"
    assert [part.words for part in row.parts] == ["10,000+ completed", "2 failed"]


def test_the_part_and_the_page_carry_the_same_rows(bob_client: Client, run: Any) -> None:
    page, part = bob_client.get(PAGE), bob_client.get(PAGE, headers=HTMX)

    assert names(part) == names(page) == ["vision"]
    assert part["HX-Push-Url"] == PAGE
    for answer in (page, part):
        assert "HX-Request" in answer["Vary"]


def test_the_two_lists_are_tabs(bob_client: Client, workspace: Any) -> None:
    page = read(bob_client.get(PAGE))

    here = page.one("a", **{"class": "tab", "aria-current": "page"})
    assert here["href"] == PAGE
    assert page.one("a", **{"class": "tab", "href": "/w/lab/runs"})


def test_a_search_finds_by_part_of_the_name(bob_client: Client, workspace: Any) -> None:
    for name in ("vision", "nlp"):
        make.experiment(workspace, name)

    assert names(bob_client.get(PAGE, {"q": "VIS"}, headers=HTMX)) == ["vision"]
    missing = read(bob_client.get(PAGE, {"q": "<b>"}, headers=HTMX)).text
    assert "No name here holds “<b>”" in missing


def test_each_header_sorts_and_turns_the_order_round(bob_client: Client, workspace: Any) -> None:
    for name, n_runs in (("b", 2), ("a", 0), ("c", 1)):
        made = make.experiment(workspace, name)
        for _ in range(n_runs):
            make.run(made)
    orders = {
        "Sort by name": (["a", "b", "c"], ["c", "b", "a"]),
        "Sort by runs": (["b", "c", "a"], ["a", "c", "b"]),
        "Sort by submitted": (["b", "c", "a"], ["c", "b", "a"]),
    }
    for label, (first, second) in orders.items():
        # The newest come first already: the first click turns that round.
        page = read(bob_client.get(PAGE))
        answer = bob_client.get(header(page, label)["href"])
        assert names(answer) == first, label
        assert names(bob_client.get(header(read(answer), label)["href"])) == second, label


def test_the_header_of_the_sorted_column_says_how(bob_client: Client, experiment: Any) -> None:
    for query, words in (
        ("", "descending"),
        ("?sort=latest", "ascending"),
        ("?sort=x", "descending"),
    ):
        page = read(bob_client.get(PAGE + query))
        assert page.one("th", **{"class": "c-submitted"})["aria-sort"] == words
        assert sum("aria-sort" in own for _, own in page.elements) == 1


def test_starred_experiments_come_first_or_alone(
    bob_client: Client, workspace: Any, people: Any
) -> None:
    made = [make.experiment(workspace, name) for name in ("one", "two", "three")]
    star_experiment(made[0], by=make.actor(people.bob), starred=True)
    star_experiment(made[1], by=make.actor(people.carol), starred=True)

    page = read(bob_client.get(PAGE))
    assert names(bob_client.get(header(page, "Starred first")["href"])) == ["one", "three", "two"]
    only = page.one("a", role="switch", href=f"{PAGE}?starred=1")
    assert names(bob_client.get(only["href"])) == ["one"]


def test_archived_experiments_have_their_own_list(
    bob_client: Client, workspace: Any, people: Any
) -> None:
    old = make.experiment(workspace, "old")
    make.experiment(workspace, "new")
    archive_experiment(old, by=make.actor(people.bob))

    page = bob_client.get(PAGE)
    assert names(page) == ["new"]
    archived = bob_client.get(read(page).one("a", role="switch", href=f"{PAGE}?archived=1")["href"])
    assert names(archived) == ["old"]
    assert "Reactivate" in read(archived).text


def test_a_search_keeps_the_rest_of_the_state(bob_client: Client, experiment: Any) -> None:
    answer = bob_client.get(PAGE, {"sort": "name", "starred": "1", "after": "x"})

    hidden = {
        own["name"]: own["value"]
        for tag, own in read(answer).elements
        if tag == "input"
        and own.get("type") == "hidden"
        and own.get("name") in ("sort", "starred", "after")
    }
    assert hidden == {"sort": "name", "starred": "1"}


def test_more_than_a_page_of_experiments_can_all_be_reached(
    bob_client: Client, workspace: Any
) -> None:
    now = timezone.now()
    Experiment.objects.bulk_create(
        Experiment(workspace=workspace, name=f"e{n:03}", latest_run_at=now) for n in range(120)
    )
    seen, address = [], f"{PAGE}?sort=name"
    while address:
        answer = bob_client.get(address)
        seen.append(names(answer))
        links = [own["href"] for _, own in read(answer).elements if own.get("rel") == "next"]
        address = links[0] if links else ""
    assert [len(one) for one in seen] == [50, 50, 20]
    assert [name for one in seen for name in one] == [f"e{n:03}" for n in range(120)]
    back = read(answer).one("a", rel="prev")["href"]
    assert names(bob_client.get(back)) == seen[1]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "No experiments yet"),
        ("?starred=1", "No starred experiments"),
        ("?archived=1", "No archived experiments"),
        ("?q=x", "No experiment is called like that"),
        ("?q=%00", "No experiment is called like that"),
    ],
)
def test_an_empty_list_says_why(bob_client: Client, query: str, words: str) -> None:
    page = read(bob_client.get(PAGE + query))

    assert words in page.text


def test_a_reader_is_told_why_the_menu_is_disabled(carol_client: Client, experiment: Any) -> None:
    page = read(carol_client.get(PAGE))

    assert "Your role does not allow changing experiments" in page.text
    assert "/w/lab/experiments/vision/archive" not in carol_client.get(PAGE).content.decode()


def test_hostile_text_is_shown_as_text(bob_client: Client, workspace: Any) -> None:
    evil = '"><img src=x onerror=alert(1)>'
    experiment = make.experiment(workspace, "evil")
    make.run(experiment, display_name=evil)
    Experiment.objects.filter(pk=experiment.pk).update(name=evil)

    for answer in (bob_client.get(PAGE), bob_client.get(PAGE, {"q": evil})):
        assert answer.status_code == 200
        assert "<img" not in answer.content.decode()
        assert evil in read(answer).texts


def test_other_workspaces_are_not_told_of(bob_client: Client, workspace: Any, people: Any) -> None:
    other = make.workspace("other", owner=people.dave, contributor=people.alice)
    make.run(make.experiment(other, "theirs"))

    for query in ("", "?archived=1", "?sort=runs", "?sort=starred", "?q=the"):
        assert names(bob_client.get(PAGE + query)) == []


def test_looking_changes_nothing(bob_client: Client, run: Any) -> None:
    before = all_rows()

    for query in ("", "?archived=1", "?sort=runs", "?starred=1&sort=starred", "?after=x"):
        bob_client.get(PAGE + query)
    assert not changed_tables(before)


def test_a_hidden_run_is_not_the_latest(bob_client: Client, run: Any, experiment: Any) -> None:
    for number, field in enumerate(("archived_at", "deleted_at")):
        hidden = make.run(experiment, display_name=f"hidden {number}")
        Run.objects.filter(pk=hidden.pk).update(**{field: timezone.now()})

    page = read(bob_client.get(PAGE))
    assert "hidden" not in page.text
    page.one("a", **{"aria-label": "1 run of vision"})


def test_the_state_is_written_as_it_was_read() -> None:
    query = {"q": "a b", "sort": "-runs", "archived": "1", "starred": "1", "after": "x"}

    state = ExperimentState.from_query(query)
    assert state.parameters() == query
    assert state.to_query() == "?q=a+b&sort=-runs&archived=1&starred=1&after=x"
    assert state.with_sort("-latest").to_query() == "?q=a+b&archived=1&starred=1"
    assert ExperimentState.from_query({"sort": "size", "archived": "yes"}) == ExperimentState()

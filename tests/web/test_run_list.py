"""All runs, and the runs of one experiment."""

from typing import Any

import pytest
from django.test import Client

from studio.runs import actions
from studio.web import run_list_parts
from tests import make
from tests.web.pages import HTMX, read, rows

LIST = "/w/lab/runs"


@pytest.fixture
def three(experiment: Any) -> list[Any]:
    """Newest first: completed and tagged, failed, running."""
    by = make.actor(make.contributor_of(experiment.workspace))
    running = make.run(experiment, display_name="warm up")
    failed = make.run(experiment, display_name="too hot", tags={"quality": "bad"})
    actions.fail_run(failed, by=by, reason="melted")
    done = make.run(experiment, display_name="just right", tags={"quality": "great", "seen": None})
    actions.complete_run(done, by=by)
    return [done, failed, running]


def uids(runs: list[Any]) -> list[str]:
    return [run.uid for run in runs]


def test_every_run_is_listed_newest_first(bob_client: Client, three: list[Any]) -> None:
    answer = bob_client.get(LIST)

    assert rows(answer) == uids(three)
    assert "3 runs" in counts(bob_client, answer).text


def counts(client: Client, answer: Any) -> Any:
    """What the page loads after its rows."""
    urls = [own.get("hx-get", "") for _, own in read(answer).elements]
    return read(client.get(next(url for url in urls if "/runs-counts" in url), headers=HTMX))


def test_the_part_and_the_page_carry_the_same_rows(bob_client: Client, three: list[Any]) -> None:
    page, part = bob_client.get(LIST), bob_client.get(LIST, headers=HTMX)

    assert rows(part) == rows(page)
    assert b"<html" in page.content
    assert b"<html" not in part.content
    for answer in (page, part):
        assert "HX-Request" in answer["Vary"]


def test_a_query_narrows_the_list_and_its_total(bob_client: Client, three: list[Any]) -> None:
    answer = bob_client.get(LIST, {"q": "status:failed tag.quality:bad"})

    assert rows(answer) == [three[1].uid]
    assert "1 run" in counts(bob_client, answer).text


def test_without_javascript_a_link_counts_the_runs(bob_client: Client, three: list[Any]) -> None:
    link = next(
        own["href"]
        for _, own in read(bob_client.get(LIST, {"q": "status:failed"})).elements
        if own.get("href", "").endswith("counts=1")
    )

    page = read(bob_client.get(link))
    assert "1 run" in page.text
    assert "Completed 1" in page.text


def test_a_pill_removes_its_condition(bob_client: Client, three: list[Any]) -> None:
    page = read(bob_client.get(LIST, {"q": "status:failed tag.quality:bad"}))

    without = page.href(**{"aria-label": "Remove filter status: failed"})
    assert bob_client.get(without).wsgi_request.GET["q"] == "tag.quality:bad"


def test_the_counters_ignore_their_own_filter_and_lead_to_it(
    bob_client: Client, three: list[Any]
) -> None:
    page = counts(bob_client, bob_client.get(LIST, {"q": "status:failed"}))

    assert "Completed 1" in page.text
    counters = [own for _, own in page.elements if "counter" in own.get("class", "").split()]
    completed = next(own["href"] for own in counters if "Completed" in own["href"])
    assert rows(bob_client.get(completed)) == [three[0].uid]


def test_a_counter_says_when_there_are_more_than_it_counts(
    bob_client: Client, three: list[Any], experiment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make.run(experiment, display_name="warm up again")
    monkeypatch.setattr(run_list_parts, "EXACT_UP_TO", 1)

    page = counts(bob_client, bob_client.get(LIST))

    assert "Running 1+" in page.text
    assert "Completed 1 " in page.text
    assert "1+ runs" in page.text


def test_a_chip_filters_the_list_to_its_tag(bob_client: Client, three: list[Any]) -> None:
    page = read(bob_client.get(LIST))

    for title in ("quality: great", "seen"):
        condition = page.one("button", title=title)["value"]
        answer = bob_client.get(LIST, {"add": condition}, follow=True)
        assert rows(answer) == [three[0].uid]
        assert answer.redirect_chain[0][0].startswith(f"{LIST}?q=")


def test_only_my_runs_leaves_out_those_of_others(
    bob_client: Client, three: list[Any], people: Any, experiment: Any
) -> None:
    mine = make.run(experiment, by=people.alice)

    assert rows(make.client(people.alice).get(LIST, {"mine": "1"})) == [mine.uid]
    assert rows(bob_client.get(LIST, {"mine": "1"})) == uids(three)


def test_child_runs_show_as_a_roll_up_until_they_are_included(
    bob_client: Client, run: Any, experiment: Any
) -> None:
    child = make.run(experiment, parent=run)
    actions.complete_run(child, by=make.actor(run.submitter))

    answer = bob_client.get(LIST)
    assert rows(answer) == [run.uid]
    assert "1 of 1 completed" in answer.content.decode()
    assert rows(bob_client.get(LIST, {"children": "1"})) == [child.uid, run.uid]


def test_pages_follow_each_other_without_gap_or_repeat(bob_client: Client, experiment: Any) -> None:
    runs = [make.run(experiment) for _ in range(60)]
    first = bob_client.get(LIST, {"size": "25"})
    seen = rows(first)
    while older := older_url(first):
        make.run(experiment)
        first = bob_client.get(older)
        seen += rows(first)

    assert seen == uids(runs[::-1])


def older_url(answer: Any) -> str:
    found = [own["href"] for _, own in read(answer).elements if own.get("rel") == "next"]
    return found[0] if found else ""


def test_a_wrong_query_marks_the_place_and_keeps_the_text(
    bob_client: Client, three: list[Any]
) -> None:
    answer = bob_client.get(LIST, {"q": "warm status:"})
    page = read(answer)

    assert answer.status_code == 422
    assert page.one("input", id="runs-q")["value"] == "warm status:"
    assert "<mark>" in answer.content.decode()
    assert "For example:" in page.text


def test_a_wrong_query_leaves_the_last_good_results_in_place(
    bob_client: Client, three: list[Any]
) -> None:
    part = bob_client.get(LIST, {"q": "status:"}, headers=HTMX)

    assert part.status_code == 422
    assert part["HX-Retarget"] == "#runs-query_error"
    assert part["HX-Push-Url"] == "false"
    assert read(part).ids("runs-") == ["runs-query_error"]


def test_the_box_that_is_typed_into_is_not_replaced(bob_client: Client, three: list[Any]) -> None:
    typing = {**HTMX, "HX-Trigger": "runs-search"}

    assert "runs-search" not in read(bob_client.get(LIST, {"q": "warm"}, headers=typing)).ids()
    assert "runs-search" in read(bob_client.get(LIST, {"q": "warm"}, headers=HTMX)).ids()


def test_no_match_offers_to_clear_the_search(bob_client: Client, three: list[Any]) -> None:
    page = read(bob_client.get(LIST, {"q": "nowhere"}))

    assert "No run matches" in page.text
    assert ("a", LIST) in [(tag, own.get("href")) for tag, own in page.elements]


def test_an_empty_workspace_shows_the_lines_that_fill_it(bob_client: Client) -> None:
    page = read(bob_client.get(LIST, headers={"Host": "localhost"}))

    assert "No runs yet" in page.text
    assert "http://localhost" in page.text


def test_an_experiment_lists_its_own_runs_only(
    bob_client: Client, three: list[Any], workspace: Any
) -> None:
    other = make.run(make.experiment(workspace, "nlp"))

    assert rows(bob_client.get("/w/lab/experiments/vision")) == uids(three)
    assert rows(bob_client.get("/w/lab/experiments/nlp")) == [other.uid]
    assert bob_client.get("/w/lab/experiments/none").status_code == 404


def test_the_menu_of_experiments_filters_all_runs(
    bob_client: Client, three: list[Any], workspace: Any
) -> None:
    other = make.run(make.experiment(workspace, "nlp"))
    page = read(bob_client.get(LIST))

    links = [own["href"] for _, own in page.elements if own.get("href", "").endswith("nlp")]
    assert rows(bob_client.get(next(link for link in links if "?" in link))) == [other.uid]


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '"><img src=x>', "a & b"])
def test_hostile_names_are_shown_literally(bob_client: Client, experiment: Any, name: str) -> None:
    make.run(experiment, display_name=name, tags={name: name})

    page = read(bob_client.get(LIST))
    assert name in page.texts
    assert not [own for tag, own in page.elements if tag == "img"]
    assert all("src" in own for tag, own in page.elements if tag == "script")


@pytest.mark.parametrize(
    "query", [{"after": "made up"}, {"before": "AAAA"}, {"size": "7"}, {"size": "²"}, {"x": "1"}]
)
def test_a_made_up_address_shows_the_first_page(
    bob_client: Client, three: list[Any], query: dict[str, str]
) -> None:
    assert rows(bob_client.get(LIST, query)) == uids(three)


def live_url(answer: Any) -> str:
    found = [
        own.get("hx-get", "") for _, own in read(answer).elements if own.get("id") == "runs-live"
    ]
    return found[0] if found else ""


def test_a_row_is_news_only_when_something_in_it_changed(
    bob_client: Client, three: list[Any], people: Any
) -> None:
    url = live_url(bob_client.get(LIST))
    assert bob_client.get(url, headers=HTMX).status_code == 204

    actions.complete_run(three[2], by=make.actor(people.bob))
    news = bob_client.get(url, headers=HTMX)
    assert rows(news) == [three[2].uid]
    assert "runs-counters" in read(news).ids()
    assert live_url(news) == ""


def test_a_finished_parent_stays_live_while_its_child_runs_go_on(
    bob_client: Client, run: Any, experiment: Any, people: Any
) -> None:
    child = make.run(experiment, parent=run)
    actions.complete_run(run, by=make.actor(people.bob))
    url = live_url(bob_client.get(LIST))

    actions.fail_run(child, by=make.actor(people.bob))
    assert "1 failed" in bob_client.get(url, headers=HTMX).content.decode()


def test_a_list_of_finished_runs_asks_for_nothing(
    bob_client: Client, run: Any, people: Any
) -> None:
    actions.complete_run(run, by=make.actor(people.bob))

    assert live_url(bob_client.get(LIST)) == ""


@pytest.mark.parametrize("made_up", ["", "x", "eJwDAAAAAAE", "AAAA"])
def test_made_up_rows_are_no_news(bob_client: Client, run: Any, made_up: str) -> None:
    assert bob_client.get("/w/lab/runs-live", {"rows": made_up}).status_code == 204


def newer_url(answer: Any) -> str:
    return str(read(answer).one("div", id="runs-newer").get("hx-get", ""))


def test_newer_runs_are_told_and_loaded_on_a_click(bob_client: Client, experiment: Any) -> None:
    make.run(experiment, display_name="net a")
    url = newer_url(bob_client.get(LIST, {"q": "net"}))
    make.run(experiment, display_name="other")
    assert bob_client.get(url, headers=HTMX).status_code == 204

    fresh = [make.run(experiment, display_name=f"net {name}") for name in "bc"]
    told = bob_client.get(url, headers=HTMX)

    assert "2 new runs" in read(told).text
    assert bob_client.get(newer_url(told), headers=HTMX).status_code == 204
    link = read(told).one("a", id="runs-newer-link")["href"]
    assert rows(bob_client.get(link, headers=HTMX))[:2] == [fresh[1].uid, fresh[0].uid]
    # The list drawn anew counts from its own first row.
    again = newer_url(bob_client.get(link, headers=HTMX))
    assert bob_client.get(again, headers=HTMX).status_code == 204


def test_an_empty_list_hears_of_its_first_run(bob_client: Client, experiment: Any) -> None:
    url = newer_url(bob_client.get(LIST))
    make.run(experiment)

    assert "1 new run" in read(bob_client.get(url, headers=HTMX)).text


def test_only_the_first_page_asks_for_newer_runs(bob_client: Client, experiment: Any) -> None:
    for _ in range(30):
        make.run(experiment)
    first = bob_client.get(LIST, {"size": "25"})
    older = older_url(first)

    assert newer_url(first)
    assert newer_url(bob_client.get(older)) == ""


def test_without_a_pipeline_the_page_says_what_one_is(bob_client: Client, workspace: Any) -> None:
    shown = bob_client.get("/w/lab/pipelines").content.decode()
    assert "No pipelines yet" in shown
    assert "start_logging" not in shown

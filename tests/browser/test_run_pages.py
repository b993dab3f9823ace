"""Journeys through the run list and Run Details, in a real browser."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from studio.runs import actions
from studio.runs.models import Run
from tests import make
from tests.browser import charting

pytestmark = pytest.mark.browser
LIST = "/w/lab/runs"
Open = Callable[..., Any]


def test_a_row_changes_in_its_place_and_stays_ticked(
    open_tab: Open, people: Any, run: Any, experiment: Any
) -> None:
    other = make.run(experiment)
    tab = open_tab(people.bob)
    page = tab.open(LIST)
    page.get_by_label(f"Tick {run.display_name}").check()

    make.run(experiment)
    actions.complete_run(run, by=make.actor(people.bob))

    row = page.locator(f"#runs-row-{run.uid}")
    expect(row).to_contain_text("Completed")
    expect(row.get_by_role("checkbox")).to_be_checked()
    expect(page.locator(".counters")).to_contain_text("Completed 1")
    # The new run moved nothing.
    assert page.locator("tbody tr").count() == 2
    assert page.locator("tbody tr").first.get_attribute("id") == f"runs-row-{other.uid}"
    assert tab.troubles == []


def test_searching_while_typing_keeps_caret_text_and_history(
    open_tab: Open, people: Any, experiment: Any
) -> None:
    for name in ("warm up", "just right"):
        make.run(experiment, display_name=name)
    tab = open_tab(people.bob)
    page = tab.open(LIST)
    page.keyboard.press("/")
    page.keyboard.type("just")

    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page).to_have_url(f"{tab.site}{LIST}?q=just")
    page.keyboard.type(" right")
    expect(page).to_have_url(f"{tab.site}{LIST}?q=just%20right")
    expect(page.locator("#runs-q")).to_have_value("just right")
    expect(page.locator("#runs-q")).to_be_focused()
    page.evaluate("history.back()")
    # Only the page drawn anew has it: the address changes before.
    expect(page.locator("#runs-q")).to_have_value("just")
    page.wait_for_load_state()
    page.evaluate("history.back()")
    expect(page.locator("tbody tr")).to_have_count(2)
    expect(page.locator("#runs-q")).to_have_value("")
    assert tab.troubles == []


def test_a_wrong_query_leaves_the_rows_and_the_text(open_tab: Open, people: Any, run: Any) -> None:
    page = open_tab(people.bob).open(LIST)
    page.locator("#runs-q").fill("status:")
    page.locator("#runs-q").press("Enter")

    expect(page.locator("#runs-query_error mark")).to_be_visible()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.locator("#runs-q").fill("status:running")
    expect(page.locator("#runs-query_error")).to_be_hidden()
    expect(page.locator(".pill")).to_have_count(1)


def test_a_pill_taken_away_empties_the_box_too(open_tab: Open, people: Any, run: Any) -> None:
    page = open_tab(people.bob).open(f"{LIST}?q=status:failed")
    expect(page.locator("#runs-results")).to_contain_text("No run matches")

    page.get_by_label("Remove filter").click()
    expect(page.locator("#runs-q")).to_have_value("")
    expect(page.locator("tbody tr")).to_have_count(1)


def test_a_star_is_one_click_in_the_list(open_tab: Open, people: Any, run: Any) -> None:
    page = open_tab(people.carol).open(LIST)
    page.get_by_role("button", name=f"Star {run.display_name}").click()

    expect(page.locator(".star")).to_have_attribute("aria-pressed", "true")
    assert page.url.endswith(LIST)


def test_tags_are_edited_by_keyboard_alone(open_tab: Open, people: Any, run: Any) -> None:
    tab = open_tab(people.bob)
    page = tab.open(f"{LIST}/{run.uid}")
    page.get_by_role("button", name="Edit tags").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#tags-add")).to_be_focused()
    page.keyboard.type("quality: fantastic run")
    page.keyboard.press("Enter")

    expect(page.locator(".run-meta .chip")).to_contain_text("quality: fantastic run")
    expect(page.locator("#tags-panel")).to_be_hidden()
    assert tab.troubles == []


def test_what_is_typed_into_a_panel_outlives_the_polls(
    open_tab: Open, people: Any, run: Any
) -> None:
    page = open_tab(people.bob).open(f"{LIST}/{run.uid}")
    page.get_by_role("button", name="Rename this run").click()
    page.locator("#rename-name").fill("half a na")
    actions.change_tags(run, by=make.actor(people.alice), put={"news": None})
    page.wait_for_timeout(2500)
    expect(page.locator("#rename-name")).to_have_value("half a na")

    page.keyboard.press("Escape")
    expect(page.locator(".run-meta .chip")).to_contain_text("news")


def test_a_refused_name_stays_and_says_why(open_tab: Open, people: Any, run: Any) -> None:
    page = open_tab(people.bob).open(f"{LIST}/{run.uid}")
    page.get_by_role("button", name="Rename this run").click()
    page.locator("#rename-name").fill("\u200b")
    page.keyboard.press("Enter")

    expect(page.locator("#rename-panel [role=alert]")).to_contain_text("must not be empty")
    page.locator("#rename-name").fill("better")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("better")


def test_a_cancel_is_asked_for_and_followed_to_its_end(
    open_tab: Open, people: Any, run: Any
) -> None:
    tab = open_tab(people.bob)
    page = tab.open(f"{LIST}/{run.uid}")
    page.locator("#run-cancel-button").click()
    page.locator("#cancel-reason").fill("flat loss")
    page.get_by_role("button", name="Cancel run").click()
    expect(page.locator(".run-head .note")).to_contain_text("Cancel requested by bob")

    actions.confirm_canceled(Run.objects.get(pk=run.pk), by=make.actor(people.bob))
    expect(page.locator(".run-title .status")).to_have_text("Canceled")
    expect(page.locator("#runs-details")).not_to_contain_text("Ended–")
    expect(page.locator("#run-cancel-button")).to_have_attribute("aria-disabled", "true")
    assert tab.troubles == []


def test_a_run_is_marked_as_failed_from_the_menu(open_tab: Open, people: Any, run: Any) -> None:
    page = open_tab(people.bob, width=1000).open(f"{LIST}/{run.uid}")
    page.locator("#run-more-button").click()
    page.get_by_role("menuitem", name="Mark as failed").click()
    page.locator("#fail-reason").fill("wrong labels")
    page.get_by_role("button", name="Mark as failed").click()

    expect(page.locator(".run-title .status")).to_have_text("Failed")
    expect(page.locator("#runs-details .error-tail")).to_contain_text("wrong labels")


def test_the_preview_follows_the_typing_and_a_conflict_shows_both_texts(
    open_tab: Open, people: Any, run: Any
) -> None:
    page = open_tab(people.bob).open(f"{LIST}/{run.uid}/description/edit")
    page.locator("#description-text").fill("**mine**")
    expect(page.locator("#runs-preview strong")).to_have_text("mine")

    actions.describe_run(run, "hers", by=make.actor(people.alice))
    page.get_by_role("button", name="Save description").click()
    expect(page.locator(".conflict")).to_have_text("hers")
    expect(page.locator("#description-text")).to_have_value("**mine**")
    page.get_by_role("button", name="Save mine").click()
    expect(page.locator(".prose strong")).to_have_text("mine")


def test_new_values_leave_the_rest_of_the_details_where_it_is(
    open_tab: Open, people: Any, run: Any
) -> None:
    by = make.actor(people.bob)
    actions.describe_run(run, "What it is for", by=by)
    tab = open_tab(people.bob)
    page = tab.open(f"{LIST}/{run.uid}")
    charting.log(run, charting.scalars("loss", [1.0, 0.5]))
    expect(page.locator("#runs-values")).to_contain_text("0.5")
    charting.log(run, charting.scalars("loss", [0.25], first=2))
    expect(page.locator("#runs-values")).to_contain_text("0.25")
    actions.complete_run(run, by=by)
    expect(page.locator(".run-title .status")).to_have_text("Completed")
    expect(page.locator("#runs-details")).to_contain_text("What it is for")
    assert tab.troubles == []

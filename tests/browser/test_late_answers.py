"""Answers that come late or in another order than they were asked for, in a real browser."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from studio.runs import actions
from tests import make
from tests.browser.holding import Held, HeldAnswer
from tests.waiting import wait_until

pytestmark = pytest.mark.browser
LIST = "/w/lab/runs"
Open = Callable[..., Any]


@pytest.fixture
def two(experiment: Any) -> tuple[Any, Any]:
    ended = make.run(experiment, display_name="ended")
    actions.complete_run(ended, by=make.actor(make.contributor_of(ended.workspace)))
    return make.run(experiment, display_name="goes on"), ended


def test_counts_of_a_list_that_was_left_are_dropped(
    open_tab: Open, people: Any, two: tuple[Any, Any]
) -> None:
    tab = open_tab(people.bob)
    held = Held(tab.page, "runs-counts?")
    tab.page.goto(f"{tab.site}{LIST}?q=status:Running OR status:Completed")
    tab.page.get_by_role("link", name="Completed", exact=True).click()
    expect(tab.page.locator("#runs-total")).to_have_text("1 run")

    held.let_go()
    expect(tab.page.locator("tbody tr")).to_have_count(1)
    expect(tab.page.locator("#runs-total")).to_have_text("1 run")
    assert tab.troubles == []


def test_the_list_asked_for_last_stays(open_tab: Open, people: Any, two: tuple[Any, Any]) -> None:
    tab = open_tab(people.bob)
    page = tab.open(LIST)
    held = Held(page, "mine=1")
    page.get_by_role("switch", name="Only my runs").click()
    page.locator(".counter", has_text="Completed").click()
    expect(page.locator(".pill-text")).to_have_text(["status: Completed"])

    held.let_go()
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.get_by_role("switch", name="Only my runs")).not_to_be_checked()
    expect(page).to_have_url(f"{tab.site}{LIST}?q=status:Completed")
    assert tab.troubles == []


def test_an_editor_opens_in_a_row_that_changed_meanwhile(
    open_tab: Open, people: Any, two: tuple[Any, Any]
) -> None:
    tab = open_tab(people.bob)
    page = tab.open(LIST)
    row = page.locator(f"#runs-row-{two[0].uid}")
    held = Held(page, "/edit-name")
    row.get_by_role("button", name="Rename").click(force=True)
    actions.complete_run(two[0], by=make.actor(people.bob))
    expect(row).to_contain_text("Completed")

    held.let_go()
    field = page.get_by_label("Display name", exact=True)
    expect(field).to_be_focused()
    field.fill("better")
    field.press("Enter")
    expect(page.locator(f"#runs-row-link-{two[0].uid}")).to_have_text("better")
    assert tab.troubles == []


def test_a_row_that_changed_meanwhile_opens_with_all_that_belongs_to_the_list(
    open_tab: Open, people: Any, two: tuple[Any, Any], experiment: Any
) -> None:
    make.run(experiment, display_name="child", parent=two[0])
    tab = open_tab(people.bob)
    page = tab.open(f"{LIST}?children=tree")
    held = Held(page, f"open={two[0].uid}")
    page.locator(f"#runs-expander-{two[0].uid}").click()
    actions.complete_run(two[0], by=make.actor(people.bob))
    expect(page.locator(f"#runs-row-{two[0].uid}")).to_contain_text("Completed")

    held.let_go()
    expect(page.locator("tbody tr")).to_have_count(3)
    expect(page.locator("#runs-search input[name=open]")).to_have_value(two[0].uid)
    assert tab.troubles == []


def test_a_button_under_a_pressed_pointer_stays_until_it_is_let_go(
    open_tab: Open, people: Any, two: tuple[Any, Any]
) -> None:
    page = open_tab(people.bob).open(LIST)
    row = page.locator(f"#runs-row-{two[0].uid}")
    row.get_by_role("checkbox").hover()
    page.mouse.down()
    with page.expect_response("**/runs-live?*") as answer:
        actions.complete_run(two[0], by=make.actor(people.bob))
        answer.value.finished()
    page.mouse.up()
    expect(row.get_by_role("checkbox")).to_be_checked()
    expect(row).to_contain_text("Completed")


def test_a_counter_keeps_the_focus_while_it_counts_on(
    open_tab: Open, people: Any, two: tuple[Any, Any]
) -> None:
    page = open_tab(people.bob).open(LIST)
    counter = page.get_by_role("link", name="Completed 1", exact=True)
    counter.focus()
    actions.complete_run(two[0], by=make.actor(people.bob))
    expect(page.get_by_role("link", name="Completed 2", exact=True)).to_be_focused()


def test_an_open_filter_stays_when_the_list_is_drawn_again(
    open_tab: Open, people: Any, two: tuple[Any, Any]
) -> None:
    page = open_tab(people.bob).open(f"{LIST}?q=duration>=0s")
    page.locator("#runs-pill_0").click()
    value = page.locator("#runs-filter_popover").get_by_label("Value", exact=True)
    value.fill("12")
    # A later question's answer is there: the list's would be too.
    with page.expect_response("**/runs-newer?*"):
        page.evaluate("document.dispatchEvent(new CustomEvent('studio:runs-changed'))")
    expect(value).to_have_value("12")
    expect(value).to_be_focused()


def test_a_value_ticked_while_others_are_looked_for_stays_ticked(
    open_tab: Open, people: Any, two: tuple[Any, Any]
) -> None:
    by = make.actor(people.bob)
    for run, value in zip(two, ("good", "bad"), strict=True):
        actions.change_tags(run, by=by, put={"quality": value})
    tab = open_tab(people.bob)
    page = tab.open(f"{LIST}?q=tag.quality:good")
    page.locator("#runs-pill_0").click()
    panel = page.locator("#runs-filter_popover")
    held = Held(page, "find=BA")
    panel.get_by_label("Find a value").fill("BA")
    held.expect_asked()
    panel.get_by_role("checkbox", name="bad").check()

    held.let_go()
    expect(panel.get_by_role("checkbox", name="BA as typed")).to_be_visible()
    expect(panel.get_by_role("checkbox", name="bad")).to_be_checked()
    expect(panel.get_by_role("checkbox", name="good")).to_be_checked()
    assert tab.troubles == []


def test_enter_on_a_search_that_is_shown_adds_no_step_to_the_history(
    open_tab: Open, people: Any, two: tuple[Any, Any]
) -> None:
    tab = open_tab(people.bob)
    page = tab.open(LIST)
    page.locator("#runs-q").press_sequentially("ended")
    expect(page.locator("tbody tr")).to_have_count(1)
    with page.expect_response("**/runs?q=ended*"):
        page.keyboard.press("Enter")
    expect(page.locator("#runs-total")).to_have_text("1 run")

    page.go_back()
    expect(page).to_have_url(f"{tab.site}{LIST}")
    expect(page.locator("tbody tr")).to_have_count(2)
    page.go_forward()
    expect(page).to_have_url(f"{tab.site}{LIST}?q=ended")
    expect(page.locator("#runs-q")).to_have_value("ended")
    expect(page.locator("tbody tr")).to_have_count(1)
    assert tab.troubles == []


def test_what_has_just_come_can_be_clicked_at_once(
    open_tab: Open, people: Any, two: tuple[Any, Any], experiment: Any
) -> None:
    make.run(experiment, display_name="child", parent=two[0])
    page = open_tab(people.bob).open(f"{LIST}?children=tree")
    expander = page.locator(f"#runs-expander-{two[0].uid}")
    # Pressed in the moment in which it stands on the page, before anything else can run.
    page.evaluate(
        """id => new MutationObserver((_, observer) => {
          const found = document.getElementById(id);
          if (found.ariaExpanded !== "true") return;
          observer.disconnect();
          window.isPressed = true;
          found.click();
        }).observe(document.getElementById("main"), { childList: true, subtree: true })""",
        f"runs-expander-{two[0].uid}",
    )
    expander.click()
    page.wait_for_function("() => window.isPressed")
    expect(expander).to_have_attribute("aria-expanded", "false")
    # It is still the same page: the link was followed by HTMX.
    assert page.evaluate("window.isPressed")


def test_the_details_of_a_run_show_its_end_though_older_ones_come_late(
    open_tab: Open, people: Any, run: Any
) -> None:
    tab = open_tab(people.bob)
    page = tab.open(f"{LIST}/{run.uid}")
    held = HeldAnswer(page, run.uid)
    actions.change_tags(run, by=make.actor(people.alice), put={"news": None})
    expect(page.locator(".run-meta .chip")).to_contain_text("news")
    wait_until(lambda: page.evaluate("1") and held.route)

    page.locator("#run-fail-button").click()
    page.locator("#fail-reason").fill("wrong labels")
    page.locator("#fail-panel .primary").click()
    expect(page.locator(".run-title .status")).to_have_text("Failed")
    held.let_go()
    expect(page.locator("#runs-details .error-tail")).to_contain_text("wrong labels")
    assert tab.troubles == []

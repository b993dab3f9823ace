"""What a newcomer stumbles over: focus that gets lost, rows that move, buttons without a script."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from studio.runs import actions
from tests import make
from tests.browser.charting import log, scalars
from tests.browser.conftest import sign_in

pytestmark = pytest.mark.browser
LIST = "/w/lab/runs"
# Where to keep the pictures, for eyes; else with the other files of the test.
PICTURES = os.environ.get("STUDIO_SCREENSHOTS")
Open = Callable[..., Any]


@pytest.mark.parametrize("width", [1440, 390])
def test_new_runs_are_told_without_moving_a_row(
    open_tab: Open, people: Any, run: Any, experiment: Any, width: int
) -> None:
    tab = open_tab(people.bob, width=width)
    page = tab.open(LIST)
    row = page.locator(f"#runs-row-{run.uid}")
    before = row.bounding_box()
    newer = make.run(experiment)

    hint = page.get_by_role("link", name="1 new run")
    expect(hint).to_be_visible()
    assert row.bounding_box() == before
    expect(page.locator("tbody tr")).to_have_count(1)
    hint.click()
    expect(page.locator("tbody tr")).to_have_count(2)
    expect(page.locator("tbody tr").first).to_have_id(f"runs-row-{newer.uid}")
    expect(hint).to_have_count(0)
    assert tab.troubles == []


def test_counters_keep_up_with_runs_of_other_pages(
    open_tab: Open, people: Any, experiment: Any
) -> None:
    by = make.actor(make.contributor_of(experiment.workspace))
    run = make.run(experiment)
    for _ in range(25):
        actions.complete_run(make.run(experiment), by=by)
    tab = open_tab(people.bob)
    page = tab.open(f"{LIST}?size=25")
    counter = page.locator("#runs-counter_running b")
    expect(counter).to_have_text("1")
    expect(page.locator("#runs-live")).to_have_count(0)
    actions.complete_run(run, by=by)
    expect(counter).to_have_text("0")
    expect(page.locator("#runs-total")).to_have_text("26 runs")
    expect(page.locator("#runs-counts[hx-get]")).to_have_count(0)
    assert tab.troubles == []


def test_focus_returns_to_the_button_that_opened_a_panel(
    open_tab: Open, people: Any, run: Any
) -> None:
    page = open_tab(people.bob).open(f"{LIST}/{run.uid}")
    tags, rename = page.locator("#run-tags-button"), page.get_by_label("Rename this run")
    tags.press("Enter")
    page.locator("#tags-add").press_sequentially("seen")
    page.keyboard.press("Enter")
    expect(page.locator(".run-meta .chip")).to_contain_text("seen")
    expect(tags).to_be_focused()

    rename.press("Enter")
    page.wait_for_function("() => document.activeElement.selectionEnd > 0")
    page.keyboard.type("another name")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("another name")
    expect(rename).to_be_focused()


def test_after_a_cancel_enter_does_not_kill(open_tab: Open, people: Any, run: Any) -> None:
    page = open_tab(people.bob).open(f"{LIST}/{run.uid}")
    page.locator("#run-cancel-button").press("Enter")
    page.locator("#cancel-reason").press("Enter")

    expect(page.locator(".run-head .note")).to_contain_text("Cancel requested")
    expect(page.locator("#run-refresh")).to_be_focused()


def test_refresh_stays_on_the_tab(open_tab: Open, people: Any, run: Any) -> None:
    page = open_tab(people.bob).open(f"{LIST}/{run.uid}/history")
    page.get_by_role("link", name="Refresh").click()

    page.wait_for_load_state()
    assert page.url.endswith("/history")


def test_only_the_box_that_the_slash_focuses_shows_it(
    open_tab: Open, people: Any, run: Any
) -> None:
    tab = open_tab(people.bob)
    for place in (LIST, "/w/lab/experiments", f"{LIST}/{run.uid}"):
        page = tab.open(place)
        hint = page.locator("kbd", has_text="/").filter(visible=True)
        expect(hint).to_have_count(1)
        label = hint.locator("xpath=../input").get_attribute("aria-label") or ""
        page.keyboard.press("/")
        expect(page.get_by_label(label, exact=True)).to_be_focused()


def test_a_long_name_takes_two_lines_on_the_phone(
    open_tab: Open, people: Any, experiment: Any
) -> None:
    run = make.run(experiment, display_name="W" * 255)
    page = open_tab(people.bob, width=390).open(LIST)

    box = page.locator(f"#runs-row-{run.uid}").bounding_box()
    assert box is not None
    # Three lines would be 140 and more.
    assert box["height"] < 130


def test_nothing_logged_yet_is_said_across_the_whole_width(
    open_tab: Open, people: Any, run: Any
) -> None:
    page = open_tab(people.bob).open(f"{LIST}/{run.uid}/metrics")
    box = page.locator("#runs-metrics .empty").bounding_box()
    assert box is not None
    assert box["width"] > 600


def test_a_thousand_tags_leave_the_tabs_in_reach(
    open_tab: Open, people: Any, experiment: Any
) -> None:
    run = make.run(experiment, tags={f"tag{n}": str(n) for n in range(90)})
    page = open_tab(people.bob, width=390).open(f"{LIST}/{run.uid}")

    expect(page.get_by_role("link", name="History")).to_be_attached()
    box = page.locator("#runs-tabs").bounding_box()
    assert box is not None
    assert box["y"] < 500


@pytest.mark.parametrize("width", [1440, 390])
def test_without_scripts_no_button_is_dead_and_every_page_is_in_reach(
    browser: Browser, live_server: Any, transactional_db: None, people: Any, run: Any, width: int
) -> None:
    context = browser.new_context(
        java_script_enabled=False, viewport={"width": width, "height": 800}
    )
    sign_in(context, people.bob, live_server.url)
    page = context.new_page()
    page.goto(f"{live_server.url}{LIST}/{run.uid}")

    dead = page.locator(
        "[data-theme-button], [data-copy], [data-rail-open], [data-rail-narrow], .on-phone"
    )
    expect(dead.filter(visible=True)).to_have_count(0)
    page.get_by_role("link", name="Experiments").click()
    page.wait_for_load_state()
    assert page.url.endswith("/experiments")
    context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_theme_and_help_are_in_the_account_menu_of_a_phone(
    open_tab: Open, people: Any, run: Any, theme: str, tmp_path: Path
) -> None:
    tab = open_tab(people.bob, width=390, height=844, theme=theme)
    page = tab.open(LIST)
    account = page.get_by_role("button", name="Account of bob")
    account.press("Enter")
    menu = page.get_by_role("menu", name="Account")
    expect(menu).to_be_visible()
    for item in menu.get_by_role("menuitem").all():
        box = item.bounding_box()
        assert box is not None
        assert box["height"] >= 44
        assert box["width"] >= 44
    page.screenshot(path=Path(PICTURES or tmp_path) / f"account-menu-390-{theme}.png")

    turn = menu.get_by_role("menuitem", name="Theme")
    for _ in range(menu.get_by_role("menuitem").count()):
        if "Theme" not in page.evaluate("document.activeElement.textContent"):
            page.keyboard.press("ArrowDown")
    expect(turn).to_be_focused()
    page.keyboard.press("Enter")
    expect(turn).to_have_text("Theme: light")
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    page.keyboard.press("Enter")
    expect(turn).to_have_text("Theme: dark")

    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    sheet = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(sheet.locator("kbd").first).to_be_visible()
    expect(menu).to_be_hidden()
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    expect(account).to_be_focused()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert tab.troubles == []


@pytest.mark.parametrize("width", [1440, 390])
def test_the_lines_of_an_empty_workspace_fit_and_are_copied(
    open_tab: Any, people: Any, workspace: Any, width: int
) -> None:
    tab = open_tab(people.bob, width=width)
    page = tab.open("/w/lab/runs")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy: the lines that log a run", exact=True).click()

    expect(page.locator("#toasts")).to_contain_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.locator("[data-lines=log]").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert tab.troubles == []


def test_numbers_are_copied_whole_alone_and_among_others(
    open_tab: Open, people: Any, run: Any
) -> None:
    log(run, scalars("loss", [0.5, 0.1234567890123]))
    tab = open_tab(people.bob)
    tab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = tab.open(f"{LIST}/{run.uid}")
    number = page.locator("#runs-values .value-last data")
    expect(number).to_have_text("0.123457")

    def copied(of: str) -> str:
        page.evaluate("one => getSelection().selectAllChildren(document.querySelector(one))", of)
        page.keyboard.press("Control+c")
        return str(page.evaluate("navigator.clipboard.readText()"))

    assert copied("#runs-values .value-last data") == "0.1234567890123"
    card = copied("#runs-values .values")
    assert "loss" in card
    assert "0.1234567890123" in card
    expect(number).to_have_text("0.123457")
    assert tab.troubles == []

"""The run list by the keyboard alone, in a real browser."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from studio.runs import actions
from tests import make

pytestmark = pytest.mark.browser
LIST = "/w/lab/runs"
Open = Callable[..., Any]


@pytest.fixture
def thirty(experiment: Any) -> list[Any]:
    """Newest first: run 29 … run 0."""
    return [make.run(experiment, display_name=f"run {n}") for n in range(30)][::-1]


def at(page: Page) -> Any:
    return page.locator("tr.at [data-row-link]")


def test_rows_are_walked_ticked_starred_and_opened(
    open_tab: Open, people: Any, thirty: list[Any]
) -> None:
    tab = open_tab(people.bob)
    page = tab.open(LIST)
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(at(page)).to_have_text("run 28")
    expect(at(page)).to_be_focused()

    row = page.locator(f"#runs-row-{thirty[1].uid}")
    page.keyboard.press("x")
    expect(row.get_by_role("checkbox")).to_be_checked()
    page.keyboard.press("s")
    expect(row.locator(".star")).to_have_attribute("aria-pressed", "true")
    expect(at(page)).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{LIST}/{thirty[1].uid}")
    assert tab.troubles == []


def test_escape_leaves_the_search_box_for_the_rows(
    open_tab: Open, people: Any, thirty: list[Any]
) -> None:
    page = open_tab(people.bob).open(LIST)
    page.keyboard.press("/")
    page.keyboard.type("stat")
    suggestions = page.get_by_role("listbox")
    expect(suggestions).to_be_visible()
    page.keyboard.press("Escape")
    expect(suggestions).to_be_hidden()
    expect(page.locator("#runs-q")).to_be_focused()

    page.keyboard.press("Escape")
    expect(page.locator("#runs-q")).not_to_be_focused()
    page.keyboard.press("j")
    expect(page.locator("#runs-q")).to_have_value("stat")


def test_a_row_that_changes_by_itself_keeps_place_and_focus(
    open_tab: Open, people: Any, thirty: list[Any]
) -> None:
    page = open_tab(people.bob).open(LIST)
    page.keyboard.press("j")
    page.keyboard.press("j")
    actions.complete_run(thirty[1], by=make.actor(people.bob))

    expect(page.locator(f"#runs-row-{thirty[1].uid}")).to_contain_text("Completed")
    expect(at(page)).to_have_text("run 28")
    expect(at(page)).to_be_focused()
    page.keyboard.press("j")
    expect(at(page)).to_have_text("run 27")


def test_a_focus_inside_a_row_stays_there_when_the_row_changes(
    open_tab: Open, people: Any, thirty: list[Any]
) -> None:
    page = open_tab(people.bob).open(LIST)
    row = page.locator(f"#runs-row-{thirty[1].uid}")
    row.get_by_role("checkbox").focus()
    actions.complete_run(thirty[1], by=make.actor(people.bob))

    expect(row).to_contain_text("Completed")
    expect(row.get_by_role("checkbox")).to_be_focused()


def test_pages_turn_and_the_focus_goes_to_the_first_row_if_it_was_in_the_table(
    open_tab: Open, people: Any, thirty: list[Any]
) -> None:
    tab = open_tab(people.bob)
    page = tab.open(f"{LIST}?size=25")
    page.keyboard.press("j")
    page.keyboard.press("]")
    expect(page.locator("tbody tr")).to_have_count(5)
    expect(at(page)).to_have_text("run 4")
    expect(at(page)).to_be_focused()
    page.keyboard.press("[")
    expect(page.locator("tbody tr")).to_have_count(25)
    expect(at(page)).to_be_focused()

    page.get_by_role("link", name="All runs").first.focus()
    page.keyboard.press("]")
    expect(page.locator("tbody tr")).to_have_count(5)
    expect(page.get_by_role("link", name="All runs").first).to_be_focused()
    assert tab.troubles == []


def test_child_runs_open_and_close_in_the_tree(
    open_tab: Open, people: Any, experiment: Any
) -> None:
    parent = make.run(experiment, display_name="parent")
    make.run(experiment, display_name="child", parent=parent)
    tab = open_tab(people.bob)
    page = tab.open(f"{LIST}?children=tree")
    page.keyboard.press("j")
    page.keyboard.press("ArrowRight")
    expect(page.locator("tbody tr")).to_have_count(2)
    expect(at(page)).to_have_text("parent")
    expect(at(page)).to_be_focused()

    page.keyboard.press("j")
    expect(at(page)).to_have_text("child")
    page.keyboard.press("ArrowLeft")
    expect(at(page)).to_have_text("parent")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(at(page)).to_be_focused()
    for n_rows in (2, 1, 2, 1):
        page.keyboard.press("o")
        expect(page.locator("tbody tr")).to_have_count(n_rows)
    expect(at(page)).to_have_text("parent")
    expect(at(page)).to_be_focused()
    assert tab.troubles == []


def test_the_sheet_lists_the_keys_and_g_p_opens_pipelines(
    open_tab: Open, people: Any, run: Any
) -> None:
    page = open_tab(people.bob).open(LIST)
    page.keyboard.press("?")
    sheet = page.get_by_role("dialog", name="Keyboard shortcuts")
    for words in ("Next page", "Add filter", "Edit columns", "Star the row", "Pipelines"):
        expect(sheet).to_contain_text(words)
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    page.keyboard.press("g")
    page.keyboard.press("p")
    page.wait_for_url("**/w/lab/pipelines")


def test_keys_typed_into_the_search_stay_text(open_tab: Open, people: Any, run: Any) -> None:
    page = open_tab(people.bob).open(LIST)
    page.keyboard.press("/")
    page.keyboard.type("jkxso[]fc?")

    expect(page.locator("#runs-q")).to_have_value("jkxso[]fc?")
    expect(page.locator("tr.at")).to_have_count(0)

"""The search box completes what is typed, in a real browser."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests import make
from tests.browser.holding import Held
from tests.browser.looking import broken_rules

pytestmark = pytest.mark.browser
LIST = "/w/lab/runs"
HOSTILE = "<img src=x onerror=alert(1)>"
Open = Callable[..., Any]


@pytest.fixture
def tagged(experiment: Any) -> Any:
    make.run(experiment, display_name="cold", tags={"quality": "bad"})
    tags = {"quality": "fantastic run", HOSTILE: HOSTILE, "😀 mood": "gut"}
    return make.run(experiment, display_name="warm", tags=tags)


def options(page: Page) -> Any:
    """What is offered for what is typed now, not for what was typed before."""
    return page.locator("#runs-suggestions:not([aria-busy])").get_by_role("option")


def typed(page: Page, text: str) -> Any:
    box = page.get_by_role("combobox", name="Search runs", exact=True)
    box.click()
    box.press_sequentially(text)
    return box


def without_refusals(tab: Any) -> list[str]:
    """The troubles but for refusals of half a condition, searched for while it was typed."""
    return [said for said in tab.troubles if "422" not in said]


def test_key_value_and_search_by_keys_alone(open_tab: Open, people: Any, tagged: Any) -> None:
    tab = open_tab(people.bob)
    page = tab.open(LIST)
    page.keyboard.press("/")
    box = page.locator("#runs-q")
    page.keyboard.type("tag.qu")
    expect(options(page).first).to_contain_text("tag.quality")
    expect(box).to_have_attribute("aria-expanded", "true")

    page.keyboard.press("ArrowDown")
    expect(options(page).first).to_have_attribute("aria-selected", "true")
    chosen = options(page).first.get_attribute("id") or ""
    expect(box).to_have_attribute("aria-activedescendant", chosen)
    page.keyboard.press("Enter")
    expect(box).to_have_value("tag.quality")
    expect(options(page).first).to_contain_text("tag.quality:")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    expect(box).to_have_value("tag.quality:")
    page.keyboard.type("fan")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")

    expect(box).to_have_value('tag.quality:"fantastic run"')
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(box).to_be_focused()
    expect(options(page)).to_have_count(0)
    assert without_refusals(tab) == []


def test_keys_pressed_over_an_old_list_mean_the_one_on_its_way(
    open_tab: Open, people: Any, tagged: Any
) -> None:
    page = open_tab(people.bob).open(LIST)
    held = Held(page, "text=tag.quality%3Ab")
    box = typed(page, "tag.quality:")
    expect(options(page)).to_have_count(2)
    page.keyboard.type("b")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    held.expect_asked()
    expect(box).to_have_value("tag.quality:b")

    held.let_go()
    expect(box).to_have_value("tag.quality:bad")


def test_a_click_on_an_old_list_takes_what_it_shows(
    open_tab: Open, people: Any, tagged: Any
) -> None:
    page = open_tab(people.bob).open(LIST)
    held = Held(page, "text=warm+tag.qu&")
    box = typed(page, "warm tag.q")
    expect(options(page).first).to_contain_text("tag.quality")
    page.keyboard.type("u")
    held.expect_asked()
    page.get_by_role("option").first.click()

    expect(box).to_have_value("warm tag.quality")


def test_what_follows_the_cursor_stays_and_the_caret_stands_after_the_insertion(
    open_tab: Open, people: Any, tagged: Any
) -> None:
    page = open_tab(people.bob).open(LIST)
    box = typed(page, "😀 st warm")
    for _ in range(5):
        page.keyboard.press("ArrowLeft")
    page.keyboard.type("a")
    expect(options(page).first).to_contain_text("status:")
    options(page).first.click()

    expect(box).to_have_value("😀 status: warm")
    assert box.evaluate("box => [box.selectionStart, box.selectionEnd]") == [10, 10]
    expect(box).to_be_focused()


def test_enter_searches_what_is_typed_while_nothing_is_chosen(
    open_tab: Open, people: Any, tagged: Any
) -> None:
    tab = open_tab(people.bob)
    page = tab.open(LIST)
    box = typed(page, "warm")
    page.keyboard.press("Enter")

    expect(page).to_have_url(f"{tab.site}{LIST}?q=warm")
    expect(box).to_have_value("warm")
    expect(options(page)).to_have_count(0)
    expect(page.locator("tbody tr")).to_have_count(1)


def test_escape_closes_the_list_and_keeps_the_text(
    open_tab: Open, people: Any, tagged: Any
) -> None:
    page = open_tab(people.bob).open(LIST)
    box = typed(page, "sta")
    expect(options(page).first).to_be_visible()
    page.keyboard.press("Escape")

    expect(options(page)).to_have_count(0)
    expect(box).to_have_attribute("aria-expanded", "false")
    expect(box).to_have_value("sta")
    page.keyboard.press("ArrowDown")
    expect(options(page).first).to_be_visible()
    page.keyboard.press("ArrowUp")
    expect(options(page).last).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowDown")
    expect(page.locator("[aria-selected=true]")).to_have_count(0)


def test_an_empty_box_offers_the_keys_and_tab_moves_on(
    open_tab: Open, people: Any, tagged: Any
) -> None:
    page = open_tab(people.bob).open(LIST)
    page.keyboard.press("/")
    expect(options(page).first).to_contain_text("status:")
    page.keyboard.press("Tab")

    expect(options(page)).to_have_count(0)
    expect(page.locator("#runs-q")).not_to_be_focused()


def test_the_search_of_the_frame_completes_too(open_tab: Open, people: Any, tagged: Any) -> None:
    tab = open_tab(people.bob)
    page = tab.open("/w/lab/experiments")
    box = page.get_by_role("combobox", name="Search runs in lab")
    box.click()
    box.press_sequentially("tag.quality:b")
    expect(options(page).filter(has_text="bad")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(box).to_have_value("tag.quality:bad")
    page.keyboard.press("Enter")

    page.wait_for_url("**/w/lab/runs?q=tag.quality*")
    expect(page.locator("tbody tr")).to_have_count(1)
    assert without_refusals(tab) == []


def test_hostile_names_are_offered_literally(open_tab: Open, people: Any, tagged: Any) -> None:
    tab = open_tab(people.bob)
    page = tab.open(LIST)
    box = typed(page, "tag.")
    expect(options(page).filter(has_text=HOSTILE)).to_have_count(1)
    expect(page.locator("#runs-suggestions img")).to_have_count(0)
    options(page).filter(has_text="😀").click()
    expect(box).to_have_value('tag."😀 mood"')
    page.keyboard.type(":")
    options(page).filter(has_text="gut").click()
    expect(box).to_have_value('tag."😀 mood":gut')
    expect(page.locator("tbody tr")).to_have_count(1)
    assert without_refusals(tab) == []


def test_half_a_condition_is_told_of_only_when_the_box_is_left(
    open_tab: Open, people: Any, tagged: Any
) -> None:
    tab = open_tab(people.bob)
    page = tab.open(LIST)
    with page.expect_response("**/runs?q=warm*status*") as answer:
        typed(page, "warm status:")
    assert answer.value.status == 422
    said = page.locator("#runs-query_error")
    expect(said).to_have_attribute("data-waiting", "")
    expect(said).to_be_hidden()
    assert page.locator("tbody tr").count() in {1, 2}

    page.keyboard.press("Tab")
    expect(said).to_contain_text("needs a value")
    expect(said.locator("mark")).to_be_visible()


def test_a_mistake_inside_the_text_is_told_at_once_but_quietly(
    open_tab: Open, people: Any, tagged: Any
) -> None:
    page = open_tab(people.bob).open(LIST)
    typed(page, "statsu:failed warm")

    said = page.locator("#runs-query_error")
    expect(said).to_contain_text("Did you mean status?")
    expect(said).to_have_attribute("role", "status")
    expect(page.locator("tbody tr")).to_have_count(2)
    page.keyboard.press("Enter")
    expect(said).to_have_attribute("role", "alert")
    expect(page.locator("tbody tr")).to_have_count(2)


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 390)])
def test_the_open_list_is_accessible_and_inside_the_window(
    open_tab: Open, people: Any, tagged: Any, width: int, theme: str
) -> None:
    page = open_tab(people.bob, width=width, theme=theme).open(LIST)
    typed(page, "tag.")
    expect(options(page).first).to_be_visible()
    page.keyboard.press("ArrowDown")

    box = page.locator("#runs-suggestions").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    if width < 1024:
        assert broken_rules(page) == []

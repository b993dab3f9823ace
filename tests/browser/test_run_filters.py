"""Pills and the editor of filters in a real browser: by mouse, by keyboard, without scripts."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from studio.runs.models import Run
from tests import make
from tests.browser.conftest import sign_in
from tests.browser.looking import broken_rules

pytestmark = pytest.mark.browser
LIST = "/w/lab/runs"
Open = Callable[..., Any]


@pytest.fixture
def tagged(experiment: Any) -> list[Any]:
    values = ("good", "good", "bad")
    return [make.run(experiment, tags={"quality": value}) for value in values]


def panel(page: Page) -> Any:
    return page.locator("#runs-filter_popover")


def test_a_filter_is_added_in_the_popover_by_keyboard(
    open_tab: Open, people: Any, tagged: list[Any]
) -> None:
    tab = open_tab(people.bob)
    page = tab.open(LIST)
    page.locator("#runs-filter_button").press("Enter")
    expect(panel(page)).to_be_visible()
    panel(page).get_by_role("link", name="Tag", exact=True).press("Enter")
    expect(panel(page).get_by_label("Name", exact=True)).to_be_focused()
    page.keyboard.type("qual")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Find a value")).to_be_focused()
    page.keyboard.type("BA")
    expect(panel(page).get_by_role("checkbox")).to_have_count(2)
    panel(page).get_by_role("checkbox", name="bad").check()
    page.get_by_role("button", name="Apply").press("Enter")

    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator(".pill-text")).to_have_text(["tag quality: bad"])
    expect(page).to_have_url(f"{tab.site}{LIST}?q=tag.quality:bad")
    expect(page.locator("#runs-q")).to_have_value("tag.quality:bad")
    expect(page.locator("#runs-filter_button")).to_be_focused()
    expect(panel(page)).to_be_hidden()
    assert tab.troubles == []


def test_delete_removes_the_pill_and_goes_to_the_next(
    open_tab: Open, people: Any, tagged: list[Any]
) -> None:
    page = open_tab(people.bob).open(f"{LIST}?q=tag.quality:good submitter:bob vision")
    page.locator("#runs-pill_1").press("Delete")

    expect(page.locator(".pill-text")).to_have_text(["tag quality: good", "“vision”"])
    expect(page.locator("#runs-pill_1")).to_be_focused()
    page.keyboard.press("Backspace")
    expect(page.locator(".pill")).to_have_count(1)
    expect(page.locator("#runs-pill_0")).to_be_focused()
    page.keyboard.press("Delete")
    expect(page.locator("#runs-filter_button")).to_be_focused()
    expect(page.locator("tbody tr")).to_have_count(3)


def test_escape_closes_the_editor_and_gives_the_focus_back(
    open_tab: Open, people: Any, tagged: list[Any]
) -> None:
    page = open_tab(people.bob).open(f"{LIST}?q=tag.quality:good")
    page.locator("#runs-pill_0").press("Enter")
    expect(page.get_by_label("Find a value")).to_be_focused()
    page.keyboard.press("Escape")

    expect(panel(page)).to_be_hidden()
    expect(page.locator("#runs-pill_0")).to_be_focused()


def test_a_mistake_stays_in_the_popover_with_what_was_typed(
    open_tab: Open, people: Any, tagged: list[Any]
) -> None:
    page = open_tab(people.bob).open(f"{LIST}?q=duration>0s")
    page.locator("#runs-pill_0").click()
    panel(page).get_by_label("Value", exact=True).fill("soon")
    page.get_by_role("button", name="Apply").click()

    expect(panel(page).get_by_role("alert")).to_contain_text("is not a duration")
    expect(panel(page).get_by_label("Value", exact=True)).to_have_value("soon")
    expect(page.locator("tbody tr")).to_have_count(3)
    page.get_by_label("Operator").select_option("range")
    expect(page.get_by_label("Max")).to_be_visible()
    expect(page.locator(".htmx-request, .htmx-settling")).to_have_count(0)
    page.get_by_label("Max").fill("1000d")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("#runs-pill_0")).to_contain_text("duration ≤ 1000d")
    expect(page.locator("#runs-pill_0")).to_be_focused()


def test_picked_times_are_the_readers_own(
    browser: Browser, live_server: Any, transactional_db: None, people: Any, tagged: list[Any]
) -> None:
    context = browser.new_context(timezone_id="Asia/Tokyo")
    sign_in(context, people.bob, live_server.url)
    page = context.new_page()
    page.goto(f"{live_server.url}{LIST}")
    page.locator("#runs-filter_button").click()
    panel(page).get_by_role("link", name="Submitted", exact=True).click()
    page.get_by_label("Operator").select_option("range")
    page.get_by_label("From").fill("2024-03-01T08:30")
    expect(page.locator("[data-zone]")).to_contain_text("Asia/Tokyo")
    page.get_by_role("button", name="Apply").click()

    expect(page.locator("#runs-q")).to_have_value("submitted:2024-02-29T23:30Z..")
    page.locator("#runs-pill_0").click()
    expect(page.get_by_label("From")).to_have_value("2024-03-01T08:30")
    context.close()


def test_a_day_of_a_query_is_the_readers_own(
    browser: Browser, live_server: Any, transactional_db: None, people: Any, tagged: list[Any]
) -> None:
    last_of_february = datetime(2024, 2, 29, 23, 30, tzinfo=UTC)
    Run.objects.filter(pk=tagged[0].pk).update(created_at=last_of_february)
    context = browser.new_context(timezone_id="Asia/Tokyo")
    sign_in(context, people.bob, live_server.url)
    page = context.new_page()
    page.goto(f"{live_server.url}{LIST}")
    page.goto(f"{live_server.url}{LIST}?q=submitted:2024-03-01")

    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator(f"#runs-row-{tagged[0].uid}")).to_be_visible()
    context.close()


def test_an_empty_list_finds_the_way_out_by_itself(
    open_tab: Open, people: Any, tagged: list[Any]
) -> None:
    tab = open_tab(people.bob)
    page = tab.open(f"{LIST}?q=tag.quality:good status:Failed")
    page.get_by_role("link", name="Without status: Failed").click()

    expect(page.locator("tbody tr")).to_have_count(2)
    page.locator("#runs-explain_button").press("Enter")
    expect(page.locator(".pill-effect")).to_contain_text("−1")
    expect(page.locator("#runs-explain_button")).to_be_focused()
    expect(page).to_have_url(re.compile("explain=1"))

    page.go_back()
    expect(page.locator("#runs-explain_button")).to_have_attribute("aria-checked", "false")
    expect(page.locator(".pill-effect")).to_have_count(0)
    page.go_forward()
    expect(page.locator(".pill-effect")).to_contain_text("−1")
    assert tab.troubles == []


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 390)])
def test_the_editor_is_accessible_and_fits(
    open_tab: Open, people: Any, tagged: list[Any], width: int, theme: str
) -> None:
    query = (
        "tag.quality:good -status:Failed (vision OR submitter:bob) submitted:2024-01-01T10:00Z.."
    )
    asked = f"{LIST}?q={query}&off=duration>1h&explain=1"
    page = open_tab(people.bob, width=width, theme=theme).open(asked)
    for opener in (
        "runs-filter_button",
        "runs-pill_0",
        "runs-pill_1",
        "runs-pill_2",
        "runs-pill_3",
    ):
        page.locator(f"#{opener}").click()
        expect(panel(page)).to_be_visible()
        if width > 1024:
            assert broken_rules(page, within="#runs-pills") == []
        sizes = "e => [e.scrollWidth - e.clientWidth, e.getBoundingClientRect().right]"
        over, right = panel(page).evaluate(sizes)
        assert over <= 0
        assert right <= width
        page.keyboard.press("Escape")
        expect(panel(page)).to_be_hidden()

"""Tags of the workspace renamed with a preview and put back; two people at one tag. By keyboard,
in light and dark, on a phone."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from studio.runs import actions
from studio.runs.models import Tag
from studio.work.models import Work
from studio.work.running import run_work
from tests import make
from tests.browser.looking import broken_rules

pytestmark = pytest.mark.browser
Open = Callable[..., Any]


@pytest.fixture
def runs(experiment: Any) -> list[Any]:
    return [
        make.run(experiment, tags={"quality": "great", "n" * 255: None, "grade": "A"}),
        make.run(experiment, tags={"quality": "great", "grade": "great"}),
        make.run(experiment, tags={"quality": "poor", "😀": "<b>"}),
    ]


def look(page: Page, where: str) -> None:
    """Nothing that keeps somebody from using it, and nothing wider than the window."""
    assert broken_rules(page) == [], where
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), where


def finish() -> None:
    run_work(Work.objects.latest("pk").pk)


def test_a_tag_is_merged_by_keyboard_and_put_back(
    open_tab: Open, people: Any, runs: list[Any]
) -> None:
    tab = open_tab(people.bob, width=390)
    page = tab.open("/w/lab/tags")
    page.get_by_role("link", name="Rename or merge quality").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#tags-to")).to_be_focused()
    page.keyboard.type("grade")
    preview = page.locator("#tags-preview")
    expect(preview).to_contain_text("Touches 3 runs")
    expect(preview).to_contain_text("1 run carries both")
    expect(page.locator("#tags-to")).to_be_focused()
    look(page, "dialog")
    page.get_by_label("Keep the value of “quality”").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")

    expect(page.locator("#tags-dialog")).to_have_count(0)
    expect(page.locator("#work-tray")).to_contain_text("Renaming the tag")
    finish()
    toast = page.locator("#toasts")
    expect(toast).to_contain_text("“quality” is “grade” now on 3 runs")
    expect(page.locator("#tags-results")).not_to_contain_text("quality")
    assert Tag.objects.filter(key="grade", value="great").count() == 2
    toast.get_by_role("button", name="Undo").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#work-tray")).to_contain_text("Putting back")
    finish()
    expect(page.locator("#tags-results")).to_contain_text("quality")
    assert Tag.objects.filter(key="quality").count() == 3
    page.get_by_role("link", name="quality", exact=True).click()
    expect(page.get_by_role("row", name="poor")).to_contain_text("1")
    assert tab.troubles == []


def test_who_saves_second_is_shown_both_texts_and_chooses(
    open_tab: Open, people: Any, runs: list[Any]
) -> None:
    tab = open_tab(people.bob, width=390)
    page = tab.open(f"/w/lab/runs/{runs[0].uid}")
    page.get_by_role("button", name="Edit tags").click()
    look(page, "editor")
    page.get_by_label("Value of quality").fill("mine")
    page.get_by_label("Value of grade").fill("mine too")
    actions.change_tags(
        runs[0], by=make.actor(people.alice), put={"quality": "hers", "grade": "hers too"}
    )
    page.keyboard.press("Enter")

    panel = page.get_by_role("form", name="Edit tags")
    expect(panel).to_contain_text("alice changed “grade”, “quality” meanwhile")
    expect(panel.get_by_role("group", name="quality, changed")).to_contain_text("hers")
    look(page, "conflict")
    panel.get_by_role("group", name="grade, changed").get_by_label("Take theirs").check()
    panel.get_by_role("button", name="Save tags").click()
    expect(page.locator(".run-meta .chips")).to_contain_text("quality: mine")
    expect(page.locator(".run-meta .chips")).to_contain_text("grade: hers too")
    assert [said for said in tab.troubles if "409" not in said] == []

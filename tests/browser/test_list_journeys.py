"""The seams of the run list in a real browser: the tree, what sticks, what is printed."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests import make

pytestmark = pytest.mark.browser
LIST = "/w/lab/runs"
Open = Callable[..., Any]


@pytest.fixture
def sixty(experiment: Any) -> list[Any]:
    return [make.run(experiment, display_name=f"run {n}", tags={"model": "vit"}) for n in range(60)]


def left_of(page: Page, name: str) -> float:
    box = page.get_by_role("link", name=name, exact=True).bounding_box()
    assert box is not None
    return float(box["x"])


def test_every_head_stays_in_sight_while_the_runs_scroll(
    open_tab: Open, people: Any, sixty: list[Any]
) -> None:
    page = open_tab(people.bob).open(LIST)
    expect(page.locator("#runs-total")).to_have_text("60 runs")
    page.evaluate("document.getElementById('main').scrollTop = 600")
    tops = page.locator("#runs-table thead th").evaluate_all(
        "(heads) => heads.map((head) => head.getBoundingClientRect().top)"
    )
    assert len(set(tops)) == 1


def test_child_runs_stand_further_in_than_the_run_they_are_of(
    open_tab: Open, people: Any, experiment: Any
) -> None:
    make.run(experiment, display_name="alone")
    parent = make.run(experiment, display_name="sweep")
    child = make.run(experiment, display_name="child", parent=parent)
    make.run(experiment, display_name="grandchild", parent=child)
    page = open_tab(people.bob).open(f"{LIST}?children=tree&open={parent.uid},{child.uid}")
    places = [left_of(page, name) for name in ("sweep", "child", "grandchild")]
    assert places == sorted(set(places))
    assert left_of(page, "alone") == places[0]


def test_printed_columns_keep_their_widths(open_tab: Open, people: Any, sixty: list[Any]) -> None:
    page = open_tab(people.bob, width=1000).open(LIST)
    name = page.locator("#runs-table thead .c-name")
    on_screen = name.bounding_box()
    page.emulate_media(media="print")
    on_paper = name.bounding_box()
    assert on_screen is not None
    assert on_paper is not None
    assert on_paper["width"] > on_screen["width"] / 2


def test_the_two_lists_of_a_workspace_are_tabs_of_each_other(
    open_tab: Open, people: Any, sixty: list[Any]
) -> None:
    page = open_tab(people.bob).open(LIST)
    tabs = page.get_by_role("navigation", name="Lists")
    expect(tabs.get_by_role("link", name="All runs")).to_have_attribute("aria-current", "page")
    tabs.get_by_role("link", name="All experiments").click()
    page.wait_for_url("**/w/lab/experiments")
    tabs.get_by_role("link", name="All runs").click()
    page.wait_for_url(f"**{LIST}")
    expect(page.get_by_role("heading", level=1)).to_have_text("All runs")


def test_a_star_is_told_by_its_shape_too(open_tab: Open, people: Any, sixty: list[Any]) -> None:
    page = open_tab(people.bob).open(LIST)
    star = page.get_by_role("button", name="Star run 59", exact=True)
    star.click()
    expect(star).to_have_attribute("aria-pressed", "true")
    page.reload()
    expect(star.locator("svg")).not_to_have_css("fill", "none")

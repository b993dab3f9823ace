"""Runs side by side in a real browser: from the list, by keys, and copied."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests import make

pytestmark = pytest.mark.browser
PAGE = "/w/lab/compare"
Open = Callable[..., Any]


@pytest.fixture
def runs(experiment: Any) -> list[Any]:
    """They differ in lr and seed, not in epochs."""
    return [
        make.run(
            experiment,
            display_name=f"try-{i}",
            parameters={"epochs": "10", "lr": f"0.{i + 1}", "seed": str(i)},
        )
        for i in range(4)
    ]


def address(runs: list[Any], more: str = "") -> str:
    return f"{PAGE}?chosen={','.join(run.uid for run in runs)}{more}"


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.title"))


def columns(page: Page) -> list[str]:
    return page.locator(".compare-name a").all_text_contents()


def test_ticked_runs_are_compared_from_the_bar_of_the_list(
    open_tab: Open, people: Any, runs: list[Any]
) -> None:
    tab = open_tab(people.carol)
    page = tab.open("/w/lab/runs")
    button = page.locator("#runs-compare")
    page.locator(f"#runs-row-{runs[0].uid} [data-tick]").click()
    expect(button).to_be_disabled()
    page.locator(f"#runs-row-{runs[2].uid} [data-tick]").click()
    button.click()

    page.wait_for_url(f"**{PAGE}?chosen=*")
    expect(page.locator("h1")).to_have_text("Compare 2 runs")
    assert sorted(columns(page)) == ["try-0", "try-2"]
    assert tab.troubles == []


def test_n_and_p_go_from_difference_to_difference(
    open_tab: Open, people: Any, runs: list[Any]
) -> None:
    tab = open_tab(people.bob, height=500)
    page = tab.open(address(runs, "&only=all&folded=attributes"))

    page.keyboard.press("n")
    assert focused(page) == "lr"
    page.keyboard.press("n")
    assert focused(page) == "seed"
    page.keyboard.press("n")
    expect(page.locator("#live")).to_have_text("No further difference")
    assert focused(page) == "seed"
    page.keyboard.press("p")
    assert focused(page) == "lr"
    page.get_by_role("button", name="Next difference").click()
    assert focused(page) == "seed"

    page.locator("#compare-find").focus()
    page.keyboard.type("n")
    expect(page.locator("#compare-find")).to_have_value("n")
    expect(page.locator("#compare-find")).to_be_focused()
    assert tab.troubles == []


def test_what_is_jumped_to_is_not_under_the_head_of_the_table(
    open_tab: Open, people: Any, experiment: Any
) -> None:
    names = {f"p{at:03}": "" for at in range(60)}
    runs = [make.run(experiment, parameters=dict.fromkeys(names, str(i))) for i in range(2)]
    page = open_tab(people.bob, height=600).open(address(runs, "&folded=attributes"))

    for _ in range(50):
        page.keyboard.press("n")
    for _ in range(30):
        page.keyboard.press("p")

    assert focused(page) == "p019"
    top = page.locator("th[title=p019]").bounding_box()
    head = page.locator(".compare-head").first.bounding_box()
    assert top is not None
    assert head is not None
    assert top["y"] >= head["y"] + head["height"] - 1


def test_a_baseline_is_chosen_moved_around_and_kept_in_the_address(
    open_tab: Open, people: Any, runs: list[Any]
) -> None:
    tab = open_tab(people.bob)
    page = tab.open(address(runs))
    page.locator(f"#compare-base-{runs[2].uid}").click()

    expect(page.locator(f"#compare-base-{runs[2].uid}")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(f"#compare-base-{runs[2].uid}")).to_be_focused()
    assert f"base={runs[2].uid}" in page.url
    assert columns(page) == ["try-2", "try-0", "try-1", "try-3"]
    page.locator(f"#compare-right-{runs[0].uid}").click()
    expect(page.locator(".compare-name a").nth(1)).to_have_text("try-1")
    page.locator(f"#compare-without-{runs[3].uid}").click()
    expect(page.locator("h1")).to_have_text("Compare 3 runs")
    page.locator("#compare-only").click()
    expect(page.locator("th[title=epochs]")).to_be_visible()
    page.reload()
    assert columns(page) == ["try-2", "try-1", "try-0"]
    page.go_back()
    expect(page.locator("th[title=epochs]")).to_have_count(0)
    assert tab.troubles == []


def test_the_table_is_copied_as_markdown(open_tab: Open, people: Any, runs: list[Any]) -> None:
    tab = open_tab(people.bob)
    page = tab.open(address(runs[:2]))
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=tab.site)
    page.locator("#compare-copy").click()

    expect(page.locator("#toasts")).to_contain_text("Copied as Markdown")
    text = page.evaluate("navigator.clipboard.readText()")
    assert "| lr | 0.1 | 0.2 |" in text
    assert tab.troubles == []


def test_on_a_phone_the_table_scrolls_beside_its_names(
    open_tab: Open, people: Any, runs: list[Any]
) -> None:
    page = open_tab(people.bob, width=390, height=844).open(address(runs))
    table = page.locator("#compare-table")
    before = page.locator("th[title=lr]").bounding_box()
    table.evaluate("(element) => element.scrollBy(300, 0)")

    assert page.locator("th[title=lr]").bounding_box() == before
    assert page.evaluate("document.documentElement.scrollWidth") == 390

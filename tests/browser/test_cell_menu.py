"""The menu of a value in the table of runs, and the table's heads, in a real browser."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from studio.runs import actions
from tests import make
from tests.browser.looking import broken_rules

pytestmark = pytest.mark.browser
LIST = "/w/lab/runs"
COLUMNS = "columns=name,status,tags,experiment,metric.loss,param.lr,submitted,duration"
HOSTILE = '<b onclick="x">" OR -a'
Open = Callable[..., Any]


@pytest.fixture
def three(experiment: Any, people: Any) -> list[Any]:
    """Newest first: loss 0.1, failed; loss 0.2; loss 0.3."""
    from studio.metrics.models import Metric

    found: list[Any] = []
    for name, loss in (("slow", 0.3), ("middle", 0.2), ("fast", 0.123456789012345)):
        run = make.run(
            experiment, display_name=name, tags={"pace": name, "seen": None}, parameters={"lr": 0.5}
        )
        Metric.objects.create(workspace=run.workspace, run=run, name="loss", last=loss)
        found.insert(0, run)
    actions.fail_run(found[0], by=make.actor(people.bob))
    return found


def names(page: Page) -> Any:
    return page.locator("tbody [data-row-link]")


def menu(page: Page) -> Any:
    return page.get_by_role("menu", name="Filter by this value")


def items(page: Page) -> list[str]:
    found = menu(page).get_by_role("menuitem").all_inner_texts()
    return [text.strip() for text in found]


def test_a_chip_filters_and_excludes_by_keys_alone(
    open_tab: Open, people: Any, three: list[Any]
) -> None:
    tab = open_tab(people.bob)
    page = tab.open(LIST)
    chip = page.get_by_role("button", name="pace: middle")
    chip.press("Enter")
    expect(menu(page).get_by_role("menuitem", name="Filter to this")).to_be_focused()
    expect(chip).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")

    expect(names(page)).to_have_text(["fast", "slow"])
    expect(page).to_have_url(f"{tab.site}{LIST}?q=-tag.pace:middle")
    expect(menu(page)).to_be_hidden()
    expect(names(page).first).to_be_focused()
    chip = page.get_by_role("button", name="pace: slow")
    chip.press("Enter")
    page.keyboard.press("Enter")
    expect(names(page)).to_have_text(["slow"])
    expect(chip).to_be_focused()
    assert tab.troubles == []


def test_escape_returns_the_focus_and_a_second_press_closes(
    open_tab: Open, people: Any, three: list[Any]
) -> None:
    page = open_tab(people.bob).open(LIST)
    value = page.locator("td.c-status [data-cell]").first
    value.click()
    expect(menu(page)).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu(page)).to_be_hidden()
    expect(value).to_be_focused()

    value.click()
    expect(menu(page)).to_be_visible()
    value.click()
    expect(menu(page)).to_be_hidden()
    assert page.url.endswith(LIST)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("Filter to this", ["middle"]),
        ("Exclude this", ["fast", "slow"]),
        ("At least this", ["middle", "slow"]),
        ("At most this", ["fast", "middle"]),
    ],
)
def test_a_number_is_a_limit_too(
    open_tab: Open, people: Any, three: list[Any], item: str, expected: list[str]
) -> None:
    page = open_tab(people.bob).open(f"{LIST}?{COLUMNS}")
    page.locator("td.c-metric [data-cell]").nth(1).click()
    menu(page).get_by_role("menuitem", name=item).click()

    expect(names(page)).to_have_text(expected)


@pytest.mark.parametrize("item", ["At least this", "At most this"])
def test_the_limits_of_a_duration_keep_the_run_itself(
    open_tab: Open, people: Any, three: list[Any], item: str
) -> None:
    page = open_tab(people.bob).open(f"{LIST}?{COLUMNS}")
    row = page.locator(f"#runs-row-{three[0].uid}")
    row.locator("td.c-duration [data-cell]").click()
    assert items(page) == ["At least this", "At most this", "Copy value"]
    menu(page).get_by_role("menuitem", name=item).click()

    expect(page.locator(".pill")).to_have_count(1)
    expect(row).to_be_visible()


@pytest.mark.parametrize("item", ["Since this", "Until this"])
def test_the_limits_of_a_moment_keep_the_run_itself(
    open_tab: Open, people: Any, three: list[Any], item: str
) -> None:
    page = open_tab(people.bob).open(f"{LIST}?{COLUMNS}")
    row = page.locator(f"#runs-row-{three[1].uid}")
    row.locator("td.c-submitted [data-cell]").click()
    assert items(page) == ["Since this", "Until this", "Copy value"]
    menu(page).get_by_role("menuitem", name=item).click()

    expect(page.locator(".pill")).to_have_count(1)
    expect(row).to_be_visible()


def test_an_experiment_can_be_opened_from_its_name(
    open_tab: Open, people: Any, three: list[Any]
) -> None:
    page = open_tab(people.bob).open(LIST)
    page.locator("td.c-experiment [data-cell]").first.click()
    assert items(page) == ["Filter to this", "Exclude this", "Open experiment", "Copy value"]
    menu(page).get_by_role("menuitem", name="Open experiment").click()

    page.wait_for_url("**/w/lab/experiments/vision")


def test_the_exact_value_is_copied(open_tab: Open, people: Any, three: list[Any]) -> None:
    tab = open_tab(people.bob)
    tab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = tab.open(f"{LIST}?{COLUMNS}")
    for selector, expected in (
        ("td.c-metric", "0.123456789012345"),
        ("td.c-status", "Failed"),
        ("td.c-tags", "fast"),
    ):
        page.locator(f"{selector} [data-cell]").first.click()
        menu(page).get_by_role("menuitem", name="Copy value").click()
        expect(page.get_by_text("Copied")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == expected
        expect(menu(page)).to_be_hidden()
    assert tab.troubles == []


def test_hostile_values_are_only_text(open_tab: Open, people: Any, experiment: Any) -> None:
    make.run(experiment, display_name="odd", tags={HOSTILE: HOSTILE})
    make.run(experiment, display_name="even")
    tab = open_tab(people.bob)
    page = tab.open(LIST)
    page.locator("td.c-tags [data-cell]").click()
    expect(menu(page)).to_contain_text(HOSTILE)
    menu(page).get_by_role("menuitem", name="Exclude this").click()

    expect(names(page)).to_have_text(["even"])
    assert tab.troubles == []


def test_a_head_sorts_after_the_others_with_shift(
    open_tab: Open, people: Any, three: list[Any]
) -> None:
    tab = open_tab(people.bob)
    page = tab.open(f"{LIST}?{COLUMNS}&order=status")
    page.locator("th[data-column='metric.loss'] a.sort").click(modifiers=["Shift"])

    expect(page).to_have_url(f"{tab.site}{LIST}?order=status,-metric.loss&{COLUMNS}")
    expect(page.locator(".sort-order")).to_have_text(["1", "2"])
    expect(names(page)).to_have_text(["fast", "slow", "middle"])
    page.locator("th[data-column='metric.loss'] a.sort").click()
    expect(page).to_have_url(f"{tab.site}{LIST}?order=-metric.loss&{COLUMNS}")
    assert tab.troubles == []


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 390)])
def test_the_open_menu_is_accessible_and_inside_the_window(
    open_tab: Open, people: Any, three: list[Any], width: int, theme: str
) -> None:
    page = open_tab(people.bob, width=width, theme=theme).open(LIST)
    page.locator("[data-cell]").last.click()
    expect(menu(page)).to_be_visible()

    box = menu(page).bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert box["y"] + box["height"] <= 900
    if width < 1024:
        assert broken_rules(page) == []

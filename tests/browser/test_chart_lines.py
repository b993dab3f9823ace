"""Lines hidden by ticks, charts of many ticks, zooms of bars and boxes, and news only while the tab
is seen."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests import make
from tests.browser import charting
from tests.browser.asking import comes_to_rest
from tests.browser.looking import broken_rules
from tests.browser.test_list_charts import (
    PICTURES,
    SLOW_MS,
    address,
    chart_fields,
    drag,
    drawn,
)
from tests.waiting import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Open = Callable[..., Any]
SEEN = """isSeen => {
  const state = isSeen ? "visible" : "hidden";
  for (const [name, value] of [["hidden", !isSeen], ["visibilityState", state]]) {
    Object.defineProperty(document, name, { configurable: true, get: () => value });
  }
  document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest.fixture
def many(experiment: Any) -> list[Any]:
    """More lines than a legend inside the drawing has room for; all still running."""
    runs = [make.run(experiment, display_name=f"net <b>{i}</b>") for i in range(14)]
    for i, run in enumerate(runs):
        charting.log(run, charting.scalars("loss", [2.0 / (s + 1 + i) for s in range(30)]))
    return runs


@pytest.fixture
def six(experiment: Any) -> list[Any]:
    return charting.six_runs(experiment)


def shown_lines(page: Page) -> int:
    lines = "plot => plot.data.filter((line) => line.visible !== 'legendonly').length"
    return int(page.locator(".list-chart .js-plotly-plot").first.evaluate(lines))


def test_a_line_among_many_is_hidden_by_keyboard_and_stays_so_in_the_link(
    open_tab: Open, people: Any, many: list[Any], tmp_path: Path
) -> None:
    tab = open_tab(people.bob)
    page = tab.open(address("kind=line&y=metric.loss"))
    drawn(page)
    expect(page.locator(".legendtoggle")).to_have_count(0)
    legend = page.locator("[data-legend]")
    summary = legend.locator("summary")
    expect(summary).to_have_text("Lines")
    summary.press("Enter")
    box = legend.get_by_role("checkbox", name="net <b>7</b>", exact=True)
    box.press("Space")
    expect(summary).to_have_text("Lines: 13 of 14 runs shown")
    expect(box).to_be_focused()
    assert shown_lines(page) == 13
    assert chart_fields(page)["hidden"] == many[7].uid[:12]
    assert broken_rules(page, within="[data-legend]") == []
    page.screenshot(path=(Path(PICTURES) if PICTURES else tmp_path) / "chart-lines.png")

    other = open_tab(people.carol)
    drawn(other.open(page.url.removeprefix(tab.site)))
    expect(other.page.locator("[data-legend] summary")).to_have_text("Lines: 13 of 14 runs shown")
    assert shown_lines(other.page) == 13
    other.page.locator("[data-legend] summary").click()
    other.page.get_by_role("button", name="Show all", exact=True).click()
    expect(other.page.locator("[data-legend] summary")).to_have_text("Lines")
    assert "hidden" not in chart_fields(other.page)
    other.page.get_by_role("button", name="Hide all", exact=True).click()
    expect(other.page.locator("[data-legend] summary")).to_have_text("Lines: 0 of 14 runs shown")
    assert len(chart_fields(other.page)["hidden"].split(",")) == 14
    assert tab.troubles == other.troubles == []


def test_more_hidden_lines_than_an_address_holds_are_told_and_change_nothing_in_it(
    open_tab: Open, people: Any, many: list[Any]
) -> None:
    long = f"kind=line&y=metric.loss&smooth=0.6&title={quote('é' * 100)}"
    tab = open_tab(people.bob)
    page = tab.open(address(*[long] * 6))
    drawn(page, 6)
    before = page.url
    page.locator("[data-legend] summary").first.click()
    page.get_by_role("button", name="Hide all", exact=True).first.click()

    expect(page.locator("#toasts")).to_contain_text("does not fit into the address of the page")
    assert page.url == before
    page.locator("#runs-q").fill("net")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=net**")
    expect(page.locator("[data-chart-text]")).to_have_count(6)
    assert tab.troubles == []


def test_a_hidden_line_stays_hidden_when_new_points_come(
    open_tab: Open, people: Any, six: list[Any]
) -> None:
    tab = open_tab(people.bob)
    page = tab.open(address("kind=line&y=metric.loss"))
    drawn(page)
    page.locator("[data-legend] summary").click()
    page.get_by_role("checkbox", name="net 0", exact=True).uncheck()
    charting.log(six[0], charting.scalars("loss", [0.5] * 5, first=120))
    page.wait_for_function(
        """uid => document.querySelector(".js-plotly-plot").data
        .some((line) => line.meta.uid === uid && line.x.length > 110)""",
        arg=six[0].uid,
        timeout=SLOW_MS,
    )
    assert shown_lines(page) == 4
    expect(page.get_by_role("checkbox", name="net 0", exact=True)).not_to_be_checked()
    assert tab.troubles == []


@pytest.mark.parametrize(
    ("chart", "name", "axis"),
    [("kind=bar&y=metric.loss", "zx", "xaxis"), ("kind=box&y=metric.loss", "zy", "yaxis")],
)
def test_bars_and_boxes_are_zoomed_along_their_values_and_the_link_shows_it(
    chart: str, name: str, axis: str, open_tab: Open, people: Any, six: list[Any]
) -> None:
    tab = open_tab(people.bob)
    page = tab.open(address(chart))
    plot = drawn(page)
    of_axis = f"plot => plot._fullLayout.{axis}.range"
    whole = plot.evaluate(of_axis)
    start, end = ((0.2, 0.5), (0.7, 0.5)) if name == "zx" else ((0.5, 0.2), (0.5, 0.7))
    drag(page, plot, start, end)
    expect(page).to_have_url(re.compile(name))
    part = plot.evaluate(of_axis)
    fields = chart_fields(page)
    assert [float(one) for one in fields[name].split("..")] == pytest.approx(part)
    assert not ({"zx", "zy"} - {name}) & fields.keys()

    other = open_tab(people.carol)
    there = drawn(other.open(page.url.removeprefix(tab.site)))
    assert there.evaluate(of_axis) == pytest.approx(part)
    rows = "plot => plot._fullLayout.yaxis.range"
    order = there.evaluate(rows)
    other.page.get_by_role("button", name="Show all of loss").press("Enter")
    expect(other.page).not_to_have_url(re.compile(name))
    assert there.evaluate(of_axis) == pytest.approx(whole, rel=0.1)
    if name == "zx":
        assert there.evaluate(rows) == order, "the first run stays on top"
    assert tab.troubles == other.troubles == []


def test_nothing_is_asked_while_the_tab_is_hidden_and_all_again_when_it_is_seen(
    open_tab: Open, people: Any, six: list[Any]
) -> None:
    tab = open_tab(people.bob)
    tab.page.clock.install()
    page = tab.open(address("kind=line&y=metric.loss"))
    plot = drawn(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    wait_until(lambda: page.evaluate("1") and any("runs-chart?" in url for url in asked))
    wait_until(lambda: page.evaluate("1") and any("runs-live" in url for url in asked))

    page.evaluate(SEEN, arg=False)
    charting.log(six[0], charting.scalars("loss", [0.5] * 5, first=120))
    assert comes_to_rest(page)
    asked.clear()

    page.evaluate(SEEN, arg=True)
    page.wait_for_function(
        "plot => plot.data.some((line) => line.x.length > 110)",
        arg=plot.element_handle(),
        timeout=SLOW_MS,
    )
    assert any("runs-chart?" in url for url in asked)
    wait_until(lambda: page.evaluate("1") and any("runs-live" in url for url in asked))
    assert tab.troubles == []


def test_the_page_of_a_run_asks_nothing_while_its_tab_is_hidden(
    open_tab: Open, people: Any, six: list[Any]
) -> None:
    tab = open_tab(people.bob)
    tab.page.clock.install()
    page = tab.open(f"/w/lab/runs/{six[0].uid}/metrics?m=loss")
    expect(page.locator(".js-plotly-plot .cartesianlayer")).to_have_count(1, timeout=SLOW_MS)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    wait_until(lambda: page.evaluate("1") and any("figure?" in url for url in asked))
    page.evaluate(SEEN, arg=False)
    assert comes_to_rest(page)
    asked.clear()
    page.evaluate(SEEN, arg=True)
    wait_until(lambda: page.evaluate("1") and any(re.search("/header", url) for url in asked))
    wait_until(lambda: page.evaluate("1") and any("figure?" in url for url in asked))
    assert tab.troubles == []


def test_a_chart_says_of_how_many_ticked_runs_it_draws_some_and_draws_all_that_match(
    open_tab: Open, people: Any, experiment: Any
) -> None:
    for i in range(230):
        make.run(experiment, parameters={"lr": str(i)})
    tab = open_tab(people.bob)
    page = tab.open(address("kind=scatter&x=param.lr&y=param.lr", size="100"))
    drawn(page)
    badge = page.locator("[data-badge]")
    page.locator("[data-tick-all]").check()
    expect(badge).to_have_text("100 ticked runs", timeout=SLOW_MS)
    page.get_by_role("link", name="Next 100").click()
    expect(page.locator("[data-selection-bar]")).to_contain_text("100 selected")
    page.locator("[data-tick-all]").check()
    expect(badge).to_have_text("100 of 200 ticked runs", timeout=SLOW_MS)

    page.locator("[data-all]").check()
    expect(badge).to_have_text("230 runs", timeout=SLOW_MS)
    page.locator("[data-all]").uncheck()
    expect(badge).to_have_text("100 of 200 ticked runs", timeout=SLOW_MS)
    assert tab.troubles == []

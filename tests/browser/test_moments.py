"""One moment for the charts, the machine and the log of a run, in a real Chromium."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.looking import broken_rules
from tests.browser.test_charts import drawn
from tests.web import moments

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PICTURES = os.environ.get("STUDIO_SCREENSHOTS")
# Where the line of a class stands on the axis of each chart; null where there is none.
MARKED = """(name) => [...document.querySelectorAll(".js-plotly-plot")].map((plot) => {
  const line = plot.querySelector(`.moment-lines .${name}`);
  const axis = plot._fullLayout.xaxis;
  const px = Number(line.getAttribute("x1")) - axis._offset;
  return line.getAttribute("visibility") === "visible" ? axis.p2l(px) : null;
})"""
SEEN = (
    """(name) => document.querySelectorAll(`.moment-lines .${name}[visibility=visible]`).length"""
)


def near(page: Page, name: str, expected: list[float], within: float) -> None:
    """The lines are at these places of their axes, to a pixel or so."""
    found = page.evaluate(MARKED, name)
    assert len(found) == len(expected)
    assert all(
        at is not None and abs(at - e) <= within for at, e in zip(found, expected, strict=True)
    ), found


def point_at(page: Page, i: int) -> tuple[float, float]:
    """Where point i of the second chart is drawn."""
    at = page.evaluate(
        """(i) => {
          const plot = document.querySelectorAll(".js-plotly-plot")[1];
          const { xaxis, yaxis } = plot._fullLayout;
          const { left, top } = plot.getBoundingClientRect();
          const [{ x, y }] = plot.data;
          return [left + xaxis._offset + xaxis.d2p(x[i]), top + yaxis._offset + yaxis.d2p(y[i])];
        }""",
        i,
    )
    return at[0], at[1]


def test_a_spike_leads_to_the_machine_and_to_the_line_of_the_log(
    run: Any, people: Any, open_tab: Any, tmp_path: Path
) -> None:
    start = moments.fill(run)
    spike = start + moments.SPIKE * moments.EVERY_S * 1000
    tab = open_tab(people.carol)
    page = tab.open(f"/w/lab/runs/{run.uid}/metrics?m=loss&m=accuracy")
    pin_the_spike(page, spike)
    picture(page, "moment-metrics", tmp_path)
    follow_other_axes(page, spike)

    page.get_by_role("navigation", name="Run").get_by_role("link", name="Monitoring").click()
    expect(page).to_have_url(re.compile(rf"/monitoring\?t={spike}$"))
    drawn(page, 2)
    page.wait_for_function(f"() => ({SEEN})('pinned') === 2")
    near(page, "pinned", [spike, spike], 3_000)
    picture(page, "moment-monitoring", tmp_path)

    page.get_by_role("link", name="Log at this moment").click()
    expect(page).to_have_url(re.compile(rf"line={moments.SPIKE + 1}&t={spike}#L"))
    line = page.locator(f"#L{moments.SPIKE + 1}")
    expect(line).to_contain_text("the loss explodes")
    expect(line).to_be_in_viewport()
    picture(page, "moment-log", tmp_path)
    page.get_by_role("link", name="Charts at this line").click()
    expect(page).to_have_url(re.compile(rf"/metrics\?t={spike}$"))
    page.get_by_role("link", name="Unpin the moment").click()
    expect(page).to_have_url(re.compile(r"/metrics$"))
    expect(page.locator("[data-moment-chip]")).to_be_hidden()
    assert tab.troubles == []


def pin_the_spike(page: Page, spike: int) -> None:
    drawn(page, 2)
    x, y = point_at(page, moments.SPIKE)
    page.mouse.move(x, y + 20)
    page.wait_for_function(f"() => ({SEEN})('pointed') === 2")
    near(page, "pointed", [155, 155], 1)
    expect(page.locator("[data-moment-pointed]")).to_have_text(re.compile("5 m 10 s after the sta"))
    page.mouse.click(x, y + 20)
    expect(page).to_have_url(re.compile(rf"[?&]t={spike}\b"))
    page.mouse.move(5, 5)
    page.wait_for_function(f"() => ({SEEN})('pointed') === 0")
    near(page, "pinned", [155, 155], 1)


def follow_other_axes(page: Page, spike: int) -> None:
    """Zoomed, and over the time since the start, the line stays at the moment."""
    low = "document.querySelector('.js-plotly-plot')._fullLayout.xaxis.range[0]"
    page.get_by_role("button", name="Zoom out of accuracy").click()
    page.wait_for_function(f"() => {low} < -50")
    near(page, "pinned", [155, 155], 2)
    page.get_by_label("Horizontal axis").select_option("relative")
    expect(page).to_have_url(re.compile(rf"x=relative.*t={spike}"))
    drawn(page, 2)
    page.wait_for_function(f"() => ({SEEN})('pinned') === 2 && {low} > -100")
    near(page, "pinned", [310, 310], 2)


def picture(page: Page, name: str, folder: Path) -> None:
    page.screenshot(path=(Path(PICTURES) if PICTURES else folder) / f"{name}.png")


def test_the_keyboard_points_pins_and_unpins(
    run: Any, people: Any, open_tab: Any, tmp_path: Path
) -> None:
    start = moments.fill(run)
    tab = open_tab(people.carol, width=390, theme="dark")
    page = tab.open(f"/w/lab/runs/{run.uid}/metrics?m=loss&m=accuracy")
    drawn(page, 2)
    page.wait_for_function(
        "() => document.querySelectorAll('.js-plotly-plot[tabindex]').length === 2"
    )
    page.locator(".js-plotly-plot").first.focus()
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#live")).to_have_text(re.compile(r"step 290, .* 9 m 40 s after the start"))
    near(page, "pointed", [290, 290], 2)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(rf"t={start + 580_000}$"))
    expect(page.locator("#live")).to_have_text(re.compile("^Pinned: "))
    assert broken_rules(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    picture(page, "moment-390-dark", tmp_path)
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile(r"m=accuracy$"))
    assert page.evaluate(SEEN, "pinned") == 0
    assert tab.troubles == []

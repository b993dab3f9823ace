"""Charts in a real Chromium under the site's own content policy."""

import os
import re
from pathlib import Path
from urllib.parse import urlencode

import pytest

from studio.runs import actions
from tests import make
from tests.browser import charting
from tests.browser.asking import comes_to_rest
from tests.waiting import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

NO_WEBGL = "WebGL is not supported"
EVERY = ("loss", "holes", "once", "grid", "matrix", "table of accuracy", "errors", "predicted")
# Where to keep the pictures, for eyes; else with the other files of the test.
PICTURES = os.environ.get("STUDIO_SCREENSHOTS")


def address(run, *names, **more) -> str:
    return f"/w/lab/runs/{run.uid}/metrics?" + urlencode(
        [*(("m", n) for n in names), *more.items()]
    )


def drawn(page, n: int) -> None:
    """Wait until n charts are drawn."""
    page.locator(".js-plotly-plot .trace").first.wait_for(state="attached")
    page.locator(".js-plotly-plot").nth(n - 1).locator(".cartesianlayer").wait_for(state="attached")


def points_drawn(page) -> int:
    return page.evaluate("document.querySelector('.js-plotly-plot').data[0].x.length")


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (390, "dark")])
def test_every_kind_is_drawn_under_the_real_content_policy(
    width, theme, run, people, open_tab, tmp_path
) -> None:
    charting.log_every_kind(run)
    tab = open_tab(people.bob, width=width, theme=theme)
    page = tab.open(address(run, *EVERY, smooth="0.6"))
    drawn(page, 12)

    plot = page.locator("[data-figure-url*='m=loss']")
    plot.hover(position={"x": 150, "y": 120})
    page.locator(".hoverlayer .legend").first.wait_for()
    box, label = plot.bounding_box(), page.locator(".hoverlayer .legend").first.bounding_box()
    assert box["x"] <= label["x"] <= box["x"] + box["width"]
    assert box["y"] <= label["y"] <= box["y"] + box["height"]
    assert "style-src 'self';" in page.request.get(page.url).headers["content-security-policy"]
    assert NO_WEBGL not in page.content()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    folder = Path(PICTURES) if PICTURES else tmp_path
    page.screenshot(path=folder / f"charts-{width}-{theme}.png")
    assert tab.troubles == []


def test_the_theme_button_draws_charts_in_the_other_colours(run, people, open_tab) -> None:
    charting.log(run, charting.scalars("loss", [3.0, 2.0, 1.0]))
    page = open_tab(people.bob).open(address(run))
    drawn(page, 1)
    ink = "document.querySelector('.js-plotly-plot').layout.font.color"
    light = page.evaluate(ink)

    for _ in range(2):  # system, light, dark
        page.locator("[data-theme-button]:visible").click()

    wait_until(lambda: page.evaluate(ink) != light, timeout_s=5)


def test_a_chart_follows_its_run_and_stops_at_the_end(run, people, open_tab) -> None:
    charting.log(run, charting.scalars("loss", [3.0, 2.0]))
    tab = open_tab(people.bob)
    tab.page.clock.install()
    page = tab.open(address(run))
    drawn(page, 1)

    charting.log(run, charting.scalars("loss", [1.0], first=2))
    wait_until(lambda: points_drawn(page) == 3, timeout_s=10)

    actions.complete_run(run, by=make.actor(people.bob))
    assert comes_to_rest(page, "/figure")


def test_zoom_buttons_ask_for_finer_data_by_keyboard(run, people, open_tab) -> None:
    charting.log(run, charting.scalars("loss", [float(i % 7) for i in range(40_000)]))
    tab = open_tab(people.bob)
    page = tab.open(address(run))
    drawn(page, 1)

    for _ in range(5):
        with page.expect_response(lambda answer: "from=" in answer.url):
            page.get_by_role("button", name="Zoom in on loss").press("Enter")
    # An eighth of an eighth and a half of it, and a little on either side: whole again.
    badge = page.locator("[data-badge]")
    wait_until(lambda: re.fullmatch(r"1,[34]\d\d points", badge.text_content()), timeout_s=5)
    with page.expect_response(lambda answer: "/figure" in answer.url and "from=" not in answer.url):
        page.get_by_role("button", name="Show all of loss").press("Enter")
    assert tab.troubles == []


def test_ticks_search_and_table_work_without_leaving_the_page(run, people, open_tab) -> None:
    charting.log_every_kind(run)
    tab = open_tab(people.bob)
    page = tab.open(address(run, "loss"))
    drawn(page, 1)

    page.get_by_role("checkbox", name="once").check()
    drawn(page, 2)
    wait_until(lambda: page.url.endswith("?m=loss&m=once"), timeout_s=5)
    page.get_by_role("searchbox", name="Search metrics").fill("weig")
    wait_until(lambda: page.get_by_text("1 metric found").count() == 1, timeout_s=5)
    page.get_by_role("link", name="Table of loss").click()
    page.get_by_role("region", name="Values of loss").wait_for()
    assert tab.troubles == []

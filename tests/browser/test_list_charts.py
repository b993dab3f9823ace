"""Charts above the run list in a real Chromium under the site's own content policy."""

import math
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from studio.runs import actions
from tests import make
from tests.browser import charting
from tests.browser.asking import comes_to_rest
from tests.browser.looking import broken_rules

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Open = Callable[..., Any]
# Where to keep the pictures, for eyes; else with the other files of the test.
PICTURES = os.environ.get("STUDIO_SCREENSHOTS")
# A machine that runs other tests beside this one draws eleven charts slowly.
SLOW_MS = 30_000
CHARTS = {
    "line": "kind=line&y=metric.loss&smooth=0.6",
    "two lines": "kind=line&y=metric.loss,metric.accuracy&axis=relative&log=y",
    "wall time": "kind=line&y=metric.loss&axis=time&clip=1",
    "line over a metric": "kind=line&y=metric.accuracy&axis=metric&x=metric.loss&log=x",
    "scatter": "kind=scatter&x=param.lr&y=metric.loss&z=metric.accuracy&log=x",
    "scatter of words": "kind=scatter&x=tag.model&y=submitted",
    "bar": "kind=bar&y=metric.loss,metric.accuracy",
    "box": "kind=box&y=metric.loss&x=tag.model",
    "parallel": "kind=parallel&y=param.lr,tag.model,submitted,metric.accuracy,metric.loss&log=y",
    "contour": "kind=contour&x=param.lr&y=metric.accuracy&z=metric.loss&log=x",
    "nothing": "kind=line&y=metric.unknown",
}
# One of each shape: with a legend, a scale of colours, many axes.
ON_A_PHONE = ("line", "contour", "parallel")


def address(*charts: str, **more: str) -> str:
    parts = {"charts": ";".join(charts), **more}
    return "/w/lab/runs?" + "&".join(f"{name}={quote(text)}" for name, text in parts.items())


@pytest.fixture
def six(experiment: Any) -> list[Any]:
    return charting.six_runs(experiment)


def drawn(page: Page, n: int = 1) -> Locator:
    """Wait until n charts are drawn; the first of them."""
    expect(page.locator(".list-chart .js-plotly-plot .cartesianlayer")).to_have_count(
        n, timeout=SLOW_MS
    )
    expect(page.locator("[data-chart-tools]:visible")).to_have_count(n, timeout=SLOW_MS)
    return page.locator(".list-chart .js-plotly-plot").first


def chart_fields(page: Page, index: int = 0) -> dict[str, str]:
    """The fields of a chart as the page's address holds them."""
    charts = parse_qs(urlsplit(page.url).query).get("charts", [""])[0]
    return {name: texts[0] for name, texts in parse_qs(charts.split(";")[index]).items()}


def drag(page: Page, plot: Locator, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag over the drawing area from one place to another, as shares of its width and height."""
    area = plot.locator(".nsewdrag")
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    assert box
    for (x, y), act in ((start, page.mouse.down), (end, page.mouse.up)):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=8)
        act()


def x_range(plot: Locator) -> list[float]:
    return list(plot.evaluate("plot => plot._fullLayout.xaxis.range"))


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (390, "dark")])
def test_every_kind_is_drawn_under_the_real_content_policy(
    width: int, theme: str, open_tab: Open, people: Any, six: list[Any], tmp_path: Path
) -> None:
    charts = list(CHARTS.values()) if width > 1024 else [CHARTS[name] for name in ON_A_PHONE]
    tab = open_tab(people.bob, width=width, height=1000, theme=theme)
    page = tab.open(address(*charts))
    drawn(page, len(charts))
    for plot in page.locator(".list-chart .js-plotly-plot").all():
        plot.hover()

    expect(page.locator(".list-chart [data-badge]").first).to_have_text(
        "6 runs · 1 without a value"
    )
    assert "WebGL is not supported" not in page.content()
    assert "style-src 'self';" in page.request.get(page.url).headers["content-security-policy"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    folder = Path(PICTURES) if PICTURES else tmp_path
    page.screenshot(path=folder / f"list-charts-{width}-{theme}.png", full_page=True)
    assert tab.troubles == []


def test_a_dragged_part_is_fetched_finer_and_the_address_shows_it_elsewhere(
    open_tab: Open, people: Any, experiment: Any
) -> None:
    run = make.run(experiment)
    values = [math.sin(i / 900) + 0.1 * (i % 7) for i in range(60_000)]
    charting.log(run, charting.scalars("loss", values))
    actions.complete_run(run, by=make.actor(people.bob))
    tab = open_tab(people.bob)
    page = tab.open(address("kind=line&y=metric.loss&smooth=0.5"))
    plot = drawn(page)
    badge = page.locator("[data-badge]")
    expect(badge).to_contain_text("of 60,000 points, min/max kept")

    with page.expect_response(lambda answer: "zx=" in answer.url):
        drag(page, plot, (0.5, 0.5), (0.55, 0.5))
    expect(badge).to_have_text("1 run")
    low, high = x_range(plot)
    assert 25_000 < low < high < 35_000
    fields = chart_fields(page)
    assert [float(end) for end in fields["zx"].split("..")] == pytest.approx([low, high])

    other = open_tab(people.carol)
    there = drawn(other.open(page.url.removeprefix(tab.site)))
    assert x_range(there) == pytest.approx([low, high])
    expect(other.page.locator("[data-badge]")).to_have_text("1 run")
    with other.page.expect_response(lambda answer: "zx=&" in answer.url):
        other.page.get_by_role("button", name="Show all of loss").press("Enter")
    expect(other.page.locator("[data-badge]")).to_contain_text("of 60,000 points")
    assert not {"zx", "zy"} & chart_fields(other.page).keys()
    assert x_range(there)[1] > 59_000
    assert tab.troubles == other.troubles == []


def test_a_line_hidden_in_the_legend_is_hidden_elsewhere_and_after_a_search(
    open_tab: Open, people: Any, six: list[Any]
) -> None:
    tab = open_tab(people.bob)
    page = tab.open(address("kind=line&y=metric.loss"))
    drawn(page)
    page.locator(".legendtoggle").first.click()
    expect(page.locator(".legend .traces").first).to_have_css("opacity", "0.5")
    hidden = chart_fields(page)["hidden"]
    assert hidden in {run.uid[:12] for run in six}

    page.locator("#runs-q").fill("net")
    page.locator("#runs-q").press("Enter")
    expect(page.locator("[data-badge]")).to_have_text("5 runs", timeout=SLOW_MS)
    assert chart_fields(page)["hidden"] == hidden
    expect(page.locator(".legend .traces").first).to_have_css("opacity", "0.5")
    other = open_tab(people.carol)
    drawn(other.open(page.url.removeprefix(tab.site)))
    expect(other.page.locator(".legend .traces").first).to_have_css("opacity", "0.5")
    assert tab.troubles == []


def test_a_chart_follows_search_and_ticks_and_never_stands_empty(
    open_tab: Open, people: Any, six: list[Any]
) -> None:
    tab = open_tab(people.bob)
    page = tab.open(address("kind=scatter&x=param.lr&y=metric.loss", q="net"))
    plot = drawn(page)
    asked: list[str] = []
    page.on("request", lambda request: "runs-chart?" in request.url and asked.append(request.url))
    # Notes every moment in which a card has no drawing.
    page.evaluate(
        """() => { window.empty = 0;
        const look = () => { if (!document.querySelector(".list-chart .main-svg")) empty++; };
        const all = { childList: true, subtree: true };
        new MutationObserver(look).observe(document.querySelector("main"), all); }"""
    )
    page.get_by_role("link", name="Display name").click()
    expect(page).to_have_url(re.compile("order="))
    expect(page.locator("tbody tr")).to_have_count(5)
    # The chart of a run that still runs asks, every few seconds, for what is newer than `v`.
    assert [url for url in asked if "&v=" not in url] == [], "another order draws the same runs"

    page.locator("#runs-q").fill("tag.model:bert")
    page.locator("#runs-q").press("Enter")
    expect(page.locator("[data-badge]")).to_have_text("2 runs", timeout=SLOW_MS)
    page.locator("tbody input[type=checkbox]").first.check()
    expect(page.locator("[data-badge]")).to_have_text("1 ticked run", timeout=SLOW_MS)
    assert plot.evaluate("plot => plot.data[0].x.length") == 1
    assert page.evaluate("window.empty") == 0
    assert tab.troubles == []


def test_new_points_come_within_the_zoom_and_asking_stops_at_the_end(
    open_tab: Open, people: Any, six: list[Any]
) -> None:
    tab = open_tab(people.bob)
    tab.page.clock.install()
    page = tab.open(address("kind=line&y=metric.loss"))
    plot = drawn(page)
    drag(page, plot, (0.2, 0.5), (0.6, 0.5))
    expect(page).to_have_url(re.compile("zx"))
    shown = x_range(plot)

    charting.log(six[0], charting.scalars("loss", [0.5] * 5, first=120))
    page.wait_for_function(
        """uid => document.querySelector(".js-plotly-plot").data
        .some((trace) => trace.meta.uid === uid && trace.y.length > 60)""",
        arg=six[0].uid,
        timeout=SLOW_MS,
    )
    assert x_range(plot) == pytest.approx(shown)

    actions.complete_run(six[0], by=make.actor(people.bob))
    assert comes_to_rest(page, "runs-chart?")
    assert tab.troubles == []


def test_brushing_an_axis_filters_the_list(open_tab: Open, people: Any, six: list[Any]) -> None:
    tab = open_tab(people.bob)
    page = tab.open(address("kind=parallel&y=metric.loss,tag.model,submitted&width=3", q="net"))
    plot = drawn(page)
    at = lambda axis: (0.25 + axis) / 2.75  # noqa: E731
    drag(page, plot, (at(1) - 0.05, 0.0), (at(1) + 0.05, 0.3))
    expect(page.locator(".pill-text")).to_have_text(["“net”", "tag model: unet"], timeout=SLOW_MS)
    expect(page.locator("[data-badge]")).to_have_text("2 runs", timeout=SLOW_MS)
    expect(page.locator("tbody tr")).to_have_count(2)

    drag(page, plot, (at(0) - 0.05, 0.0), (at(0) + 0.05, 0.3))
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator(".pill-text")).to_have_count(3)
    drag(page, plot, (at(2) - 0.05, 0.0), (at(2) + 0.05, 0.95))
    expect(page.locator(".pill-text")).to_have_count(4)
    assert tab.troubles == []


def test_axes_are_moved_by_buttons(open_tab: Open, people: Any, six: list[Any]) -> None:
    tab = open_tab(people.bob)
    page = tab.open(address("kind=parallel&y=metric.loss,tag.model,param.lr"))
    plot = drawn(page)
    page.get_by_role("link", name="Move loss right").press("Enter")
    expect(page.locator("[data-kind] h2")).to_have_text("model, loss, lr")
    page.wait_for_function(
        "() => document.querySelector('.js-plotly-plot').layout.xaxis.ticktext[0] === 'model'"
    )
    expect(plot).to_have_count(1)
    assert chart_fields(page)["y"] == "tag.model,metric.loss,param.lr"
    assert tab.troubles == []


def test_a_mark_leads_to_its_run(open_tab: Open, people: Any, six: list[Any]) -> None:
    page = open_tab(people.bob).open(address("kind=bar&y=metric.loss", q="net", size="25"))
    plot = drawn(page)
    plot.locator(".bars path").first.click(force=True)
    expect(page.locator("tbody a:focus")).to_have_count(1)


def test_charts_are_changed_from_their_menu_by_keyboard(
    open_tab: Open, people: Any, six: list[Any]
) -> None:
    tab = open_tab(people.bob)
    page = tab.open(address("kind=line&y=metric.loss", "kind=bar&y=metric.accuracy"))
    drawn(page, 2)
    more = page.get_by_role("button", name="More about loss")

    def choose(item: str) -> None:
        more.press("Enter")
        expect(page.get_by_role("menuitem").first).to_be_focused()
        page.get_by_role("menuitem", name=item).press("Enter")

    choose("Wider or narrower")
    expect(page.locator("#runs-chart_card-0")).to_have_class("chart list-chart wide-2 tall-1")
    expect(more).to_be_focused()
    assert chart_fields(page)["width"] == "2"
    choose("Taller or lower")
    expect(page.locator("#runs-chart_card-0")).to_have_class("chart list-chart wide-2 tall-2")
    choose("Move later")
    expect(page.locator(".list-chart h2")).to_have_text(["accuracy", "loss"])
    choose("Duplicate")
    expect(page.locator(".list-chart h2")).to_have_text(["accuracy", "loss", "loss"])
    drawn(page, 3)
    page.get_by_role("link", name="Remove chart: loss").last.press("Enter")
    expect(page.locator(".list-chart h2")).to_have_text(["accuracy", "loss"])
    expect(page.locator("[data-removes]").first).to_be_focused()
    more.press("Enter")
    page.keyboard.press("Escape")
    expect(more).to_be_focused()
    assert tab.troubles == []


def test_table_pictures_and_data_stand_for_a_chart(
    open_tab: Open, people: Any, six: list[Any]
) -> None:
    tab = open_tab(people.bob)
    page = tab.open(
        address(
            "kind=line&y=metric.loss", "kind=contour&x=param.lr&y=metric.accuracy&z=metric.loss"
        )
    )
    plot = drawn(page, 2)
    expect(plot).to_have_attribute("aria-label", "Line chart of loss: 6 runs · 1 without a value")
    expect(plot).to_have_role("img")
    for label, name in (("loss", "loss"), ("accuracy over lr", "accuracy-over-lr")):
        for item, ending in (("Download PNG", "png"), ("Download SVG", "svg")):
            page.get_by_role("button", name=f"More about {label}").press("Enter")
            with page.expect_download() as waiting:
                page.get_by_role("menuitem", name=item).press("Enter")
            assert waiting.value.suggested_filename == f"{name}.{ending}"
            assert Path(waiting.value.path()).stat().st_size > 5_000
    page.get_by_role("button", name="More about loss").press("Enter")
    with page.expect_download() as waiting:
        page.get_by_role("menuitem", name="Download data").press("Enter")
    assert Path(waiting.value.path()).read_text().count("loss") == 5

    page.get_by_role("button", name="More about loss").press("Enter")
    page.get_by_role("menuitem", name="Show as table").press("Enter")
    table = page.get_by_role("region", name="Values of loss").get_by_role("table")
    expect(table.get_by_role("rowheader")).to_have_count(5)
    expect(page.get_by_role("button", name="Hide table")).to_be_focused()
    page.keyboard.press("Enter")
    expect(table).to_have_count(0)
    expect(page.get_by_role("button", name="More about loss")).to_be_focused()
    assert tab.troubles == []


def test_a_chart_is_expanded_and_comes_back(open_tab: Open, people: Any, six: list[Any]) -> None:
    tab = open_tab(people.bob)
    page = tab.open(address("kind=line&y=metric.loss"))
    plot = drawn(page)
    height = plot.bounding_box()["height"]  # type: ignore[index]
    button = page.get_by_role("button", name="Expand loss")
    button.press("Enter")
    page.wait_for_function(
        "height => document.querySelector('.list-chart .main-svg').clientHeight > height + 200",
        arg=height,
    )
    button.press("Enter")
    page.wait_for_function(
        "height => document.querySelector('.list-chart .main-svg').clientHeight < height + 50",
        arg=height,
    )
    expect(button).to_be_focused()
    assert tab.troubles == []


def test_a_chart_is_added_and_edited_in_the_dialog(
    open_tab: Open, people: Any, six: list[Any]
) -> None:
    tab = open_tab(people.bob)
    page = tab.open("/w/lab/runs")
    assert page.evaluate("typeof Plotly") == "undefined"
    page.locator("#runs-add_chart").press("Enter")
    dialog = page.get_by_role("dialog", name="Add chart")
    dialog.get_by_label("Metrics 1").fill("loss")
    dialog.get_by_role("button", name="Add chart").press("Enter")
    drawn(page)
    assert page.evaluate("document.querySelectorAll('script[src*=plotly]').length") == 1

    page.get_by_role("link", name="Edit chart: loss").press("Enter")
    dialog = page.get_by_role("dialog", name="Edit chart")
    dialog.get_by_label("Kind", exact=True).select_option("parallel")
    dialog.get_by_label("Axes, left to right 2").fill("param.lr")
    assert broken_rules(page) == []
    dialog.get_by_role("button", name="Apply").press("Enter")
    expect(page.locator("[data-kind=parallel] h2")).to_have_text("loss, lr")
    drawn(page)
    assert tab.troubles == []


def test_an_answer_that_fails_is_said_in_the_card(
    open_tab: Open, people: Any, six: list[Any]
) -> None:
    tab = open_tab(people.bob)
    tab.page.route("**/runs-chart?*", lambda route: route.fulfill(status=500, body="no"))
    page = tab.open(address("kind=line&y=metric.loss"))
    expect(page.locator("[data-badge]")).to_have_text(
        "The chart could not be loaded (answer 500).", timeout=SLOW_MS
    )


def test_odd_values_are_drawn_without_an_error(
    open_tab: Open, people: Any, experiment: Any
) -> None:
    odd = (["NaN", "NaN"], ["Infinity", "-Infinity"], [2.0], [1e308, -1e308], [5.0, 5.0], [0.0, -1])
    for i, values in enumerate(odd):
        lr = ("x", "1", "nan", "1e400", "", "<b>5</b>")[i]
        run = make.run(experiment, parameters={"lr": lr}, tags={"model": f"%{{x}} {i}"})
        series = [charting.scalars(name, list(values)) for name in ("loss", "accuracy")]
        charting.log(run, *series)
    charts = [f"{chart}&log=xy&clip=1" for chart in CHARTS.values()]
    tab = open_tab(people.bob)
    page = tab.open(address(*charts))
    drawn(page, len(charts))
    for plot in page.locator(".list-chart .js-plotly-plot").all():
        plot.hover()
    assert page.locator(".chart-badge.failed").count() == 0
    assert tab.troubles == []

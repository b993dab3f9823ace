"""Charts below a comparison, and adding runs to one, in a real Chromium under the site's policy."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from tests import make
from tests.browser import charting
from tests.browser.looking import broken_rules
from tests.browser.test_list_charts import SLOW_MS, chart_fields, drag, drawn, x_range
from tests.web.comparing import PAGE, chosen

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Open = Callable[..., Any]
# Where to keep the pictures, for eyes; else with the other files of the test.
PICTURES = os.environ.get("STUDIO_SCREENSHOTS")


@pytest.fixture
def six(experiment: Any) -> list[Any]:
    return charting.six_runs(experiment)


def address(runs: Any, more: str = "") -> str:
    return f"{PAGE}?chosen={chosen(runs)}{more}"


def near(page: Page, n: int) -> Locator:
    """Scroll to the charts and wait for all n of them."""
    page.evaluate("document.getElementById('compare-charts').scrollIntoView()")
    return drawn(page, n)


def query_of(page: Page) -> dict[str, str]:
    return {name: texts[0] for name, texts in parse_qs(urlsplit(page.url).query).items()}


def picture(page: Page, folder: Path, name: str) -> None:
    page.screenshot(path=(Path(PICTURES) if PICTURES else folder) / name, full_page=True)


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (390, "dark")])
def test_common_metrics_are_drawn_below_the_table(
    width: int, theme: str, open_tab: Open, people: Any, six: list[Any], tmp_path: Path
) -> None:
    tab = open_tab(people.bob, width=width, height=1000, theme=theme)
    page = tab.open(address(six[:5]))
    near(page, 2)
    expect(page.locator(".list-chart h2")).to_have_text(["accuracy", "loss"])
    expect(page.locator("[data-badge]").first).to_have_text("5 runs")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    colours = page.locator(".list-chart .js-plotly-plot").last.evaluate(
        "plot => Object.fromEntries(plot.data.map((line) => [line.meta.uid, line.meta.slot]))"
    )
    assert colours == {run.uid: run.colour for run in six[:5]}
    picture(page, tmp_path, f"compare-charts-{width}-{theme}.png")
    if width < 1024:
        assert broken_rules(page) == []
    assert tab.troubles == []


def test_nothing_of_plotly_loads_before_the_charts_are_near(
    open_tab: Open, people: Any, experiment: Any
) -> None:
    names = {f"p{at:03}": "" for at in range(80)}
    runs = [make.run(experiment, parameters=dict.fromkeys(names, str(i))) for i in range(2)]
    for run in runs:
        charting.log(run, charting.scalars("loss", [3.0, 2.0, 1.0]))
    tab = open_tab(people.bob, height=600)
    page = tab.open(address(runs))
    expect(page.locator("th[title=p000]")).to_be_visible()
    assert page.evaluate("typeof Plotly") == "undefined"
    assert page.locator("[data-chart]").count() == 0

    page.get_by_role("link", name="Charts", exact=True).click()
    drawn(page, 1)
    assert tab.troubles == []


def test_zoom_and_size_stand_in_the_address_while_the_table_changes(
    open_tab: Open, people: Any, six: list[Any]
) -> None:
    tab = open_tab(people.bob)
    page = tab.open(address(six[:3], "&only=all"))
    plot = near(page, 2)
    drag(page, plot, (0.2, 0.5), (0.6, 0.5))
    expect(page).to_have_url(re.compile("zx"))
    shown = x_range(plot)
    zoomed = chart_fields(page)["zx"]

    page.locator("#compare-only").click()
    expect(page.locator("#compare-only")).to_have_attribute("aria-checked", "true")
    expect(page).to_have_url(re.compile("zx"))
    assert chart_fields(page)["zx"] == zoomed
    assert "only" not in query_of(page)
    page.get_by_role("button", name="More about loss").press("Enter")
    page.get_by_role("menuitem", name="Wider or narrower").press("Enter")
    expect(page.locator("#runs-chart_card-1")).to_have_class("chart list-chart wide-2 tall-1")
    assert "only" not in query_of(page)
    assert chart_fields(page)["zx"] == zoomed
    assert chart_fields(page, 1)["width"] == "2"
    assert x_range(plot) == pytest.approx(shown)

    other = open_tab(people.carol)
    there = near(other.open(page.url.removeprefix(tab.site)), 2)
    assert x_range(there) == pytest.approx(shown)
    assert tab.troubles == other.troubles == []


def test_a_run_that_is_taken_out_leaves_the_charts_without_a_flash(
    open_tab: Open, people: Any, six: list[Any]
) -> None:
    tab = open_tab(people.bob)
    page = tab.open(address(six[:3], "&folded=parameters,attributes"))
    near(page, 2)
    page.evaluate(
        """() => { window.empty = 0;
        const look = () => { if (!document.querySelector(".list-chart .main-svg")) empty++; };
        const all = { childList: true, subtree: true };
        new MutationObserver(look).observe(document.querySelector("main"), all); }"""
    )
    page.locator(f"#compare-without-{six[1].uid}").click()
    expect(page.locator("h1")).to_have_text("Compare 2 runs")
    expect(page.locator("[data-badge]").first).to_have_text("2 runs", timeout=SLOW_MS)
    assert page.evaluate("window.empty") == 0
    assert tab.troubles == []


def test_a_chart_is_added_edited_and_removed_and_the_common_ones_come_back(
    open_tab: Open, people: Any, six: list[Any]
) -> None:
    tab = open_tab(people.bob)
    page = tab.open(address(six[:3]))
    near(page, 2)
    page.locator("#runs-add_chart").press("Enter")
    dialog = page.get_by_role("dialog", name="Add chart")
    dialog.get_by_label("Kind", exact=True).select_option("scatter")
    dialog.get_by_label("Across 1", exact=True).fill("param.lr")
    dialog.get_by_label("Up 1", exact=True).fill("metric.loss")
    dialog.get_by_role("button", name="Add chart").press("Enter")
    drawn(page, 3)
    expect(page.locator(".list-chart h2")).to_have_text(["accuracy", "loss", "loss over lr"])
    assert urlsplit(page.url).path == PAGE

    for name in ("accuracy", "loss over lr", "loss"):
        page.get_by_role("link", name=f"Remove chart: {name}", exact=True).press("Enter")
        expect(page.get_by_role("link", name=f"Remove chart: {name}", exact=True)).to_have_count(0)
    expect(page.locator("#compare-charts")).to_contain_text("No charts")
    assert query_of(page)["charts"] == "none"
    page.locator("#compare-usual_charts").press("Enter")
    drawn(page, 2)
    assert "charts" not in query_of(page)
    page.go_back()
    expect(page.locator("#compare-charts")).to_contain_text("No charts")
    assert tab.troubles == []


def test_the_table_of_a_chart_is_there_for_those_who_do_not_see_it(
    open_tab: Open, people: Any, six: list[Any]
) -> None:
    tab = open_tab(people.bob)
    page = tab.open(address(six[:3]))
    plot = near(page, 2)
    expect(plot).to_have_attribute("aria-label", "Line chart of accuracy: 3 runs")
    page.get_by_role("button", name="More about loss").press("Enter")
    page.get_by_role("menuitem", name="Show as table").press("Enter")
    table = page.get_by_role("region", name="Values of loss").get_by_role("table")
    expect(table.get_by_role("rowheader")).to_have_count(3)
    assert tab.troubles == []


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (390, "dark")])
def test_a_run_is_compared_from_its_own_page_with_runs_found_by_typing(
    width: int, theme: str, open_tab: Open, people: Any, six: list[Any], tmp_path: Path
) -> None:
    tab = open_tab(people.bob, width=width, theme=theme)
    page = tab.open(f"/w/lab/runs/{six[4].uid}")
    if width < 1024:
        page.get_by_role("button", name="More actions").click()
        page.get_by_role("menuitem", name="Compare").press("Enter")
    else:
        page.locator("#run-compare-button").press("Enter")
    dialog = page.get_by_role("dialog", name="Compare with")
    find = dialog.get_by_label("Find runs")
    expect(find).to_be_focused()
    dialog.get_by_role("checkbox", name="net 3").check()
    find.fill("net 1")
    expect(dialog.get_by_role("checkbox")).to_have_count(2)
    expect(dialog.get_by_role("checkbox", name="net 3")).to_be_checked()
    dialog.get_by_role("checkbox", name="net 1").check()
    picture(page, tmp_path, f"compare-add-{width}-{theme}.png")
    if width < 1024:
        assert broken_rules(page) == []
    dialog.get_by_role("button", name="Compare").press("Enter")

    page.wait_for_url(f"**{PAGE}?chosen=*")
    assert query_of(page)["chosen"].split(",")[0] == six[4].uid
    assert set(query_of(page)["chosen"].split(",")) == {six[i].uid for i in (4, 3, 1)}
    expect(page.locator("h1")).to_have_text("Compare 3 runs")
    assert tab.troubles == []


def test_the_dialog_says_when_nothing_is_ticked_and_closes_back_to_its_button(
    open_tab: Open, people: Any, six: list[Any]
) -> None:
    tab = open_tab(people.bob)
    page = tab.open(address(six[:2], "&only=all"))
    page.locator("#compare-add_runs").press("Enter")
    dialog = page.get_by_role("dialog", name="Add runs")
    dialog.get_by_role("button", name="Compare").press("Enter")
    expect(dialog.get_by_role("alert")).to_have_text("Tick at least one run.")
    page.keyboard.press("Escape")
    expect(page.locator("#compare-add_runs")).to_be_focused()

    page.keyboard.press("Enter")
    dialog.get_by_role("checkbox", name="net 4").check()
    dialog.get_by_role("button", name="Compare").press("Enter")
    expect(page.locator("h1")).to_have_text("Compare 3 runs")
    assert query_of(page)["only"] == "all"
    assert [text for text in tab.troubles if "422" not in text] == []

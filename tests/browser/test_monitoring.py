"""The tab Monitoring in a real Chromium: drawn in both themes and on a phone, live, accessible."""

import os
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.charting import log
from tests.browser.test_charts import drawn
from tests.waiting import wait_until
from tests.web.test_run_monitoring import log_host, samples

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PICTURES = os.environ.get("STUDIO_SCREENSHOTS")


def test_charts_come_while_the_run_goes_on_and_are_usable_everywhere(
    run: Any, people: Any, open_tab: Any, tmp_path: Path
) -> None:
    tab = open_tab(people.carol)
    page = tab.open(f"/w/lab/runs/{run.uid}/monitoring")
    expect(page.get_by_role("heading", name="No samples yet")).to_be_visible()
    folder = Path(PICTURES) if PICTURES else tmp_path
    page.screenshot(path=folder / "monitoring-empty.png", full_page=True)
    assert not Axe().run(page).response["violations"]

    log_host(run, "node2", n=300)
    drawn(page, 7)
    n_points = "document.querySelector('.js-plotly-plot').data[0].x.length"
    assert page.evaluate(n_points) == 300
    log(run, samples("system/node2/cpu_percent", [60.0]))
    wait_until(lambda: page.evaluate(n_points) == 301, timeout_s=10)

    with page.expect_response(lambda answer: "/monitoring/table" in answer.url):
        page.get_by_role("link", name="Table of Memory of node2").click()
    table = page.get_by_role("table", name="Values of Memory of node2")
    expect(table.get_by_role("columnheader")).to_have_text(
        ["Time (UTC)", "Run's processes (GB)", "Host, used (GB)"]
    )
    assert not Axe().run(page).response["violations"]
    for width, theme in ((1440, "dark"), (390, "light")):
        other = open_tab(people.carol, width=width, theme=theme)
        shown = other.open(f"/w/lab/runs/{run.uid}/monitoring?x=relative")
        drawn(shown, 7)
        assert not Axe().run(shown).response["violations"]
        assert shown.evaluate("document.documentElement.scrollWidth") <= width
        shown.screenshot(path=folder / f"monitoring-{width}-{theme}.png", full_page=True)
        assert other.troubles == []
    page.screenshot(path=folder / "monitoring-light.png", full_page=True)
    assert tab.troubles == []

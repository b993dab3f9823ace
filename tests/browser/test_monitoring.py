"""The tab Monitoring in a real Chromium: live, and as a table."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.charting import log
from tests.browser.looking import broken_rules
from tests.browser.test_charts import drawn
from tests.waiting import wait_until
from tests.web.test_run_monitoring import log_host, samples

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_charts_come_while_the_run_goes_on_and_are_read_as_a_table(
    run: Any, people: Any, open_tab: Any
) -> None:
    tab = open_tab(people.carol)
    page = tab.open(f"/w/lab/runs/{run.uid}/monitoring")
    expect(page.get_by_role("heading", name="No samples yet")).to_be_visible()

    log_host(run, "node2", n=30)
    drawn(page, 7)
    n_points = "document.querySelector('.js-plotly-plot').data[0].x.length"
    assert page.evaluate(n_points) == 30
    log(run, samples("system/node2/cpu_percent", [60.0]))
    wait_until(lambda: page.evaluate(n_points) == 31, timeout_s=10)

    with page.expect_response(lambda answer: "/monitoring/table" in answer.url):
        page.get_by_role("link", name="Table of Memory of node2").click()
    table = page.get_by_role("table", name="Values of Memory of node2")
    expect(table.get_by_role("columnheader")).to_have_text(
        ["Time (UTC)", "Run's processes (GB)", "Host, used (GB)"]
    )
    assert broken_rules(page) == []
    assert tab.troubles == []

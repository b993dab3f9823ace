"""The table of a metric while its run goes on: newest on top, what is read stays, then quiet."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from studio.runs import actions
from tests import make
from tests.browser import charting
from tests.browser.asking import comes_to_rest
from tests.browser.test_chart_lines import SEEN
from tests.waiting import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Open = Callable[..., Any]
ASKED = "/metrics/table"
# How far the row of a step stands below the edge of its box.
PLACE = """([box, step]) => {
  const rows = [...box.querySelectorAll("tbody tr")];
  const row = rows.find((one) => one.cells[0].textContent === step);
  return Math.round(row.getBoundingClientRect().top - box.getBoundingClientRect().top);
}"""


def place_of(page: Page, step: str) -> int:
    box = page.locator(".points .table-scroll").element_handle()
    return int(page.evaluate(PLACE, arg=[box, step]))


def first_step(page: Page) -> Any:
    return page.locator(".points tbody tr").first.locator("td").first


def test_rows_come_on_top_and_what_is_read_stays(open_tab: Open, people: Any, run: Any) -> None:
    charting.log(run, charting.scalars("loss", [0.5] * 180))
    tab = open_tab(people.bob)
    page = tab.open(f"/w/lab/runs/{run.uid}/metrics?m=loss&as=table")
    charting.log(run, charting.scalars("loss", [0.4] * 10, first=180))
    expect(first_step(page)).to_have_text("189")
    box = page.locator(".points .table-scroll")
    assert box.evaluate("box => box.scrollTop") == 0

    box.focus()
    box.evaluate("box => { box.scrollTop = 1500; }")
    place = place_of(page, "140")
    # More than the table has room for: the oldest rows go.
    charting.log(run, charting.scalars("loss", [0.3] * 40, first=190))
    expect(first_step(page)).to_have_text("229")
    assert abs(place_of(page, "140") - place) <= 1
    expect(box).to_be_focused()
    assert tab.troubles == []


def test_a_hidden_or_finished_table_asks_nothing(open_tab: Open, people: Any, run: Any) -> None:
    charting.log(run, charting.scalars("loss", [0.5] * 3))
    tab = open_tab(people.bob)
    tab.page.clock.install()
    page = tab.open(f"/w/lab/runs/{run.uid}/metrics?m=loss&as=table")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate(SEEN, arg=False)
    assert comes_to_rest(page, ASKED)

    charting.log(run, charting.scalars("loss", [0.25], first=3))
    page.evaluate(SEEN, arg=True)
    wait_until(lambda: first_step(page).text_content() == "3" or page.clock.run_for(500))
    actions.complete_run(run, by=make.actor(people.bob))
    asked.clear()
    assert comes_to_rest(page, ASKED)
    assert any("-live" in url for url in asked)
    assert page.locator(".points[hx-get]").count() == 0
    assert tab.troubles == []

"""A sweep in a real Chromium: its charts filter its child runs, and one of them is opened."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from studio.runs.actions.annotate import add_properties
from tests import make
from tests.browser import charting
from tests.browser.test_list_charts import drag, drawn

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Open = Callable[..., Any]


@pytest.fixture
def sweep(experiment: Any, people: Any) -> Any:
    """A parent with six child runs; the greater lr, the greater the loss."""
    parent = make.run(experiment, display_name="sweep")
    named = {"primary_metric": "loss", "primary_metric_goal": "minimize"}
    add_properties(parent, named, by=make.actor(people.bob))
    for i in range(6):
        parameters = {"lr": str((i + 1) / 10), "layers": str(i % 3)}
        trial = make.run(
            experiment, parent=parent, display_name=f"trial {i}", parameters=parameters
        )
        charting.log(trial, charting.scalars("loss", [9.0, i + 1.0]))
    return parent


def names(page: Page) -> Any:
    return page.locator("#runs-results [data-row-link]")


def test_a_brush_filters_a_sweep_and_its_best_run_opens(
    open_tab: Open, people: Any, sweep: Any
) -> None:
    tab = open_tab(people.bob, height=1200)
    page = tab.open(sweep.page_path)
    page.get_by_role("link", name="Child runs").click()
    expect(names(page)).to_have_text([f"trial {i}" for i in range(6)])
    drawn(page, 4)
    expect(page.locator("#runs-sweep_best")).to_contain_text("trial 0")

    # The upper part of the first axis: an lr above 0.3.
    plot = page.locator("[data-kind='parallel'] .js-plotly-plot")
    drag(page, plot, (0.08, 0.02), (0.1, 0.48))
    expect(names(page)).to_have_text(["trial 3", "trial 4", "trial 5"])
    expect(page).to_have_url(re.compile(r"/children\?.*q=param\.lr"))
    expect(page.locator("#runs-sweep_best")).to_contain_text("trial 3")
    expect(page.locator("#runs-total")).to_have_text("3 runs")
    drawn(page, 4)

    page.locator("#runs-sweep_best a").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("trial 3")
    page.go_back()
    expect(names(page)).to_have_text(["trial 3", "trial 4", "trial 5"])
    page.locator("#runs-sweep_hide").click()
    expect(page.locator(".list-chart")).to_have_count(0)
    assert tab.troubles == []


def test_child_runs_come_to_an_empty_tab_by_themselves(
    open_tab: Open, people: Any, run: Any
) -> None:
    tab = open_tab(people.bob)
    page = tab.open(f"{run.page_path}/children")
    expect(page.get_by_role("heading", name="No child runs")).to_be_visible()
    make.run(run.experiment, parent=run, display_name="first")

    expect(names(page)).to_have_text(["first"])
    expect(page.locator("#runs-total")).to_have_text("1 run")
    assert tab.troubles == []

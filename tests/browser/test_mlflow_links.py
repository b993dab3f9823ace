"""The addresses that MLflow's clients print lead to the pages of their runs."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

pytestmark = pytest.mark.browser


def test_a_printed_address_leads_to_the_run_also_through_signing_in(
    open_tab: Callable[..., Any], browser: Browser, people: Any, run: Any
) -> None:
    printed = f"/#/experiments/{run.experiment_id}/runs/{run.uid}"
    tab = open_tab(people.bob)

    expect(tab.open(printed)).to_have_url(re.compile(f"/w/lab/runs/{run.uid}"))
    of_experiment = tab.open(f"/#/experiments/{run.experiment_id}")
    expect(of_experiment).to_have_url(re.compile("/w/lab/experiments/vision"))
    assert tab.troubles == []

    context = browser.new_context()
    page = context.new_page()
    page.goto(tab.site + printed)
    page.get_by_label("User name").fill("bob")
    page.get_by_label("Password").fill("correct horse battery")
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile(f"/w/lab/runs/{run.uid}"))
    context.close()

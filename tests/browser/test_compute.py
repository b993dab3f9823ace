"""The page Compute in a browser: it asks for news, and takes nothing away from who works on it."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from studio.compute.models import Target, Worker
from tests import make
from tests.browser.looking import broken_rules

pytestmark = pytest.mark.browser
PAGE = "/w/lab/compute"
Open = Callable[..., Any]


def test_news_come_in_and_leave_an_open_form_and_what_was_typed(
    open_tab: Open, people: Any, workspace: Any
) -> None:
    gpu = Target.objects.create(name="gpu", workspace=workspace)
    page = open_tab(people.alice).open(PAGE)
    page.locator("#target-gpu-edit").press("Enter")
    page.get_by_label("Description").fill("two A100")
    page.get_by_label("Most runs at a time").fill("0")
    Worker.objects.create(node="box-gpu", host="box", pid=1, target=gpu, n_slots=2)
    expect(page.locator("#target-gpu")).to_contain_text("box-gpu", timeout=20_000)
    expect(page.get_by_label("Most runs at a time")).to_have_value("0")
    expect(page.get_by_label("Most runs at a time")).to_be_focused()
    assert broken_rules(page) == []

    page.keyboard.press("Enter")
    expect(page.locator("#target-max_runs-error")).to_contain_text("Give 1 to 10,000")
    expect(page.get_by_label("Description")).to_have_value("two A100")
    page.get_by_label("Most runs at a time").fill("1")
    page.keyboard.press("Enter")
    expect(page.locator("#target-gpu")).to_contain_text("at most 1 at a time")

    page.get_by_role("button", name="Drain box-gpu").press("Enter")
    expect(page.get_by_role("button", name="Let box-gpu take runs again")).to_be_focused()
    page.get_by_role("button", name="Disable gpu").click()
    expect(page.locator("#target-gpu")).to_contain_text("it takes no new runs")


def test_it_fits_a_phone(open_tab: Open, people: Any, workspace: Any) -> None:
    gpu = Target.objects.create(name="gpu", workspace=workspace, max_runs=2)
    facts = {"gpus": [{"name": "NVIDIA A100-SXM4-80GB", "utilization_percent": 97.0}] * 2}
    host = "node17.a-very-long-name.cluster.example.org"
    Worker.objects.create(node=host, host=host, pid=1, target=gpu, n_slots=2, facts=facts)
    make.experiment(workspace)
    page = open_tab(people.alice, width=390, height=800).open(PAGE)
    expect(page.locator("#target-gpu")).to_contain_text("A100-SXM4-80GB")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390

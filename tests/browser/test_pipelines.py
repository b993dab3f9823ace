"""Journeys through a pipeline's graph and a run's toolbar, in a real browser."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from studio.runs import actions
from studio.runs.models import Run
from tests import make
from tests.browser.looking import broken_rules
from tests.web.test_run_steps import pipeline, steps
from tests.web.test_run_toolbar import submitted

__all__ = ["pipeline", "steps", "submitted"]
pytestmark = pytest.mark.browser
Open = Callable[..., Any]


def is_too_wide(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > innerWidth"))


def write_log(user: Any, run: Run, text: bytes) -> None:
    raw = "application/octet-stream"
    api = make.Api(user, run.workspace)
    api.send("POST", f"/runs/{run.uid}/logs/logs/output.txt?offset=0", text, raw)


def test_a_click_on_a_step_shows_its_log_beside_the_live_graph(
    open_tab: Open, people: Any, pipeline: Run, steps: dict[str, Run]
) -> None:
    tab = open_tab(people.bob)
    page = tab.open("/w/lab/pipelines")
    page.get_by_role("link", name="wine").click()
    graph = page.locator(".steps-graph")
    expect(graph.get_by_role("link")).to_have_count(4)
    write_log(people.bob, steps["train a"], b"epoch 1\n")

    graph.get_by_role("link", name=re.compile("train a")).first.click()
    expect(page).to_have_url(re.compile(f"step={steps['train a'].uid}"))
    expect(page.locator("#runs-step_log")).to_contain_text("epoch 1")
    # Arrow keys walk the graph; Enter opens.
    page.keyboard.press("ArrowDown")
    expect(page.locator(f"#step-box-{steps['train b'].uid}")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="prepare")).to_be_visible()
    expect(page.locator(f"#step-box-{steps['prepare'].uid}")).to_be_focused()

    actions.complete_run(steps["prepare"], by=make.actor(people.bob))
    expect(page.locator(f"#step-box-{steps['prepare'].uid}")).to_contain_text("Completed")

    page.locator("#run-cancel-button").click()
    expect(page.locator("#cancel-panel")).to_contain_text("3 of 4 steps are unfinished")
    page.get_by_role("button", name="Cancel pipeline").click()
    expect(graph).to_contain_text("Cancel requested")
    assert tab.troubles == []


def test_on_the_phone_the_steps_are_a_list_in_their_order(
    open_tab: Open, people: Any, pipeline: Run, steps: dict[str, Run]
) -> None:
    write_log(people.bob, steps["evaluate"], b"accuracy 0.9\n")
    tab = open_tab(people.bob, width=390, theme="dark")
    page = tab.open("/w/lab/runs/pipe/steps")
    expect(page.locator(".steps-graph")).to_be_hidden()
    listed = page.locator(".steps-list .step")
    expect(listed).to_have_count(4)
    expect(listed.last).to_contain_text("after train a, train b")
    listed.last.click()
    expect(page.locator("#runs-step_log")).to_contain_text("accuracy 0.9")
    page.get_by_label("Find in this file").fill("accuracy")
    expect(page.locator("#artifacts-find-said")).to_have_text("1 of 1")
    assert not is_too_wide(page)
    assert broken_rules(page) == []

    # What has no room in the bar stands in the menu, with its reason.
    page.locator("#run-more-button").click()
    expect(page.get_by_role("menuitem", name="Delete")).to_have_attribute("aria-disabled", "true")
    expect(page.locator("#run-more")).to_contain_text("The run is not finished: cancel it first")
    assert tab.troubles == []


def test_a_run_is_resubmitted_from_its_toolbar(open_tab: Open, people: Any, submitted: Run) -> None:
    tab = open_tab(people.bob)
    page = tab.open(f"/w/lab/runs/{submitted.uid}")
    page.locator("#run-delete-button").press("Enter")
    expect(page.locator("#toasts")).to_contain_text("The run is not finished: cancel it first")
    page.locator("#run-resubmit-button").press("Enter")
    box = page.get_by_label("Arguments")
    expect(box).to_be_focused()
    expect(box).to_have_value("--note 'two words'")
    assert broken_rules(page) == []
    box.fill("--note 'open")
    send = page.get_by_role("dialog").get_by_role("button", name="Resubmit")
    send.click()
    expect(page.get_by_role("dialog")).to_contain_text("close each quote")
    expect(box).to_have_value("--note 'open")
    box.fill("--fast")
    send.dblclick()

    expect(page.locator("#toasts")).to_contain_text("as a copy of “baseline”")
    expect(page.locator("#runs-details")).to_contain_text("Resubmitted from")
    assert Run.objects.count() == 2
    # What was asked for is deleted, and back again with Undo, on the page one lands on.
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("button", name="Cancel run").click()
    expect(page.locator("#run-delete-button")).not_to_have_attribute("aria-disabled", "true")
    page.locator("#run-delete-button").click()
    expect(page).to_have_url(re.compile("/experiments/vision$"))
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("tbody tr")).to_have_count(2)
    # The browser notes the refused form.
    assert [text for text in tab.troubles if "422" not in text] == []

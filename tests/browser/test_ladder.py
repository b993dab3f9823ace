"""A cancel on the page of a run: steps, a countdown by the server's clock, and what a screen reader
hears."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from studio.compute.models import Job
from studio.execution.ladder import EVENT
from studio.runs import actions
from studio.runs.lifecycle import record_event
from tests import make
from tests.browser.conftest import Tab
from tests.web.test_run_detail import running_on_a_worker

pytestmark = pytest.mark.browser

# A clock that is a day ahead, as some laptops' are.
WRONG_CLOCK = "{ const real = Date.now; Date.now = () => real() + 86_400_000; }"


def test_the_steps_come_by_themselves_and_count_down_by_the_servers_clock(
    open_tab: Callable[..., Tab], experiment: Any, people: Any
) -> None:
    run = running_on_a_worker(experiment)
    Job.objects.update(beat_at=timezone.now(), grace_s=300)
    tab = open_tab(people.bob)
    tab.page.context.add_init_script(WRONG_CLOCK)
    page = tab.open(f"/w/lab/runs/{run.uid}")
    live = page.locator("#live")
    expect(live).to_have_text("")
    page.click("#run-cancel-button")
    page.fill("#cancel-reason", "flat loss")
    page.click("#cancel-panel .primary")
    expect(live).to_contain_text("Cancel requested: Asked.")
    record_event(run, EVENT, by=make.actor(people.bob), after="interrupting")
    Job.objects.update(cancel_step="interrupting", cancel_step_at=timezone.now())
    rung = page.locator(".ladder [aria-current=step]")
    expect(rung).to_have_text(re.compile(r"Terminating, 4 m \d+ s left"))
    shown = rung.inner_text()
    expect(live).to_contain_text("Asked, Interrupted.")
    expect(rung).not_to_have_text(shown)
    expect(rung).to_have_text(re.compile(r"Terminating, 4 m \d+ s left"))
    actions.kill_run(run, by=make.actor(people.bob))
    expect(rung).to_have_text("Killing")
    assert tab.troubles == []

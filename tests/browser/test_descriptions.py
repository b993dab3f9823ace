"""The versions of a description in a real browser: read, shown, restored."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from studio.runs import actions
from studio.runs.actions.experiments import describe_experiment
from tests import make
from tests.browser.conftest import Tab

pytestmark = pytest.mark.browser
TEXTS = (
    "# Cats\n\nAll of them.\n\n- [ ] more data\n",
    "# Cats\n\nSome of them, see `train.py`.\n\n- [x] more data\n- [ ] a second seed\n",
    "# Cats\n\nSome of them, see `train.py` "
    + "and what follows from it for everybody " * 5
    + ".\n\n- [x] more data\n- [x] a second seed\n",
)


def describe(run: Any, people: Any) -> None:
    for text, person in zip(TEXTS, (people.bob, people.alice, people.bob), strict=True):
        actions.describe_run(run, text, by=make.actor(person))
        describe_experiment(run.experiment, text, by=make.actor(person))


def test_a_person_brings_an_older_text_back(
    open_tab: Callable[..., Tab], run: Any, people: Any
) -> None:
    describe(run, people)
    tab = open_tab(people.bob)
    for place in (f"/w/lab/runs/{run.uid}", "/w/lab/experiments/vision"):
        page = tab.open(place)
        page.get_by_role("link", name="Versions of the description").click()
        expect(page.get_by_role("heading", name="Version 3")).to_be_visible()
        page.get_by_role("link", name="Show version 1").click()
        expect(page.get_by_text("All of them.").first).to_be_visible()
        page.get_by_role("button", name="Restore version 1").click()
        expect(page.get_by_text("Version 1 of the description is back.")).to_be_visible()
        expect(page.locator(".prose")).to_contain_text("All of them.")
        assert page.url.endswith(place)
    assert tab.troubles == []

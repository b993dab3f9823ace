"""The versions of a description in a real browser: read, shown, restored, within the rules of
access."""

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
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


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 390)])
def test_versions_break_no_rule_of_access(
    open_tab: Callable[..., Tab], run: Any, people: Any, theme: str, width: int
) -> None:
    describe(run, people)
    tab = open_tab(people.bob, width=width, theme=theme)
    pages = (f"/w/lab/runs/{run.uid}", "/w/lab/experiments/vision")
    ends = ("", "/description/versions", "/description/versions/2", "/description/edit")
    places = [page + end for page in pages for end in ends] + [f"{pages[0]}/history"]

    problems = []
    for place in places:
        page = tab.open(place)
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            problems.append(f"{place} is {wide} px wide")
        for found in Axe().run(page).response["violations"]:
            nodes = [node["html"][:160] for node in found["nodes"][:3]]
            problems.append(f"{place} {found['id']}: {nodes}")
    assert problems == []
    assert tab.troubles == []

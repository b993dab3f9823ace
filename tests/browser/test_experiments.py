"""The experiments page in a real browser: star, sort, rename in place, archive, walk by keys."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from studio.runs.models import Experiment
from tests import make
from tests.browser.conftest import Tab

pytestmark = pytest.mark.browser
PAGE = "/w/lab/experiments"


@pytest.fixture
def two(workspace: Any) -> list[Any]:
    made = [make.experiment(workspace, name) for name in ("vision", "nlp")]
    for experiment in made:
        make.run(experiment)
    return made


def test_a_person_tends_the_experiments(
    open_tab: Callable[..., Tab], two: Any, people: Any
) -> None:
    tab = open_tab(people.bob)
    page = tab.open(PAGE)
    page.get_by_role("button", name="Star vision").click()
    expect(page.get_by_role("button", name="Star vision")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("link", name="Starred first").click()
    expect(page.locator("tbody tr").first).to_contain_text("vision")

    page.get_by_role("button", name="Actions for vision").click()
    page.get_by_role("menuitem", name="Rename").click()
    field = page.get_by_role("textbox", name="Name of the experiment")
    expect(field).to_be_focused()
    expect(page.get_by_role("menuitem", name="Rename")).to_have_count(0)
    field.fill("nlp")
    field.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("There is an experiment “nlp” already")
    field.fill("sight")
    field.press("Enter")
    expect(page.get_by_role("link", name="sight", exact=True)).to_be_visible()

    page.get_by_role("button", name="Actions for sight").click()
    page.get_by_role("menuitem", name="Archive").click()
    expect(page.get_by_role("link", name="sight", exact=True)).to_have_count(0)
    page.get_by_role("switch", name="Archived").click()
    expect(page.get_by_role("link", name="sight", exact=True)).to_be_visible()
    # The refused name is an answer with the status of a conflict, which browsers tell of.
    assert [trouble for trouble in tab.troubles if "409" not in trouble] == []
    assert Experiment.objects.get(name="sight").archived_at


def test_keys_walk_the_rows_and_the_bar_leads_to_runs(
    open_tab: Callable[..., Tab], two: Any, people: Any
) -> None:
    tab = open_tab(people.bob, width=1024, theme="dark")
    page = tab.open(PAGE)
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="vision", exact=True)).to_be_focused()
    page.locator("#experiments-row-vision").get_by_role("link", name="1 running").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("vision")
    expect(page.get_by_role("link", name="vision-1")).to_be_visible()
    assert tab.troubles == []

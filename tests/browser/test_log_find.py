"""The find bar of a log, and the list of runs that filters by logs, as a person uses them."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from studio.artifacts.logs import append_log
from studio.artifacts.models import MAIN_LOG
from studio.work.models import Work
from studio.work.running import run_work
from tests import make
from tests.browser.conftest import Tab

pytestmark = pytest.mark.browser

LOG = b"epoch 1\nCUDA out of memory\nepoch 2\ncuda again\n" + b"quiet\n" * 50


def test_hits_are_streamed_walked_and_kept_in_the_address(
    open_tab: Callable[..., Tab], run: Any, people: Any
) -> None:
    append_log(run, MAIN_LOG, 0, LOG, by=make.actor(people.bob))
    tab = open_tab(people.bob, width=390, theme="dark")
    page = tab.open(f"{run.page_path}/logs")

    page.keyboard.press("/")
    page.keyboard.type("cuda")
    said = page.locator("[data-find-said]")
    expect(page.locator("[data-find-list] > li")).to_have_count(2)
    expect(page.locator("[data-find-list] mark").first).to_have_text("CUDA")
    expect(page).to_have_url(re.compile(r"find=cuda"))
    page.keyboard.press("Enter")
    expect(said).to_have_text(re.compile(r"[12] of 2"))
    page.keyboard.press("Shift+Enter")
    expect(page.locator("[data-find-list] > [aria-current]")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390

    page.get_by_role("button", name="Lines around line 2").click()
    expect(page.locator(".log-hit-around").first).to_contain_text("epoch 2")
    expect(page.get_by_role("link", name="Search in all runs")).to_have_attribute(
        "href", re.compile(r"runs\?q=log~%22cuda%22")
    )

    page.reload()
    expect(page.locator("[data-find-list] > li")).to_have_count(2)
    page.locator("[data-find-text]").press("Escape")
    expect(page.locator("[data-find-panel]")).to_be_hidden()
    expect(page).to_have_url(re.compile(r"/logs(?!.*find=cuda)"))
    assert tab.troubles == []

    page.get_by_role("checkbox", name="Regular expression").check(force=True)
    page.locator("[data-find-text]").fill("foo(")
    expect(page.get_by_role("alert")).to_contain_text("can't be read: unclosed group")


def test_a_list_that_filters_by_logs_searches_them_and_shows_what_was_found(
    open_tab: Callable[..., Tab], run: Any, people: Any
) -> None:
    append_log(run, MAIN_LOG, 0, LOG, by=make.actor(people.bob))
    tab = open_tab(people.carol)
    page = tab.open(f'/w/{run.workspace.name}/runs?q=log~"out of memory"')

    band = page.locator("#runs-log_search")
    expect(band).to_contain_text("Searching logs, newest run first")
    run_work(Work.objects.get().pk)
    expect(band).to_contain_text("1 found")
    expect(page.locator("#runs-results")).to_contain_text(run.display_name)
    band.get_by_text("First lines found").click()
    expect(band.locator("mark")).to_have_text("out of memory")
    expect(band.get_by_role("button", name="Search again")).to_be_visible()
    assert tab.troubles == []

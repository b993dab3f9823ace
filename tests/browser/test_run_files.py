"""Files of a run in a browser: tree, search, tabs and previews, in both themes and on a phone."""

import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from studio.artifacts.actions import put_artifact
from studio.artifacts.logs import append_log
from studio.artifacts.models import MAIN_LOG
from tests import make
from tests.browser.looking import broken_rules

pytestmark = pytest.mark.browser
Open = Callable[..., Any]


def fits(page: Page) -> None:
    assert broken_rules(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.fixture
def put(run: Any, people: Any) -> Any:
    by = make.actor(people.bob)
    append_log(run, MAIN_LOG, 0, b"epoch 1\n", by=by)
    return lambda path, data: put_artifact(run, path, io.BytesIO(data), by=by)


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 390)])
def test_a_file_is_found_opened_and_closed(
    open_tab: Open, people: Any, run: Any, put: Any, theme: str, width: int
) -> None:
    put("outputs/tables/loss.csv", b"epoch,loss\n1,0.25\n")
    put("outputs/README.md", b"# Card\n\n| a |\n|---|\n| 1 |\n")
    put("outputs/model.bin", bytes(range(256)))
    tab = open_tab(people.carol, theme=theme, width=width)
    page = tab.open(f"{run.page_path}/logs")
    if width < 500:
        page.locator("[data-file-list] > summary").click()
    page.get_by_role("searchbox", name="Search files").fill("LOSS")
    page.get_by_role("link", name="outputs/tables/loss.csv").click()
    expect(page.get_by_role("region", name="Rows of outputs/tables/loss.csv")).to_contain_text(
        "0.25"
    )
    fits(page)
    for name, words in (("README.md", "Card"), ("model.bin", "10 11 12")):
        if width < 500:
            page.locator("[data-file-list] > summary").click()
        page.get_by_role("navigation", name="Files of this run").get_by_text(name).click()
        expect(page.locator("#artifacts-preview")).to_contain_text(words)
        fits(page)
    page.get_by_role("link", name="Close model.bin").click()
    expect(page).to_have_url(re.compile("path=outputs%2FREADME.md"))
    page.get_by_role("link", name="Show output.txt beside").click()
    beside = page.get_by_role("region", name="Lines beside, of logs/output.txt")
    append_log(run, MAIN_LOG, 8, b"epoch 2\n", by=make.actor(people.bob))
    expect(beside).to_contain_text("epoch 2")
    fits(page)
    page.get_by_role("link", name="Raw", exact=True).click()
    expect(page.get_by_role("region", name="Lines of outputs/README.md")).to_contain_text("# Card")
    assert tab.troubles == []


def test_the_tree_grows_while_it_is_walked_by_keys(
    open_tab: Open, people: Any, run: Any, put: Any
) -> None:
    put("outputs/a/one.txt", b"1")
    put("outputs/b/two.txt", b"2")
    tab = open_tab(people.carol)
    page = tab.open(f"{run.page_path}/logs")
    tree = page.get_by_role("navigation", name="Files of this run")
    folder = tree.locator("summary", has_text=re.compile("^a"))
    tree.locator("summary", has_text="outputs").focus()
    page.keyboard.press("ArrowDown")
    expect(folder).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(tree.get_by_role("link", name="one.txt")).to_be_visible()
    put("outputs/a/three.txt", b"3")
    expect(tree.get_by_role("link", name="three.txt")).to_be_visible()
    expect(folder).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("path=outputs%2Fa%2Fone.txt.*dir=outputs%2Fa"))
    assert tab.troubles == []

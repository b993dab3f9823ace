"""Reading a log in a real browser: the whole file behind one scrollbar, links, the live end."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from studio.artifacts.logs import append_log
from studio.artifacts.models import MAIN_LOG
from studio.runs.actions import complete_run
from tests import make
from tests.browser.looking import broken_rules

pytestmark = pytest.mark.browser
Open = Callable[..., Any]
N_LINES = 20_000
MOST_ROWS = 420


@pytest.fixture
def log(run: Any, people: Any) -> Any:
    """Append to the main log."""
    size = 0

    def write(data: bytes) -> None:
        nonlocal size
        size = append_log(run, MAIN_LOG, size, data, by=make.actor(people.bob))

    return write


def long_log() -> bytes:
    lines = [f"step {i}" for i in range(1, N_LINES + 1)]
    lines[11_999] = "\x1b[31mERROR\x1b[0m no convergence"
    lines[14_999] = "WARN slow"
    lines[99], lines[4_999] = "::group::Epoch 1", "::endgroup::"
    lines[5_999] = "10%\r50%\r90%"
    return "\n".join(lines).encode() + b"\n"


def row(page: Page, line: int) -> Any:
    return page.locator(f'.log-line[data-line="{line}"]')


def jump(page: Page, part: float) -> None:
    """Drag the scrollbar to that part of the file."""
    page.locator("[data-log-scroller]").evaluate(
        "(box, part) => { box.scrollTop = part * (box.scrollHeight - box.clientHeight); }", part
    )


def few_rows(page: Page) -> bool:
    return page.locator(".log-line").count() <= MOST_ROWS


def test_the_scrollbar_the_keys_and_the_marks_reach_every_line(
    open_tab: Open, people: Any, run: Any, log: Any
) -> None:
    log(long_log())
    complete_run(run, by=make.actor(people.bob))
    tab = open_tab(people.carol)
    page = tab.open(f"{run.page_path}/logs")
    expect(row(page, N_LINES)).to_be_in_viewport()
    for part, line in ((0.0, 1), (0.5, 10_010), (0.25, 5_010), (1.0, N_LINES)):
        jump(page, part)
        expect(row(page, line)).to_be_in_viewport()
        assert few_rows(page)

    page.keyboard.press("Home")
    expect(row(page, 1)).to_be_in_viewport()
    page.keyboard.press("PageDown")
    expect(row(page, 1)).not_to_be_in_viewport()
    page.keyboard.press("f")
    expect(row(page, 12_000)).to_be_in_viewport()
    page.keyboard.press("w")
    expect(row(page, 15_000)).to_have_class("log-line warned picked")
    assert page.url.endswith("#L15000")
    page.keyboard.press("g")
    page.keyboard.type("6,000")
    page.keyboard.press("Enter")
    expect(row(page, 6_000)).to_be_in_viewport()
    row(page, 6_000).get_by_text("2 earlier").click()
    expect(row(page, 6_000)).to_contain_text("10%50%90%")
    expect(page.locator(".log-marks .wrong")).to_have_count(1)

    page.locator("[data-log-jump] [name=line]").fill("99")
    page.locator("[data-log-jump] [name=line]").press("Enter")
    row(page, 100).get_by_role("button").click()
    expect(row(page, 5_001)).to_be_in_viewport()
    expect(row(page, 101)).to_have_count(0)
    jump(page, 1)
    expect(row(page, N_LINES)).to_be_in_viewport()
    assert few_rows(page)
    assert tab.troubles == []


def test_a_link_to_lines_opens_there_in_every_theme_and_width(
    open_tab: Open, people: Any, run: Any, log: Any
) -> None:
    log(long_log() + ("wide " * 300 + "\n").encode() * 50)
    complete_run(run, by=make.actor(people.bob))
    for width, theme in ((1440, "light"), (390, "dark")):
        tab = open_tab(people.carol, width=width, theme=theme)
        page = tab.open(f"{run.page_path}/logs#L12000-L12003")
        expect(row(page, 12_000)).to_be_in_viewport()
        expect(page.locator(".log-line.picked")).to_have_count(4)
        expect(page.get_by_text("Lines 12,000–12,003", exact=True)).to_be_visible()
        row(page, 12_002).locator(".log-number").click()
        row(page, 12_005).locator(".log-number").click(modifiers=["Shift"])
        assert page.url.endswith("#L12002-L12005")
        assert page.get_by_text("Download lines").get_attribute("href").endswith("=12002-12005")
        for choice in ("Wrap", "Times"):
            page.get_by_role("button", name=choice).click()
        expect(row(page, 12_002).locator("time")).to_be_visible()
        expect(row(page, 12_002)).to_be_in_viewport()
        if width < 1024:
            assert broken_rules(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.reload()
        expect(page.get_by_role("button", name="Wrap")).to_have_attribute("aria-pressed", "true")
        expect(row(page, 12_005)).to_be_in_viewport()
        jump(page, 1)
        expect(row(page, N_LINES + 50)).to_be_in_viewport()
        assert tab.troubles == []


def test_the_live_end_is_followed_and_never_moves_what_is_read(
    open_tab: Open, people: Any, run: Any, log: Any
) -> None:
    tab = open_tab(people.carol)
    page = tab.open(f"{run.page_path}/logs")
    expect(page.get_by_text("Waiting for the first line…")).to_be_visible()
    log(b"".join(b"step %d\n" % i for i in range(1, 301)) + b"10%")
    expect(row(page, 301)).to_be_in_viewport()
    log(b"\r20%\nlast\n")
    expect(row(page, 301)).to_contain_text("20%")
    expect(row(page, 302)).to_be_in_viewport()

    page.locator("[data-log-scroller]").hover()
    page.mouse.wheel(0, -400)
    follow = page.get_by_role("button", name="Follow")
    expect(follow).to_have_attribute("aria-pressed", "false")
    expect(row(page, 302)).not_to_be_in_viewport()
    before = row(page, 270).bounding_box()
    log(b"more\n" * 1_000)
    expect(page.locator("[data-log-size]")).to_contain_text("1,302 lines")
    assert row(page, 270).bounding_box() == before
    page.keyboard.press("j")
    expect(row(page, 1_302)).to_be_in_viewport()
    assert few_rows(page)

    complete_run(run, by=make.actor(people.bob))
    expect(follow).to_be_hidden()
    assert tab.troubles == []

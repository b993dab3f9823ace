"""The newcomer's journey in a real Chromium, against a real studio and worker."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.chromium import is_trouble
from tests.live.studio import PASSWORD, Studio, write_script
from tests.live.test_main_job import STUBBORN, submit
from tests.waiting import wait_until

pytestmark = [pytest.mark.live, pytest.mark.browser]

STAMPS = """
import time
for i in range(300):
    print(f"stamp {time.time():.3f} line {i}", flush=True)
    time.sleep(0.1)
"""


@pytest.fixture
def page(browser: Browser, shared_studio: Studio) -> Iterator[Page]:
    """Signed in, on All runs, with every console error kept as a failure."""
    with browser.new_context(viewport={"width": 1440, "height": 900}) as context:
        page = context.new_page()
        troubles: list[str] = []
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda said: is_trouble(said) and troubles.append(said.text))
        page.goto(f"{shared_studio.url}/w/default/runs")
        expect(page).to_have_url(re.compile("/sign-in"))
        page.get_by_label("User name").fill("admin")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="All runs")).to_be_visible()
        yield page
        # A refused form is part of the journey; the browser notes its 422 in the console.
        assert [text for text in troubles if "422" not in text] == []


def test_watch_tag_describe_and_cancel_a_run(page: Page, shared_studio: Studio) -> None:
    run = submit(shared_studio, STUBBORN, arguments=["--seconds", "120"])
    page.reload()
    row = page.locator("tr", has=page.get_by_role("link", name=re.compile("live-")).first).first
    # The list follows by itself: nobody reloads this page any more.
    expect(row).to_contain_text("Running", timeout=15_000)
    row.get_by_role("link", name=re.compile("live-")).first.click()
    expect(page.locator("#runs-header")).to_contain_text("Running")

    page.get_by_role("button", name="Edit tags").click()
    page.get_by_label("Add a tag").fill("quality: fantastic run")
    page.get_by_role("button", name="Save tags").click()
    expect(page.locator("#runs-header")).to_contain_text("fantastic run")

    page.get_by_role("link", name="Outputs + logs").click()
    expect(page.locator("#artifacts-log_lines")).to_contain_text("pid", timeout=20_000)

    page.get_by_role("link", name="Monitoring").click()
    # The script has two processes of its own below it.
    expect(page.get_by_role("img", name=re.compile("Chart of Processes.* [1-9]"))).to_be_visible(
        timeout=60_000
    )
    expect(page.locator(".js-plotly-plot .trace").first).to_be_attached(timeout=60_000)

    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_label("Reason (optional)").fill("enough seen")
    page.get_by_role("button", name="Cancel run").click()
    expect(page.locator("#runs-header")).to_contain_text("Canceled", timeout=20_000)
    assert shared_studio.processes_of(run.id) == []

    page.get_by_role("link", name="History").click()
    history = page.locator("#runs-history")
    expect(history).to_contain_text("Cancel requested")
    expect(history).to_contain_text("enough seen")
    expect(history).to_contain_text("admin")


def test_a_written_line_is_on_the_page_within_two_seconds(
    page: Page, shared_studio: Studio, tmp_path: Path
) -> None:
    run = submit(shared_studio, write_script(tmp_path / "src", STAMPS))
    page.goto(f"{shared_studio.url}/w/default/runs/{run.id}/logs")
    expect(page.locator("#artifacts-log_lines")).to_contain_text("stamp", timeout=20_000)
    lags = []
    for _ in range(10):
        newest = newest_stamp(page)
        wait_until(lambda seen=newest: newest_stamp(page) > seen, 10, "a newer line")
        lags.append(time.time() - newest_stamp(page))
    run.cancel()
    # The newest line on the page was written at most 2 s before it is seen there.
    assert max(lags) < 2, lags


def newest_stamp(page: Page) -> float:
    lines = page.locator("#artifacts-log_lines").inner_text()
    found: list[str] = re.findall(r"stamp ([\d.]+)", lines)
    return float(found[-1])


def test_the_description_is_written_with_a_preview(page: Page, shared_studio: Studio) -> None:
    from studio.sdk import Experiment

    run = Experiment(shared_studio.workspace, "live").start_logging(snapshot_directory=None)
    run.complete()
    page.goto(f"{shared_studio.url}/w/default/runs/{run.id}")
    page.get_by_role("link", name=re.compile("Edit|Add a description|Describe")).first.click()
    text = "## Finding\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n<script>alert(1)</script>"
    box = page.get_by_role("textbox", name=re.compile("Description|Markdown"))
    box.fill(text)
    expect(page.locator("#runs-preview").get_by_role("heading", name="Finding")).to_be_visible()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Finding")).to_be_visible()
    assert page.locator("main script").count() == 0


def test_a_query_narrows_the_list_and_a_wrong_one_says_where(
    page: Page, shared_studio: Studio
) -> None:
    from studio.sdk import Experiment

    run: Any = Experiment(shared_studio.workspace, "searching").start_logging(
        snapshot_directory=None
    )
    run.tag("needle", "in-a-haystack")
    run.complete()
    page.goto(f"{shared_studio.url}/w/default/runs")
    page.locator("#runs-q").fill("tag.needle:in-a-haystack")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 run", exact=True)).to_be_visible()
    expect(page).to_have_url(re.compile("q="))
    page.locator("#runs-q").fill("status:(")
    page.keyboard.press("Enter")
    expect(page.locator("#runs-query_error")).to_contain_text("For example")
    expect(page.locator("#runs-q")).to_have_value("status:(")

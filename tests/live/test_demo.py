"""STUDIO_DEMO=1: a newcomer's first minutes, and the pictures of the README made from them."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.picturing import small
from tests.live.studio import PASSWORD, ROOT, Studio
from tests.waiting import wait_until

pytestmark = [pytest.mark.live, pytest.mark.browser]

SUBMISSIONS = json.loads((ROOT / "fixtures/training/demo.json").read_text())["submissions"]
# Pictures go into docs/ only when asked: a test run leaves the work tree as it was.
RENEW = os.environ.get("STUDIO_RENEW_PICTURES") == "1"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    studio = Studio(tmp_path_factory.mktemp("demo"), is_first=True, STUDIO_DEMO="1").start()
    yield studio
    studio.stop()
    print(studio.log.read_text()[-4000:])


@pytest.fixture(scope="module")
def runs(demo: Studio) -> list[tuple[Any, dict[str, Any]]]:
    """Every demo run with what is foreseen for it, once all that end by themselves have ended."""
    from studio.sdk import Workspace

    secret = demo.manage("createtoken", "admin", "--workspace", "demo", "--scope", "write")
    workspace = Workspace("demo", url=demo.url, token=secret)
    wait_until(lambda: "Watch it at" in demo.log.read_text(), 120, "the demo to be submitted")
    ids = re.findall(r"/runs/([0-9a-f]{32})", demo.log.read_text())
    assert len(ids) == len(SUBMISSIONS)
    found = [(workspace.get_run(uid), entry) for uid, entry in zip(ids, SUBMISSIONS, strict=True)]
    for run, entry in found:
        if entry["expected_status"] != "Canceled":
            wait_until(
                lambda run=run: run.get_status() in {"Completed", "Failed", "Canceled"},
                300,
                entry["display_name"],
                every_s=0.5,
            )
    return found


@pytest.fixture
def page(browser: Browser, demo: Studio) -> Iterator[Page]:
    with browser.new_context(viewport={"width": 1440, "height": 810}) as context:
        page = context.new_page()
        page.goto(f"{demo.url}/w/demo/runs")
        page.get_by_label("User name").fill("admin")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        yield page


def test_every_demo_run_really_runs_and_ends_as_foreseen(runs: list[Any]) -> None:
    ended = {
        entry["display_name"]: (run.get_status(), entry["expected_status"]) for run, entry in runs
    }
    wrong = {
        name: both for name, both in ended.items() if both[0] != both[1] and both[1] != "Canceled"
    }
    assert wrong == {}


def test_the_demo_trained_something(runs: list[Any]) -> None:
    full = next(run for run, entry in runs if entry["display_name"] == "digits, full training")
    accuracy = full.get_metrics()["val_accuracy"]
    assert len(accuracy) >= 20
    assert accuracy[-1] > 0.9
    sweep = next(run for run, entry in runs if entry["folder"] == "sweep")
    statuses = [child.get_status() for child in sweep.get_children()]
    assert statuses.count("Failed") == 1
    assert statuses.count("Completed") >= 5


def test_the_pictures_of_the_readme(page: Page, runs: list[Any], tmp_path: Path) -> None:
    folder = ROOT / "docs" / "images" if RENEW else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    expect(page.get_by_role("heading", name="All runs")).to_be_visible()
    expect(page.locator("#runs-results tbody tr")).to_have_count(len(runs))
    (folder / "all-runs.png").write_bytes(small(page.screenshot(), colours=256))
    full = next(run for run, entry in runs if entry["display_name"] == "digits, full training")
    page.goto(page.url.split("/w/")[0] + f"/w/demo/runs/{full.id}/metrics")
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=15_000)
    (folder / "metrics.png").write_bytes(small(page.screenshot(), colours=256))
    assert 20_000 < (folder / "all-runs.png").stat().st_size < 150_000


def test_a_second_start_keeps_the_demo_it_has(demo: Studio, runs: list[Any]) -> None:
    demo.stop()
    demo.log.write_text("")
    demo.start()
    wait_until(lambda: "Demo:" in demo.log.read_text(), 30, "the demo to be found")
    assert "submitted" not in demo.log.read_text()

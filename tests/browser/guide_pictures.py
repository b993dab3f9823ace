"""The pictures of docs/guide: where each is taken, and what is done there before.

test_every_page.py opens all of them. They are taken only when asked (STUDIO_RENEW_PICTURES=1), and
stored only where they changed: a test run leaves the work tree as it was.
"""

import io
import os
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageChops
from playwright.sync_api import Page, expect

from tests.browser.guide_room import Room
from tests.browser.picturing import small
from tests.browser.test_list_charts import drawn
from tests.live.studio import ROOT

RENEW = os.environ.get("STUDIO_RENEW_PICTURES") == "1"
STORED = ROOT / "docs" / "images" / "guide"
MAX_BYTES = 150_000
WIDTH = 1280
# Colours of a pixel further apart than this count as another picture: text is drawn a shade apart
# from one machine to the next, and clocks go on.
SHADE, SHARE = 48, 0.003

CHART = "charts=kind%3Dline%26y%3Dmetric.loss%26smooth%3D0.6"


def plots(page: Page, n: int) -> None:
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible()
    expect(page.locator(".js-plotly-plot .cartesianlayer")).to_have_count(n)


def sheet(page: Page) -> None:
    expect(page.locator("#runs-results")).to_be_visible()
    page.keyboard.press("?")
    expect(page.locator("#shortcut-sheet")).to_be_visible()


def share(page: Page) -> None:
    page.locator("#views-share_button").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def cancel(page: Page) -> None:
    page.locator("#run-cancel-button").click()
    expect(page.locator("#cancel-panel")).to_be_visible()


def ticked(page: Page) -> None:
    for row in (0, 1):
        page.locator("#runs-results [data-tick]").nth(row).click()
    expect(page.locator("#runs-compare")).to_be_enabled()


def one_chart(page: Page) -> None:
    drawn(page, 1)


def four_charts(page: Page) -> None:
    drawn(page, 4)


def two_plots(page: Page) -> None:
    plots(page, 2)


def machine_plots(page: Page) -> None:
    plots(page, 4)


def nothing(page: Page) -> None:
    expect(page.locator("#main")).to_be_visible()


# Name -> address (the runs by their names in braces), what is done there, height of the picture.
PICTURES: dict[str, tuple[str, Callable[[Page], None], int]] = {
    "first-run": ("/w/empty/runs", nothing, 780),
    "list": ("/w/lab/runs", ticked, 720),
    "list-filter": (
        "/w/lab/runs?q=experiment%3Avision%20metric.loss%3C0.5%20-tag.quality%3Apoor&explain=1",
        nothing,
        440,
    ),
    "list-charts": (
        f"/w/lab/runs?q=experiment%3Avision&columns=name,status,tag.model,param.lr,metric.loss:min&{CHART}",
        one_chart,
        820,
    ),
    "list-groups": ("/w/lab/runs?group=tag.model&columns=name,status,metric.loss", nothing, 420),
    "run": ("/w/lab/runs/{resnet-50 baseline}", nothing, 800),
    "metrics": ("/w/lab/runs/{resnet-50 baseline}/metrics", two_plots, 760),
    "logs": ("/w/lab/runs/{resnet-50 baseline}/logs?path=logs/output.txt", nothing, 720),
    "files": ("/w/lab/runs/{resnet-50 baseline}/logs?path=outputs/predictions.csv", nothing, 620),
    "compare": (
        "/w/lab/compare?chosen={resnet-50 baseline},{resnet-50, cosine},{vit-small}",
        nothing,
        720,
    ),
    "view": ("{view}", share, 560),
    "tags": ("/w/lab/tags", nothing, 380),
    "pipeline": ("/w/lab/runs/{nightly corpus}/steps", nothing, 460),
    "sweep": ("/w/lab/runs/{lr sweep}/children", four_charts, 1000),
    "cancel": ("/w/lab/runs/{resnet-101}", cancel, 520),
    "monitor": ("/w/lab/monitor", nothing, 520),
    "alert": ("{rule}", nothing, 480),
    "monitoring": ("/w/lab/runs/{resnet-50 baseline}/monitoring?x=relative", machine_plots, 800),
    "import": ("/w/lab/import", nothing, 480),
    "keys": ("/w/lab/runs", sheet, 760),
}


def address_of(room: Room, text: str) -> str:
    for name, run in room.runs.items():
        text = text.replace("{" + name + "}", run.uid)
    text = text.replace("{view}", f"/w/lab/views/{room.view.address}")
    return text.replace("{rule}", f"/w/lab/alerts/{room.rule.uid}")


def is_another(data: bytes, path: Path) -> bool:
    """Whether more than a few dots differ from the picture that is stored."""
    if not path.exists():
        return True
    now, before = (Image.open(source).convert("L") for source in (io.BytesIO(data), path))
    if now.size != before.size:
        return True
    counts = ImageChops.difference(now, before).histogram()
    return sum(counts[SHADE:]) > SHARE * now.width * now.height


def renew(page: Page, name: str) -> None:
    """Take the picture, if asked, and store it where it is another one."""
    if not RENEW:
        return
    data = small(page.screenshot(animations="disabled", caret="hide"))
    path = STORED / f"{name}.png"
    if is_another(data, path):
        path.write_bytes(data)

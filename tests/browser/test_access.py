"""What axe cannot see: where the focus goes, what is told, what covers what, print, motion."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import FileChooser, Page, TimeoutError, expect

from studio.runs import actions
from studio.runs.models import Run
from tests import make
from tests.browser import charting
from tests.browser.looking import wide_parts
from tests.waiting import wait_until

pytestmark = pytest.mark.browser
LIST = "/w/lab/runs"
Open = Callable[..., Any]

# A page, and what is pressed there by Enter: each answer replaces the pressed element too.
SWAPS = [
    (LIST, "#runs-results a.sort >> nth=0"),
    (LIST, "#runs-toggles [role=switch] >> nth=0"),
    (LIST, "#runs-counter_running"),
    (LIST, "tbody .star >> nth=0"),
    (LIST + "?q=tag.a:1&explain=1", "#runs-explain_button"),
    (LIST + "?size=25", ".pagination [rel=next]"),
    ("/w/lab/experiments", "#experiments-results a.sort >> nth=1"),
    ("/w/lab/experiments", "tbody .star >> nth=0"),
    ("/w/lab/tags", "#tags-results a.sort >> nth=1"),
    (LIST + "/{uid}", "#runs-star-{uid}"),
    (LIST + "/{uid}", "#run-archive-button"),
    ("/w/lab/compute", "#target-gpu-enable"),
    ("/w/lab/trash", "tbody button >> nth=0"),
    ("/w/lab/compare?chosen={uid},{other}", "#compare-results a[hx-get] >> nth=0"),
]
SETTLED = """() => { window.settled = new Promise((done) =>
  addEventListener("htmx:afterSettle", () => setTimeout(done, 50), { once: true })); }"""
HAS_FOCUS = "() => document.activeElement !== document.body"
# The focused element, unless something else lies over all of it.
COVERED = """() => {
  const one = document.activeElement;
  if (one === document.body || one.closest("[popover], dialog")) return "";
  const at = one.getBoundingClientRect();
  const [w, h] = [innerWidth, innerHeight];
  const places = [[0.5, 0.5], [0.03, 0.5], [0.97, 0.5], [0.5, 0.1], [0.5, 0.9]];
  const isSeen = ([x, y]) => {
    const [left, top] = [at.left + at.width * x, at.top + at.height * y];
    if (left < 0 || top < 0 || left > w || top > h) return false;
    const hit = document.elementFromPoint(left, top);
    return hit && (one.contains(hit) || hit.contains(one));
  };
  return places.some(isSeen) ? "" : one.outerHTML.slice(0, 160) + JSON.stringify(at);
}"""


@pytest.fixture
def many(experiment: Any) -> list[Any]:
    """Thirty runs, newest first; the newest still runs."""
    made = [make.run(experiment, display_name=f"run {n}", tags={"a": "1"}) for n in range(30)]
    for run in made[:-1]:
        actions.complete_run(run, by=make.actor(run.submitter))
    return made[::-1]


def test_no_swap_loses_the_focus(
    open_tab: Open, people: Any, workspace: Any, many: list[Any]
) -> None:
    make.served_target(workspace)
    by = make.actor(people.alice)
    for run in many[-3:]:
        actions.keeping.delete_run(Run.objects.get(pk=run.pk), by=by)
    tab = open_tab(people.alice, calm=True)
    lost = []
    for place, pressed in SWAPS:
        values = {"uid": many[1].uid, "other": many[2].uid}
        page = tab.open(place.format(**values))
        selector = pressed.format(**values)
        page.evaluate(SETTLED)
        page.locator(selector).first.press("Enter")
        page.evaluate("() => window.settled")
        # What settles first may be another part; the focus is set a moment after its own.
        with suppress(TimeoutError):
            page.wait_for_function(HAS_FOCUS, timeout=2_000)
        if not page.evaluate(HAS_FOCUS):
            lost.append(f"{place}: {selector}")
    assert lost == []
    assert tab.troubles == []


def test_a_cancel_is_confirmed_refused_and_left_by_keys(
    open_tab: Open, people: Any, run: Any
) -> None:
    tab = open_tab(people.bob)
    page = tab.open(f"{LIST}/{run.uid}")
    opener = page.locator("#run-cancel-button")
    opener.press("Enter")
    reason = page.locator("#cancel-reason")
    expect(reason).to_be_focused()
    for key in ["Tab"] * 4 + ["Shift+Tab"] * 5:
        page.keyboard.press(key)
        assert page.evaluate("() => !!document.activeElement.closest('#cancel-panel')"), key
    page.keyboard.press("Escape")
    expect(page.locator("#cancel-panel")).to_be_hidden()
    expect(opener).to_be_focused()
    assert Run.objects.get().cancel_requested_at is None

    page.keyboard.press("Enter")
    page.keyboard.type("enough")
    page.keyboard.press("Enter")
    expect(page.locator(".run-head .note")).to_contain_text("Cancel requested by bob")
    assert page.evaluate("() => document.activeElement !== document.body")
    assert tab.troubles == []


def test_a_history_is_uploaded_by_keys(open_tab: Open, people: Any, workspace: Any) -> None:
    tab = open_tab(people.bob)
    opened: list[FileChooser] = []
    # From the beginning: a browser that is told just before the key may be told too late.
    tab.page.on("filechooser", lambda chooser: opened.append(chooser))
    page = tab.open("/w/lab/import")
    page.locator("#import-kind").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    expect(page.locator("#import-file")).to_be_focused()
    page.keyboard.press("Enter")
    wait_until(lambda: page.evaluate("1") and opened)
    opened[0].set_files({"name": "nothing.txt", "mimeType": "text/plain", "buffer": b"no"})
    for _ in range(3):
        page.keyboard.press("Tab")
    expect(page.locator("#import-check")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#import-form").get_by_role("alert")).to_contain_text("is a file that ends")


def test_a_change_of_status_is_told_once(open_tab: Open, people: Any, run: Any) -> None:
    tab = open_tab(people.bob)
    page = tab.open(f"{LIST}/{run.uid}")
    page.evaluate(
        """() => { window.told = []; const live = document.getElementById("live");
        new MutationObserver(() => told.push(live.textContent))
          .observe(live, { childList: true, characterData: true, subtree: true }); }"""
    )
    actions.complete_run(Run.objects.get(pk=run.pk), by=make.actor(people.bob))
    expect(page.locator(".run-title .status")).to_have_text("Completed")
    told = page.evaluate("() => told")
    assert len(told) == 1
    assert "Completed" in told[0]


@pytest.mark.parametrize("width", [1440, 390])
def test_nothing_lies_over_what_has_the_focus(
    open_tab: Open, people: Any, many: list[Any], width: int
) -> None:
    tab = open_tab(people.bob, width=width, height=640, calm=True)
    covered = []
    for place, steps in ((f"{LIST}?chosen={many[0].uid}", 60), (f"{LIST}/{many[0].uid}", 40)):
        page = tab.open(place)
        for key in ["Tab"] * steps + ["Shift+Tab"] * steps:
            page.keyboard.press(key)
            said = page.evaluate(COVERED)
            covered += [f"{place} {key}: {said}"] if said else []
    assert covered == []


def test_nothing_moves_for_those_who_ask_for_calm(open_tab: Open, people: Any, run: Any) -> None:
    page = open_tab(people.bob, calm=True).open(f"{LIST}/{run.uid}")
    expect(page.locator(".run-title .status")).to_have_text("Running")
    assert moving(page) == []
    page = open_tab(people.bob).open(f"{LIST}/{run.uid}")
    expect(page.locator(".run-title .status")).to_have_text("Running")
    assert moving(page) != []


def moving(page: Page) -> list[Any]:
    """The animations that go on."""
    found: list[Any] = page.evaluate(
        "() => document.getAnimations().filter((one) => one.playState === 'running').map(String)"
    )
    return found


def test_pages_fit_at_twice_the_size(open_tab: Open, people: Any, many: list[Any]) -> None:
    """A window of 1280 px zoomed to 200 % is one of 640 px."""
    tab = open_tab(people.bob, width=640, height=512)
    for place in (LIST, f"{LIST}/{many[0].uid}", "/w/lab/experiments", "/account", "/w/lab/import"):
        page = tab.open(place)
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), place


def test_a_chart_is_also_a_table_and_a_status_also_a_word(
    open_tab: Open, people: Any, run: Any
) -> None:
    charting.log(run, charting.scalars("loss", [1.0, 0.5, 0.25]))
    tab = open_tab(people.bob)
    page = tab.open(f"{LIST}/{run.uid}/metrics")
    shown_as = page.get_by_role("button", name="Table").or_(page.get_by_role("link", name="Table"))
    shown_as.first.press("Enter")
    expect(page.get_by_role("table").first).to_contain_text("0.25")
    page = tab.open(LIST)
    for status in page.locator("tbody .status").all():
        assert (status.text_content() or "").strip() == "Running"


def test_a_run_and_a_list_are_printed_whole_and_light(
    open_tab: Open, people: Any, many: list[Any], tmp_path: Path
) -> None:
    actions.describe_run(many[0], "A long story. " * 400, by=make.actor(people.bob))
    tab = open_tab(people.bob, theme="dark")
    for place, last in ((f"{LIST}?size=25", "run 5"), (f"{LIST}/{many[0].uid}", "story")):
        page = tab.open(place)
        page.evaluate("() => { document.documentElement.dataset.theme = 'dark'; }")
        page.emulate_media(media="print")
        assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") in (
            "oklch(1 0 0)",
            "rgb(255, 255, 255)",
        )
        expect(page.locator(".topbar")).to_be_hidden()
        expect(page.locator(".rail")).to_be_hidden()
        assert page.get_by_text(last).last.is_visible()
        assert (
            page.locator("#main").evaluate("(main) => main.scrollHeight - main.clientHeight") <= 1
        )
        page.emulate_media(media="screen")
        assert len(page.pdf(format="A4")) > 10_000


def test_a_narrow_window_shows_a_drag_free_way_for_each_drag(
    open_tab: Open, people: Any, run: Any
) -> None:
    """The columns' order and widths have buttons and fields, also at a zoom of 400 %."""
    tab = open_tab(people.bob, width=320, height=640)
    page = tab.open("/w/lab/runs-columns")
    up = page.get_by_role("button", name="Move Status up")
    expect(up).to_be_visible()
    expect(page.get_by_label("Width of Status in pixels")).to_be_visible()
    assert wide_parts(page, ".page-actions") == []

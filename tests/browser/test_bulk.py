"""Many runs changed in the list: ticks, bar, dialog, progress, undo; by mouse, keys and phone."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from studio.runs import actions
from studio.runs.models import Run, Tag
from studio.work.models import Work
from studio.work.running import run_work
from tests import make
from tests.browser.conftest import sign_in

pytestmark = pytest.mark.browser
LIST = "/w/lab/runs"
Open = Callable[..., Any]


@pytest.fixture
def runs(experiment: Any) -> list[Any]:
    """Thirty runs, the newest first as the list shows them; every third has ended."""
    made = [make.run(experiment, tags={"n": str(i), "team": "vision"}) for i in range(30)]
    for run in made[::3]:
        actions.complete_run(run, by=make.actor(make.contributor_of(run.workspace)))
    return made[::-1]


def tick(page: Page, run: Any) -> None:
    page.locator(f"#runs-row-{run.uid} [data-tick]").click()


def bar(page: Page) -> Any:
    return page.locator("[data-selection-bar]")


def finish() -> Work:
    """Do the newest work, as a worker would."""
    work = Work.objects.latest("pk")
    run_work(work.pk)
    work.refresh_from_db()
    return work


def test_from_a_tick_to_a_tag_and_back(open_tab: Open, people: Any, runs: list[Any]) -> None:
    tab = open_tab(people.bob)
    page = tab.open(LIST)
    expect(bar(page)).to_be_hidden()
    for run in runs[:3]:
        tick(page, run)
    expect(bar(page)).to_contain_text("3 selected")
    expect(page.locator("#bulk-open-cancel")).to_have_text("Cancel (2 of 3)")

    page.locator("#bulk-open-tags").click()
    dialog = page.get_by_role("dialog", name="Change tags of 3 runs")
    expect(dialog).to_be_visible()
    expect(page.locator("#bulk-add")).to_be_focused()
    page.keyboard.type("quality: great")
    dialog.get_by_label("Value of team").fill("audio")
    expect(dialog.get_by_label("What to do with team")).to_have_value("put")
    dialog.get_by_role("button", name="Save tags").click()

    expect(dialog).to_have_count(0)
    expect(bar(page)).to_be_hidden()
    tray = page.locator("#work-tray")
    expect(tray).to_contain_text("Waiting for a worker")
    page.locator("#main").evaluate("(main) => main.scrollTo(0, 120)")
    finish()
    toast = page.locator("#toasts")
    expect(toast).to_contain_text("Tags changed on 3 runs")
    toast.get_by_role("button", name="Undo").hover()  # it stays while it is pointed at
    expect(page.locator(f"#runs-row-{runs[0].uid}")).to_contain_text("quality")
    assert page.locator("#main").evaluate("(main) => main.scrollTop") == 120
    assert page.evaluate("() => history.length") <= 3
    assert Tag.objects.filter(key="quality", value="great").count() == 3

    toast.get_by_role("button", name="Undo").click()
    expect(tray).to_contain_text("Putting back the tags")
    finish()
    expect(page.locator("#toasts")).to_contain_text("Tags put back on 3 runs")
    expect(page.locator("#toasts")).not_to_contain_text("Tags changed")
    expect(page.locator(f"#runs-row-{runs[0].uid}")).not_to_contain_text("quality")
    assert not Tag.objects.filter(key="quality").exists()
    assert Tag.objects.filter(key="team", value="vision").count() == 30
    assert tab.troubles == []


def test_ticks_outlive_pages_searches_and_reloads(
    open_tab: Open, people: Any, runs: list[Any]
) -> None:
    page = open_tab(people.bob).open(LIST + "?size=25")
    tick(page, runs[0])
    page.wait_for_url(f"**chosen={runs[0].uid}*")
    page.get_by_role("link", name="Next 25").click()
    expect(page.locator("tbody tr")).to_have_count(5)
    tick(page, runs[26])
    expect(bar(page)).to_contain_text("2 selected")
    assert f"chosen={runs[0].uid},{runs[26].uid}" in page.url

    page.reload()
    expect(bar(page)).to_contain_text("2 selected")
    expect(page.locator(f"#runs-row-{runs[26].uid} [data-tick]")).to_be_checked()
    page.locator("#bulk-open-star").click()
    expect(page.get_by_role("dialog")).to_contain_text("Star 2 runs")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator("#bulk-open-star")).to_be_focused()

    tick(page, runs[26])
    page.get_by_role("link", name="Previous 25").click()
    expect(page.locator(f"#runs-row-{runs[0].uid} [data-tick]")).to_be_checked()
    expect(bar(page)).to_contain_text("1 selected")
    page.locator("[data-untick]").click()
    expect(bar(page)).to_be_hidden()
    assert "chosen" not in page.url


def test_all_that_match_are_selected_by_their_query(
    open_tab: Open, people: Any, runs: list[Any]
) -> None:
    tab = open_tab(people.bob)
    page = tab.open(LIST + "?size=25&q=is:mine")
    page.locator("[data-tick-all]").click()
    expect(bar(page)).to_contain_text("25 selected")
    page.locator("[data-all]").click()
    expect(bar(page)).to_contain_text("matching selected")
    page.get_by_role("link", name="Next 25").click()
    expect(page.locator("tbody tr [data-tick]:checked")).to_have_count(5)

    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Archive", exact=True).click()
    dialog = page.get_by_role("dialog", name="Archive 30 runs")
    dialog.get_by_role("button", name="Archive 30 runs").click()
    expect(dialog).to_have_count(0)
    assert finish().n_done == 30
    expect(page.locator("#toasts")).to_contain_text("30 runs archived")
    expect(page.locator("tbody tr")).to_have_count(0)
    assert tab.troubles == []


def test_files_hold_the_ticked_runs_or_the_whole_list(
    open_tab: Open, people: Any, runs: list[Any]
) -> None:
    page = open_tab(people.bob).open(LIST + "?q=is:mine")
    tick(page, runs[0])
    bar(page).get_by_role("button", name="Export").click()
    with page.expect_download() as few:
        page.locator("#runs-bulk_export").get_by_role("menuitem", name="CSV").click()
    page.locator("#runs-toggles").get_by_role("button", name="Export").click()
    with page.expect_download() as whole:
        page.locator("#runs-export_list").get_by_role("menuitem", name="JSON Lines").click()
    assert len(few.value.path().read_text().splitlines()) == 2
    assert len(whole.value.path().read_text().splitlines()) == 30


def test_shift_and_escape(open_tab: Open, people: Any, runs: list[Any]) -> None:
    page = open_tab(people.bob).open(LIST)
    tick(page, runs[1])
    page.locator(f"#runs-row-{runs[4].uid} [data-tick]").click(modifiers=["Shift"])
    expect(bar(page)).to_contain_text("4 selected")
    page.keyboard.press("Escape")
    expect(bar(page)).to_be_hidden()


def test_a_refused_form_stays_as_it_was_typed(open_tab: Open, people: Any, runs: list[Any]) -> None:
    page = open_tab(people.bob).open(LIST)
    tick(page, runs[0])
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Move to experiment").click()
    page.locator("#bulk-to").fill("not a name!")
    page.locator("#bulk-to").press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("alert")).to_contain_text("Name the experiment")
    expect(page.locator("#bulk-to")).to_have_value("not a name!")
    expect(page.locator("#bulk-to")).to_be_focused()
    dialog.get_by_text("Back").click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("button", name="More")).to_be_focused()
    expect(bar(page)).to_contain_text("1 selected")


def test_progress_survives_leaving_the_page_and_can_be_stopped(
    open_tab: Open, people: Any, runs: list[Any]
) -> None:
    page = open_tab(people.bob).open(LIST)
    tick(page, runs[0])
    page.locator("#bulk-open-star").click()
    page.get_by_role("button", name="Star 1 run").click()
    expect(page.locator("#work-tray")).to_contain_text("Starring")
    page.goto(page.url.split("/w/")[0] + "/w/lab/compute")
    page.locator("#work-tray").get_by_role("button", name="Cancel").click()
    expect(page.locator("#toasts")).to_contain_text("Stopped")
    expect(page.locator(".tray-work")).to_have_count(0)


def test_without_javascript_everything_is_a_page(
    browser: Browser, live_server: Any, people: Any, runs: list[Any], transactional_db: None
) -> None:
    context = browser.new_context(java_script_enabled=False)
    sign_in(context, people.bob, live_server.url)
    page = context.new_page()
    page.goto(live_server.url + LIST)
    for run in runs[:2]:
        page.locator(f"#runs-row-{run.uid} [data-tick]").check()
    page.locator("#bulk-open-tags").click()
    page.get_by_label("Add a tag").fill("seen")
    page.get_by_role("button", name="Save tags").click()
    page.wait_for_url(lambda address: "work" in address.split("/"))
    assert finish().n_done == 2
    page.get_by_role("link", name="Refresh").click()
    expect(page.locator("h1")).to_have_text("Tags changed on 2 runs")
    page.get_by_role("button", name="Undo").click()
    finish()
    assert not Tag.objects.filter(key="seen").exists()
    context.close()


@pytest.mark.parametrize("width", [1440, 390])
def test_the_trash_gives_back_and_purges(
    open_tab: Open, people: Any, runs: list[Any], width: int
) -> None:
    by = make.actor(people.bob)
    ended = [run for run in runs if Run.objects.get(pk=run.pk).is_terminal]
    for run in ended[:3]:
        actions.keeping.delete_run(run, by=by)
    tab = open_tab(people.alice, width=width)
    page = tab.open("/w/lab/trash")
    page.locator(f"#trash-restore-{ended[0].uid}").click()
    expect(page.locator("#toasts")).to_contain_text("is restored")
    expect(page.locator(f"#trash-row-{ended[0].uid}")).to_have_count(0)

    page.locator(f"#trash-row-{ended[1].uid} [data-tick]").click()
    bar(page).get_by_role("button", name="Purge").click()
    dialog = page.get_by_role("dialog", name="Purge 1 run for good")
    page.locator("#bulk-confirm").fill("purge")
    dialog.get_by_role("button", name="Purge 1 run for good").click()
    expect(dialog).to_have_count(0)
    assert finish().n_done == 1
    expect(page.locator("#toasts")).to_contain_text("1 run purged, 0 B freed")
    expect(page.locator("tbody tr")).to_have_count(1)
    assert tab.troubles == []

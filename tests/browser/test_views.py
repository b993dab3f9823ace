"""Two people and a third with custom views, each in a browser of their own."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from studio.custom_views.models import CustomView
from studio.custom_views.sharing import pin_view
from tests import make
from tests.browser import charting
from tests.browser.test_list_charts import chart_fields, drag, drawn, x_range
from tests.web.viewing import LIST, VIEWS, page_of, view_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Open = Callable[..., Any]
# Where to keep the pictures, for eyes; else with the other files of the test.
PICTURES = os.environ.get("STUDIO_SCREENSHOTS")


@pytest.fixture
def runs(experiment: Any) -> list[Any]:
    return [
        make.run(
            experiment, display_name=f"run {i}", tags={"quality": "great" if i % 2 else "poor"}
        )
        for i in range(4)
    ]


def search(page: Page, text: str) -> None:
    page.locator("#runs-q").fill(text)
    page.locator("#runs-q").press("Enter")


def picture(page: Page, folder: Path, name: str) -> None:
    page.screenshot(path=(Path(PICTURES) if PICTURES else folder) / name, full_page=True)


def test_save_share_edit_apart_conflict_merge_and_restore(
    open_tab: Open, people: Any, runs: list[Any], tmp_path: Path
) -> None:
    bob, alice, carol = (open_tab(who) for who in (people.bob, people.alice, people.carol))
    page = bob.open(f"{LIST}?q=tag.quality:great")
    page.locator("#views-save_new").click()
    page.get_by_label("Name", exact=True).fill("Great ones")
    page.get_by_role("dialog").get_by_role("button", name="Save view").click()
    expect(page).to_have_url(re.compile("/views/great-ones-"))
    link = page.url.removeprefix(bob.site)

    # A stranger to it sees no view, by whatever way.
    hers = alice.open(link)
    expect(hers.get_by_role("heading", level=1)).not_to_have_text("All runs")
    expect(alice.open(VIEWS).get_by_text("No views yet")).to_be_visible()

    page.locator("#views-share_button").click()
    page.get_by_label("alice").select_option("edit")
    picture(page, tmp_path, "views-share.png")
    page.get_by_role("dialog").get_by_role("button", name="Share view").click()
    expect(page.locator(".toast")).to_contain_text("shared with 1 person")

    edits_apart_then_both_save(alice, bob, link, tmp_path)
    page = bob.page

    # An old version comes back.
    page.get_by_role("button", name="More about this view").click()
    page.get_by_role("menuitem", name="Versions").click()
    page.get_by_role("listitem").filter(has_text="Version 1").get_by_role(
        "button", name="Restore"
    ).click()
    expect(page.locator("#runs-q")).to_have_value("tag.quality:great")

    # A third without rights: the answer of a view that is not there.
    status = carol.page.request.get(carol.site + link).status
    assert status == 404
    assert bob.troubles == [one for one in bob.troubles if "409" in one]


def edits_apart_then_both_save(alice: Any, bob: Any, link: str, folder: Path) -> None:
    """She edits the view for herself, he sees nothing of that; she saves, he is told and merges."""
    hers = alice.open(link)
    search(hers, "tag.quality:great status:running")
    expect(hers.locator("#views-edited")).to_have_text("edited: +1 filter")
    page = bob.open(link)
    expect(page.locator("#views-edited")).to_have_count(0)
    expect(page.locator("#runs-q")).to_have_value("tag.quality:great")

    page.get_by_role("link", name="Display name").click()
    expect(page.locator("#views-edited")).to_have_text("edited: sort")
    hers.locator("#views-save").click()
    expect(hers.locator(".toast")).to_contain_text("version 2")
    page.locator("#views-save").click()
    told = page.get_by_role("dialog", name="Somebody saved this view meanwhile")
    expect(told).to_contain_text("alice changed")
    picture(page, folder, "views-conflict.png")
    told.get_by_role("button", name="Merge").click()
    expect(page.locator(".toast")).to_contain_text("version 3")
    expect(page.locator("#runs-q")).to_have_value("tag.quality:great status:running")
    assert CustomView.objects.get().state["order"]


def test_zoomed_charts_hidden_lines_and_ticks_are_saved_and_open_elsewhere(
    open_tab: Open, people: Any, experiment: Any
) -> None:
    six = charting.six_runs(experiment)
    tab = open_tab(people.bob)
    view = view_of(
        experiment.workspace,
        people.bob,
        {"charts": "kind=line&y=metric.loss", "chosen": six[0].uid},
        everyone="see",
    )
    page = tab.open(page_of(view))
    plot = drawn(page)
    expect(page.locator("[data-badge]")).to_contain_text("1 ticked run")
    drag(page, plot, (0.2, 0.5), (0.6, 0.5))
    expect(page).to_have_url(re.compile("zx"))
    expect(page.locator("#views-edited")).to_have_text("edited: charts")
    shown = x_range(plot)

    # What scripts put into the address stays when the list is changed by the server.
    search(page, "net")
    expect(page.locator("#views-edited")).to_have_text("edited: +1 filter, charts")
    assert "zx" in chart_fields(page)
    page.locator("tbody input[type=checkbox]").nth(1).check()
    expect(page.locator("#views-edited")).to_have_text("edited: +1 filter, charts, chosen runs")
    page.locator("#views-save").click()
    expect(page.locator(".toast")).to_contain_text("version 2")

    other = open_tab(people.carol)
    there = drawn(other.open(page_of(view)))
    assert x_range(there) == pytest.approx(shown)
    expect(other.page.locator("tbody input:checked")).to_have_count(2)
    expect(other.page.locator("#runs-q")).to_have_value("net")
    expect(other.page.locator("#views-edited")).to_have_count(0)
    other.page.locator("tbody input:checked").first.uncheck()
    expect(other.page.locator("#views-edited")).to_have_text("edited: chosen runs")
    other.page.reload()
    expect(other.page.locator("tbody input:checked")).to_have_count(1)
    assert tab.troubles == other.troubles == []


def test_pins_are_ordered_by_keys_and_count_by_themselves(
    open_tab: Open, people: Any, workspace: Any, runs: list[Any], experiment: Any
) -> None:
    for name, query in (("First", "tag.quality:great"), ("Second", "tag.quality:poor")):
        view = view_of(workspace, people.bob, {"q": query}, name=name)
        pin_view(view, by=make.actor(people.bob), pinned=True)
    tab = open_tab(people.bob)
    page = tab.open(LIST)
    pins = page.locator("[data-pin]")
    expect(pins).to_have_text([re.compile("First.*2"), re.compile("Second.*2")])

    make.run(experiment, tags={"quality": "great"})
    expect(pins.first).to_have_text(re.compile("First.*3"))
    page.get_by_role("link", name="First").focus()
    with page.expect_response(lambda answer: answer.url.endswith("/views/order")):
        page.keyboard.press("Alt+ArrowDown")
    expect(page.locator("[data-pins-said]")).to_have_text("First: 2 of 2")
    expect(page.get_by_role("link", name="First")).to_be_focused()
    page.reload()
    expect(pins).to_have_text([re.compile("Second"), re.compile("First")])
    with page.expect_response(lambda answer: answer.url.endswith("/views/order")):
        pins.last.drag_to(pins.first, target_position={"x": 20, "y": 2})
    page.reload()
    expect(pins).to_have_text([re.compile("First"), re.compile("Second")])
    assert tab.troubles == []


def test_a_view_is_saved_and_shared_with_the_keyboard_alone(
    open_tab: Open, people: Any, runs: list[Any]
) -> None:
    tab = open_tab(people.bob)
    page = tab.open(f"{LIST}?q=tag.quality:great")
    page.locator("#views-save_new").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.keyboard.type("By keys")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/views/by-keys-"))
    page.locator("#views-share_button").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Share view")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.locator("#views-share_button")).to_be_focused()
    assert tab.troubles == []

"""Columns dragged, pinned and ordered, and values edited in their cells, in a real browser."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from studio.runs import actions
from studio.runs.models import Run
from tests import make
from tests.browser.looking import broken_rules

pytestmark = pytest.mark.browser
LIST = "/w/lab/runs"
Open = Callable[..., Any]


def order(page: Page) -> list[str]:
    found: list[str] = page.locator("[data-item]").evaluate_all(
        "items => items.map(item => item.querySelector('input').value)"
    )
    return found


def asked(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def drag(page: Page, what: Locator, by: tuple[float, float]) -> None:
    box = what.bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + by[0] / 2, y + by[1] / 2)
    page.mouse.move(x + by[0], y + by[1])
    page.mouse.up()


def test_columns_are_found_ticked_moved_and_applied(
    open_tab: Open, people: Any, experiment: Any
) -> None:
    make.run(experiment, tags={"quality": "great"}, parameters={"lr": "0.1"})
    tab = open_tab(people.bob)
    page = tab.open(f"{LIST}?q=status:running")
    page.get_by_role("link", name="Edit columns").click()
    expect(page.locator("#columns-find")).to_be_focused()
    page.keyboard.type("qual")
    tick = page.get_by_role("button", name="quality", exact=True)
    tick.click()
    expect(page.locator("[data-item]").last).to_contain_text("quality")
    expect(page.locator("#columns-find")).to_have_value("qual")
    expect(page.get_by_role("button", name="quality", exact=True)).to_be_focused()

    up = page.get_by_role("button", name="Move quality up")
    for _ in range(3):
        up.press("Enter")
    expect(up).to_be_focused()
    assert order(page)[-4] == "tag.quality"
    page.get_by_role("button", name="Apply").click()

    expect(page.locator("dialog")).to_have_count(0)
    expect(page.locator("th", has_text="quality")).to_be_visible()
    assert asked(page)["columns"][0].split(",")[-4] == "tag.quality"
    assert asked(page)["q"] == ["status:running"]
    expect(page.get_by_role("link", name="Edit columns")).to_be_focused()
    page.go_back()
    expect(page.locator("th", has_text="quality")).to_have_count(0)
    assert tab.troubles == []


def test_a_column_is_dragged_and_moved_by_keys(open_tab: Open, people: Any, run: Any) -> None:
    page = open_tab(people.bob).open(f"{LIST}?columns=name,status,tags,duration")
    page.get_by_role("link", name="Edit columns").click()
    item = page.locator("[data-item]", has_text="Duration")
    height = (item.bounding_box() or {})["height"]
    drag(page, item.locator("[data-grip]"), (0, -2.3 * height))
    assert order(page) == ["name", "duration", "status", "tags"]

    page.get_by_label("Width of Tags in pixels").press("Alt+ArrowUp")
    assert order(page) == ["name", "duration", "tags", "status"]
    expect(page.get_by_label("Width of Tags in pixels")).to_be_focused()
    expect(page.locator("#runs-columns_form [data-said]")).to_have_text("Tags: 3 of 4")
    page.keyboard.type("150")
    page.get_by_role("button", name="Apply").click()

    page.wait_for_url("**widths=**")
    expect(page.locator("th[data-column]").nth(1)).to_have_text("Duration")
    assert asked(page) == {"columns": ["name,duration,tags,status"], "widths": ["tags=150"]}


def test_escape_closes_the_editor_and_changes_nothing(
    open_tab: Open, people: Any, run: Any
) -> None:
    tab = open_tab(people.bob)
    page = tab.open(LIST)
    page.get_by_role("link", name="Sort").click()
    page.get_by_role("button", name="Duration", exact=True).click()
    expect(page.locator("[data-item]")).to_contain_text("Longest first")
    page.keyboard.press("Escape")

    expect(page.locator("dialog")).to_have_count(0)
    expect(page.get_by_role("link", name="Sort")).to_be_focused()
    assert page.url == tab.site + LIST


def test_the_edge_of_a_head_is_dragged(open_tab: Open, people: Any, run: Any) -> None:
    tab = open_tab(people.bob)
    page = tab.open(LIST)
    head = page.locator("th[data-column=experiment]")
    status = page.locator("th[data-column=status]")
    before, other = head.bounding_box(), status.bounding_box()
    assert before
    assert other
    drag(page, head.locator("[data-edge]"), (60, 0))

    page.wait_for_url("**widths=**")
    width = round(before["width"]) + 60
    assert f"experiment={width}" in asked(page)["widths"][0]
    page.reload()
    after = page.locator("th[data-column=experiment]").bounding_box()
    assert after
    assert (round(after["x"]), round(after["width"])) == (round(before["x"]), width)
    assert round((status.bounding_box() or {})["width"]) == round(other["width"])

    page.locator("th[data-column=experiment] [data-edge]").dblclick()
    expect(page).not_to_have_url(re.compile("experiment="))
    assert tab.troubles == []


def test_pinned_columns_stay_when_the_table_scrolls_sideways(
    open_tab: Open, people: Any, run: Any
) -> None:
    columns = "name,status,tags,submitted,duration,submitter,description,uid,target,started,ended"
    page = open_tab(people.bob, width=1000).open(f"{LIST}?pins=2&columns={columns}")
    cells = [page.locator(f"#runs-row-{run.uid} > *").nth(n) for n in (0, 1, 2, 3)]
    before = [(cell.bounding_box() or {})["x"] for cell in cells]
    page.evaluate("document.getElementById('main').scrollTo(400, 0)")

    after = [(cell.bounding_box() or {})["x"] for cell in cells]
    assert after[:3] == before[:3]
    assert after[3] < before[3]


@pytest.mark.parametrize("width", [1440, 1280, 1100, 1025, 1024])
def test_the_usual_columns_fit_without_scrolling_sideways(
    open_tab: Open, people: Any, experiment: Any, width: int
) -> None:
    make.run(experiment, display_name="n" * 255, tags={"a long key": "a long value " * 9})
    page = open_tab(people.bob, width=width).open(LIST)
    main = page.locator("#main")

    assert main.evaluate("box => box.scrollWidth") == main.evaluate("box => box.clientWidth")
    assert page.locator("th.c-name").first.evaluate("cell => cell.offsetWidth") >= 150


@pytest.mark.parametrize(("width", "shown"), [(1440, ["2", "+1"]), (1024, ["1", "+2"])])
def test_no_head_is_cut_and_every_tag_is_seen_or_counted(
    open_tab: Open, people: Any, experiment: Any, width: int, shown: list[str]
) -> None:
    tags = {"model": "SGDClassifier", "purpose": "comparison", "varies": "seed"}
    run = make.run(experiment, display_name="digits, another seed", tags=tags)
    page = open_tab(people.bob, width=width).open(LIST)

    cut = "heads => heads.filter(e => e.scrollWidth > e.clientWidth).map(e => e.textContent)"
    assert page.locator("#runs-table thead .truncate").evaluate_all(cut) == []
    cell = page.locator(f"#runs-row-{run.uid} .c-tags")
    seen = (str(cell.locator(".chip:visible").count()), cell.locator(".more:visible").inner_text())
    assert list(seen) == shown


def test_the_pencils_leave_the_numbers_of_a_row_in_sight(
    open_tab: Open, people: Any, experiment: Any
) -> None:
    parent = make.run(experiment, display_name="n" * 60, tags={f"key {i}": "v" for i in range(4)})
    make.run(experiment, parent=parent)
    for width in (1440, 1024):
        page = open_tab(people.bob, width=width).open(LIST)
        row = page.locator(f"#runs-row-{parent.uid}")
        for cell, number in ((".c-name", "a.rollup"), (".c-tags", ".more:visible")):
            row.locator(cell).hover()
            pencil = row.locator(f"{cell} .cell-edit").bounding_box() or {}
            beside = row.locator(f"{cell} {number}").bounding_box() or {}
            assert pencil["x"] + pencil["width"] <= beside["x"] + 1


def test_a_name_is_edited_in_its_cell(open_tab: Open, people: Any, run: Any) -> None:
    tab = open_tab(people.bob)
    page = tab.open(LIST)
    page.get_by_role("button", name="Rename").focus()
    page.keyboard.press("Enter")
    field = page.get_by_label("Display name", exact=True)
    expect(field).to_be_focused()
    field.fill("\u200b")
    field.press("Enter")
    expect(page.locator(".cell-form [role=alert]")).to_contain_text("must not be empty")

    page.get_by_label("Display name", exact=True).fill("better")
    page.keyboard.press("Enter")
    expect(page.locator(f"#runs-row-link-{run.uid}")).to_have_text("better")
    expect(page.get_by_role("button", name="Rename better")).to_be_focused()
    assert page.url == tab.site + LIST
    # Nothing but the refusal itself.
    assert [said for said in tab.troubles if "422" not in said] == []


def test_escape_gives_the_cell_back_and_keeps_the_ticks(
    open_tab: Open, people: Any, run: Any
) -> None:
    page = open_tab(people.bob).open(LIST)
    page.get_by_label(f"Tick {run.display_name}").check()
    page.get_by_role("button", name="Edit tags").click(force=True)
    expect(page.get_by_label("Add a tag")).to_be_focused()
    page.keyboard.type("half a ta")
    page.keyboard.press("Escape")

    expect(page.locator(".cell-form")).to_have_count(0)
    expect(page.get_by_role("button", name="Edit tags")).to_be_focused()
    expect(page.get_by_label(f"Tick {run.display_name}")).to_be_checked()
    assert not run.tags.exists()


def test_tags_are_added_changed_and_removed_in_their_cell(
    open_tab: Open, people: Any, run: Any
) -> None:
    actions.change_tags(run, by=make.actor(people.bob), put={"old": "1", "gone": None})
    page = open_tab(people.bob).open(LIST)
    page.get_by_role("button", name="Edit tags").click(force=True)
    expect(page.get_by_label("Add a tag")).to_be_focused()
    page.keyboard.type("quality: great")
    page.get_by_label("Value of old").fill("2")
    page.get_by_label("Remove gone").check()
    page.get_by_label("Value of old").press("Enter")

    expect(page.locator(".cell-form")).to_have_count(0)
    expect(page.locator(f"#runs-row-{run.uid} .chip")).to_have_text(["old: 2", "quality: great"])


def test_news_of_a_row_waits_while_it_is_edited(
    open_tab: Open, people: Any, run: Any, experiment: Any
) -> None:
    other = make.run(experiment)
    page = open_tab(people.bob).open(LIST)
    row = page.locator(f"#runs-row-{run.uid}")
    row.get_by_role("button", name="Rename").click(force=True)
    page.get_by_label("Display name", exact=True).fill("half a na")
    by = make.actor(people.bob)
    actions.complete_run(run, by=by)
    actions.complete_run(other, by=by)

    # The news has come: it is in the other row.
    expect(page.locator(f"#runs-row-{other.uid}")).to_contain_text("Completed")
    field = page.get_by_label("Display name", exact=True)
    expect(field).to_have_value("half a na")
    expect(field).to_be_focused()
    expect(row).to_contain_text("Running")
    field.press("Escape")
    expect(row).to_contain_text("Completed")
    assert Run.objects.get(pk=run.pk).display_name == run.display_name


def test_the_editors_break_no_rule_of_access(open_tab: Open, people: Any, run: Any) -> None:
    actions.change_tags(run, by=make.actor(people.bob), put={"a": "1"})
    page = open_tab(people.bob).open(f"{LIST}?pins=2")

    def look() -> None:
        assert broken_rules(page) == []
        page.set_viewport_size({"width": 390, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.set_viewport_size({"width": 1440, "height": 900})

    for name in ("Edit columns", "Sort"):
        page.get_by_role("link", name=name).click()
        expect(page.locator("dialog[open] .ordered")).to_be_visible()
        look()
        page.keyboard.press("Escape")
    page.get_by_role("button", name="Edit tags").click(force=True)
    expect(page.locator(".cell-form")).to_be_visible()
    look()

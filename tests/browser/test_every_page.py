"""Every page of the URL map, in each of its states, as axe sees it in light and in dark, and in a
window of 320 px. The pictures of the guide are taken on the way, when asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import override_settings
from django.urls import reverse
from playwright.sync_api import Page

from studio.accounts.limits import forget_spent
from studio.accounts.members import create_member
from studio.alerts.actions import create_rule
from studio.alerts.drafts import Address, RuleDraft
from studio.alerts.models import AlertRule
from studio.custom_views.sharing import pin_view
from studio.runs.models import Run
from tests import make
from tests.artifacts.test_differences import snapshot
from tests.browser.conftest import Tab
from tests.browser.every_page import EMPTY, EMPTY_RUN, NO_PAGES, OF_PEOPLE, PAGES, REFUSED, WRONG
from tests.browser.guide_pictures import PICTURES, WIDTH, address_of, renew
from tests.browser.guide_room import Room, fill
from tests.browser.looking import FRAME, bring_axe, broken_rules, wide_parts
from tests.web.test_failing import NOBODY
from tests.web.viewing import view_of
from tests.web.whole_world import PATTERNS, World, make_world

in_browser = pytest.mark.browser
Open = Callable[..., Any]
# What may scroll sideways by itself: tables, logs, code, charts, rows of tools and of tabs.
SCROLLING = ".page-actions, .tabs, .selection-bar, .table-scroll, .compare-scroll, .log-lines"
POST = """([address, fields]) => {
  const form = document.createElement("form");
  [form.method, form.action] = ["post", address];
  form.append(document.querySelector("[name=csrfmiddlewaretoken]").cloneNode());
  for (const [name, value] of Object.entries(fields)) {
    const field = form.appendChild(document.createElement("textarea"));
    [field.name, field.value] = [name, value];
  }
  document.body.append(form);
  form.submit();
}"""


@dataclass
class Places:
    """Two workspaces: one with something behind each address, and the one of the guide."""

    world: World
    room: Room
    uids: dict[str, str]

    def address(self, name: str, end: str = "") -> str:
        for run, uid in self.uids.items():
            end = end.replace("{" + run + "}", uid)
        return end if end.startswith("/") else self.world.address(name) + end


@pytest.fixture
def places(people: Any, workspace: Any) -> Places:
    room = fill(workspace, people)
    world = make_world(people, "whole")
    other = make.run(world.run.experiment)
    source = snapshot(other.workspace, {"train.py": b"lr = 2\n\nsteps = 9\n"})
    Run.objects.filter(pk=other.pk).update(snapshot=source.digest)
    add_long_names(world, people)
    uids = {name: run.uid for name, run in room.runs.items()}
    sources = {"source": world.own_values["run-snapshot"]["uid"], "other source": other.uid}
    sources["deleted"] = world.own_values["trash-restore"]["uid"]
    return Places(world, room, uids | sources)


def add_long_names(world: World, people: Any) -> None:
    """What has no room in a narrow window: names as long as they may be."""
    workspace, by = world.run.workspace, make.actor(people.alice)
    create_member(workspace, "x" * 60, "reader", full_name="y" * 60, by=by)
    make.token(people.alice, workspace=workspace)
    to = (Address("email", user="bob"), Address("webhook", url="https://hooks.example.org/a/b"))
    draft = RuleDraft("x" * 90, statuses=("Failed",), addresses=to)
    AlertRule.objects.filter(pk=create_rule(workspace, draft, by=by, is_shared=True).pk).update(
        uid="z" * 10, trouble="Its query can’t be read", is_enabled=False
    )
    name = "A long name of a view that " * 3
    pin_view(view_of(workspace, people.alice, {"q": "x"}, name=name), by=by, pinned=True)


class Walk:
    """A tab and what was found on its way."""

    def __init__(self, tab: Tab) -> None:
        self.tab, self.found = tab, list[str]()
        self.has_seen_frame = False
        bring_axe(tab.page)

    def look(self, where: str) -> None:
        """At the page that is shown; the frame of all pages once."""
        found = broken_rules(self.tab.page, without=FRAME if self.has_seen_frame else [])
        self.has_seen_frame = True
        found += wide_parts(self.tab.page, SCROLLING)
        self.found += [f"{where}: {one}" for one in found]

    def visit(self, path: str, *, status: int = 200) -> Page:
        answer = self.tab.page.goto(self.tab.site + path)
        assert answer
        assert answer.status == status, f"{path} answers {answer.status}"
        self.look(path)
        return self.tab.page

    def refused(self, path: str, fields: dict[str, str]) -> None:
        """Send a form that is wrong, from the page that is shown."""
        page = self.tab.page
        with page.expect_navigation() as answer:
            page.evaluate(POST, [path, fields])
        assert answer.value.status in {409, 422}, f"{path} answers {answer.value.status}"
        self.look(f"refused {path}")

    def end(self) -> None:
        """Nothing was found."""
        assert self.found == [], "\n".join(self.found)
        assert [said for said in self.tab.troubles if "Failed to load resource" not in said] == []


def test_every_address_is_looked_at_or_is_no_page() -> None:
    named = {*PAGES, *(name for names in OF_PEOPLE.values() for name in names)}
    assert set(PATTERNS) == named | NO_PAGES
    assert not named & NO_PAGES


@in_browser
@pytest.mark.parametrize("half", [0, 1])
def test_pages_break_no_rule(open_tab: Open, people: Any, places: Places, half: int) -> None:
    walk = Walk(open_tab(people.alice, calm=True))
    for name in sorted(PAGES)[half::2]:
        for end in PAGES[name]:
            walk.visit(places.address(name, end))
    walk.end()


@in_browser
def test_pages_of_the_guide_break_no_rule(open_tab: Open, people: Any, workspace: Any) -> None:
    make.workspace("empty", owner=people.alice)
    room = fill(workspace, people)
    walk = Walk(open_tab(people.alice, width=WIDTH, calm=True))
    for name, (address, prepare, height) in PICTURES.items():
        walk.tab.page.set_viewport_size({"width": WIDTH, "height": height})
        page = walk.tab.open(address_of(room, address))
        prepare(page)
        renew(page, name)
        walk.look(name)
    walk.end()


@in_browser
def test_pages_with_nothing_to_show_break_no_rule(
    open_tab: Open, people: Any, workspace: Any
) -> None:
    run = make.run(make.experiment(workspace))
    make.workspace("empty", owner=people.bob)
    walk = Walk(open_tab(people.bob, calm=True))
    for name in EMPTY:
        walk.visit(reverse(name, args=["empty"]))
    for name in EMPTY_RUN:
        walk.visit(reverse(name, args=["lab", run.uid]))
    walk.end()


@in_browser
def test_pages_that_others_see_break_no_rule(open_tab: Open, people: Any, workspace: Any) -> None:
    who = vars(people) | {"root": make.user("root", admin=True)}
    for person, names in OF_PEOPLE.items():
        walk = Walk(open_tab(who.get(person, people.dave), calm=True))
        if not person:
            walk.tab.page.context.clear_cookies()
        for name in names:
            walk.visit(reverse(name, args=["lab"] if name in ("compute", "member-list") else []))
        walk.end()


@in_browser
def test_refusals_break_no_rule(open_tab: Open, people: Any, places: Places, settings: Any) -> None:
    walk = Walk(open_tab(people.alice, calm=True))
    for path, status in WRONG.items():
        walk.visit(places.address("", path), status=status)
    picture = places.world.address("run-file")
    with override_settings(STUDIO_STORAGE_URL=NOBODY):
        walk.visit(picture, status=503)
    with override_settings(LIMITS={**settings.LIMITS, "searches": 0.001}):
        walk.visit("/w/lab/runs", status=429)
    forget_spent()
    walk.visit("/account")
    for name, fields in REFUSED:
        walk.refused(places.address(name), fields)
    walk.end()

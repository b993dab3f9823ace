"""Writing a description in a real browser: images, links, drafts; what hostile texts can't do."""

import base64
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from studio.custom_views.actions import Draft, create_view
from studio.runs import actions
from studio.runs.markdown import RENDERER_VERSION, render_markdown
from studio.runs.models import Description
from tests import make
from tests.browser.conftest import Tab
from tests.browser.looking import broken_rules
from tests.runs.hostile_markdown import HOSTILE
from tests.web.pictures import GIF, png

pytestmark = pytest.mark.browser

# A paste or drop of files, as the browser would tell of it.
HAND_OVER = """([kind, files]) => {
  const box = document.getElementById("description-text");
  const data = new DataTransfer();
  for (const [name, type, text] of files) {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    data.items.add(new File([bytes], name, { type }));
  }
  const event = kind === "paste"
    ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true })
    : new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
  box.dispatchEvent(event);
}"""


def hand_over(page: Page, kind: str, *files: tuple[str, str, bytes]) -> None:
    told = [[name, type_, base64.b64encode(data).decode()] for name, type_, data in files]
    page.evaluate(HAND_OVER, [kind, told])


def text_of(page: Page) -> Any:
    return page.get_by_role("textbox", name="Description")


@pytest.mark.parametrize("kind", ["run", "experiment"])
def test_images_are_pasted_dropped_and_chosen(
    open_tab: Callable[..., Tab], run: Any, people: Any, kind: str
) -> None:
    place = f"/w/lab/runs/{run.uid}" if kind == "run" else "/w/lab/experiments/vision"
    tab = open_tab(people.bob)
    page = tab.open(f"{place}/description/edit")
    text_of(page).fill("Curves")

    hand_over(page, "paste", ("image.png", "image/png", png()))
    expect(text_of(page)).to_have_value(re.compile(r"Curves\n!\[image.png\]\(attachment:\w{40}\)"))
    hand_over(page, "drop", ("a.gif", "image/gif", GIF), ("b.png", "image/png", png(grey=1)))
    expect(text_of(page)).to_have_value(re.compile(r"!\[a.gif\]\(attachment:.*!\[b.png\]", re.S))
    with page.expect_file_chooser() as chosen:
        page.get_by_role("button", name="Add images").click()
    page_html = {"name": "x.png", "mimeType": "image/png", "buffer": b"<script>alert(1)</script>"}
    good = {"name": "c.png", "mimeType": "image/png", "buffer": png(grey=2)}
    chosen.value.set_files([page_html, good])
    expect(text_of(page)).to_have_value(re.compile(r"!\[c.png\]\(attachment:"))
    expect(page.get_by_text("“x.png” is no PNG, JPEG, GIF or WebP image.")).to_be_visible()
    expect(text_of(page)).not_to_have_value(re.compile("Uploading"))
    expect(page.locator("#runs-preview img")).to_have_count(4)
    page.get_by_role("button", name="Save description").click()

    expect(page.locator(".prose img")).to_have_count(4)
    page.wait_for_function("() => [...document.images].every((one) => one.naturalWidth > 0)")
    assert [said for said in tab.troubles if "422" not in said] == []


def test_links_are_offered_while_they_are_typed(
    open_tab: Callable[..., Tab], run: Any, people: Any
) -> None:
    actions.rename_run(run, "cat finder", by=make.actor(people.bob))
    for person, name in ((people.alice, "Secret sweep"), (people.bob, "Own sweep")):
        create_view(run.workspace, Draft(name, {"q": "vision"}), by=make.actor(person))
    tab = open_tab(people.bob, width=390)
    page = tab.open(f"/w/lab/runs/{run.uid}/description/edit")
    box, options = text_of(page), page.get_by_role("option")

    box.press_sequentially("first line\nsee run:ca")
    expect(options).to_have_count(1)
    assert broken_rules(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    box.press("ArrowDown")
    box.press("Enter")
    expect(box).to_have_value(f"first line\nsee run:{run.uid}")
    box.press_sequentially(" and view:sw")
    expect(options).to_have_text([re.compile("Own sweep")])
    box.press("ArrowDown")
    box.press("Tab")
    expect(box).to_have_value(re.compile(r" and view:\w{10}$"))
    box.press_sequentially(f" or {run.uid[:5]}")
    expect(options).to_have_count(1)
    box.press("Escape")
    expect(options.first).to_be_hidden()
    links = page.locator("#runs-preview a.md-ref")
    expect(links).to_have_text(["cat finder", "Own sweep"])
    assert tab.troubles == []


def test_what_was_typed_outlives_a_lost_connection_and_a_reload(
    open_tab: Callable[..., Tab], run: Any, people: Any
) -> None:
    tab = open_tab(people.bob)
    place = f"/w/lab/runs/{run.uid}"
    page = tab.open(f"{place}/description/edit")
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    text_of(page).press_sequentially("typed for an hour")

    page.context.set_offline(True)
    page.get_by_role("button", name="Save description").click()
    expect(page.get_by_text("The studio does not answer.")).to_be_visible()
    expect(text_of(page)).to_have_value("typed for an hour")
    page.context.set_offline(False)
    page.reload()
    assert asked == ["beforeunload"]
    expect(text_of(page)).to_have_value("typed for an hour")
    expect(page.get_by_text("What you had typed before is back")).to_be_visible()

    actions.describe_run(run, "by alice", by=make.actor(people.alice))
    page.get_by_role("button", name="Save description").click()
    expect(page.get_by_text("alice saved this description meanwhile.")).to_be_visible()
    expect(page.locator("pre.conflict")).to_have_text("by alice")
    expect(page.get_by_role("textbox", name="Your description")).to_have_value("typed for an hour")
    page.get_by_role("button", name="Save mine").click()
    expect(page).to_have_url(re.compile(f"{place}$"))
    expect(page.locator(".prose")).to_have_text("typed for an hour")
    page = tab.open(f"{place}/description/edit")
    expect(page.get_by_text("What you had typed before is back")).to_be_hidden()
    page.get_by_role("link", name="Discard").click()
    expect(page).to_have_url(re.compile(f"{place}$"))
    assert asked == ["beforeunload"]


def test_hostile_texts_run_nothing_and_ask_nobody(
    open_tab: Callable[..., Tab], run: Any, people: Any
) -> None:
    html = "\n".join(render_markdown(text) for text in HOSTILE)
    facts = {"text": "all", "html": html, "renderer_version": RENDERER_VERSION, "version": 1}
    Description.objects.create(run=run, **facts)
    tab = open_tab(people.bob)
    page, asked, dialogs = tab.page, list[str](), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    tab.open(f"/w/lab/runs/{run.uid}")
    expect(page.locator(".prose")).to_contain_text("alert(1)")

    found = page.evaluate("""() => [...document.querySelectorAll(".prose *")].map((one) => {
      if (one.matches("img")) one.scrollIntoView();
      if (one.matches("a, summary, input")) one.dispatchEvent(new Event("focus"));
      return [one.tagName, one.protocol ?? "", ...one.getAttributeNames()];
    })""")
    page.wait_for_load_state("networkidle")
    assert dialogs == []
    assert {url for url in asked if not url.startswith(tab.site)} == set()
    assert not {tag for tag, *_ in found} & {"SCRIPT", "STYLE", "IFRAME", "FORM", "OBJECT", "SVG"}
    assert {protocol for _, protocol, *_ in found} <= {"", ":", "http:", "https:", "mailto:"}
    assert not [names for _, _, *names in found if any(n.startswith("on") for n in names)]

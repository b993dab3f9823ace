"""What axe and a ruler say of the page that a browser shows."""

from contextlib import suppress
from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, TimeoutError

LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# Another theme changes colours only. That targets have 24 px or room is off unless asked for.
OF_LEVELS = {"runOnly": LEVELS, "rules": {"target-size": {"enabled": True}}}
OF_COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
# What surrounds every page of a workspace, and is the same on all of them.
FRAME = [[".topbar"], [".rail"], ["#shortcut-sheet"]]
ASK = """async ([place, options]) => {
  const found = await axe.run(place, {...options, resultTypes: ["violations"]});
  const ids = (all) => all.map(({ id }) => id);
  const parts = (nodes) => nodes.map(({ html }) => html.slice(0, 200));
  return [found.violations.map(({ id, nodes }) => [id, parts(nodes)]),
    [...ids(found.passes), ...ids(found.violations), ...ids(found.incomplete)]];
}"""
# A colour that still changes into another one has the contrast of neither.
PAINT = """(theme) => {
  document.documentElement.dataset.theme = theme;
  for (const one of document.getAnimations()) if (one instanceof CSSTransition) one.finish();
}"""
FITS = "() => document.documentElement.scrollWidth <= innerWidth"
# What is wider than the window, and what scrolls sideways in a window that scrolls down.
SIDEWAYS = """(allowed) => {
  const wide = document.documentElement.scrollWidth - innerWidth;
  const found = wide > 0 ? [`the page is ${wide} px too wide`] : [];
  for (const box of document.querySelectorAll("body *")) {
    const style = getComputedStyle(box);
    if (!/auto|scroll/.test(style.overflowX) || box.scrollWidth <= box.clientWidth + 1) continue;
    if (!box.checkVisibility({ visibilityProperty: true }) || box.matches(allowed)) continue;
    if (/textarea|input|select/i.test(box.tagName) || box.clientWidth < 2) continue;
    found.push(`${box.outerHTML.slice(0, 120)} scrolls sideways`);
  }
  return found;
}"""


def broken_rules(
    page: Page, *, within: str = "html", without: list[list[str]] | None = None
) -> list[str]:
    """What breaks a rule in light or in dark; AssertionError if sizes were not looked at.

    within: the part that is looked at; without: parts that are left out; both as selectors."""
    place = {"include": [[within]], "exclude": without or []}
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE_SCRIPT)
    page.evaluate(PAINT, "light")
    found, looked_at = page.evaluate(ASK, [place, OF_LEVELS])
    assert "color-contrast" in looked_at
    assert "target-size" in looked_at
    page.evaluate(PAINT, "dark")
    dark, looked_at = page.evaluate(ASK, [place, OF_COLOURS])
    assert looked_at
    page.evaluate(PAINT, "light")
    said = [f"{rule}: {nodes[:4]}" for rule, nodes in found]
    return said + [f"in dark, {rule}: {nodes[:4]}" for rule, nodes in dark]


def bring_axe(page: Page) -> None:
    """Have axe in every document that the page opens from now on: cheaper for many of them."""
    page.add_init_script(AXE_SCRIPT)


def wide_parts(page: Page, allowed: str) -> list[Any]:
    """What does not fit into a window of 320 px, as at a zoom of 400 %."""
    before = page.viewport_size
    assert before
    page.set_viewport_size({"width": 320, "height": 640})
    # Charts follow the window in their own time.
    with suppress(TimeoutError):
        page.wait_for_function(FITS, timeout=3_000)
    found: list[Any] = page.evaluate(SIDEWAYS, allowed)
    page.set_viewport_size(before)
    return found

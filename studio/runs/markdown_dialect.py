"""Our Markdown: tables, fenced code, footnotes, task lists, bare addresses, links to runs; no HTML.

Runs only in the worker process; its output still has to be cleaned.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from typing import Any

from markdown import Markdown  # type: ignore[import-untyped, unused-ignore]
from markdown.extensions import Extension  # type: ignore[import-untyped, unused-ignore]
from markdown.extensions.codehilite import (  # type: ignore[import-untyped, unused-ignore]
    CodeHiliteExtension,
)
from markdown.extensions.fenced_code import (  # type: ignore[import-untyped, unused-ignore]
    FencedBlockPreprocessor,
    FencedCodeExtension,
)
from markdown.extensions.footnotes import (  # type: ignore[import-untyped, unused-ignore]
    FootnoteExtension,
)
from markdown.extensions.sane_lists import (  # type: ignore[import-untyped, unused-ignore]
    SaneListExtension,
)
from markdown.extensions.tables import TableExtension  # type: ignore[import-untyped, unused-ignore]
from markdown.inlinepatterns import (  # type: ignore[import-untyped, unused-ignore]
    InlineProcessor,
)
from markdown.treeprocessors import Treeprocessor  # type: ignore[import-untyped, unused-ignore]
from markdown.util import AtomicString  # type: ignore[import-untyped, unused-ignore]

from studio.runs.markdown_cleaner import ABSOLUTE_REL, address_kind, is_image_source
from studio.runs.markdown_references import MARK, REFERENCE, parse_reference

BARE_ADDRESS = r"(?<![\w@/:.])(https?://[^\s<>\"'`\x02\x03\\]{1,2000})"
MAIL_ADDRESS = r"<(?:mailto:)?([\w.+-]{1,100}@[\w.-]{1,200})>"
_TASK = re.compile(r"\[([ xX])\]\s+")


def to_html(text: str) -> str:
    """HTML of `text`, its references marked."""
    md = Markdown(
        extensions=[
            TableExtension(use_align_attribute=True),
            _PlainFences(),
            CodeHiliteExtension(guess_lang=False, css_class="hl", linenums=False),
            SaneListExtension(),
            FootnoteExtension(),
            _Studio(),
        ],
        output_format="html",
    )
    return str(md.convert(text))


class _Studio(Extension):  # type: ignore[misc, unused-ignore]
    def extendMarkdown(self, md: Any) -> None:
        # Raw HTML is shown as text: nothing a person types is ever parsed as a tag.
        md.preprocessors.deregister("html_block")
        md.inlinePatterns.deregister("html")
        md.inlinePatterns.register(_MailAddress(MAIL_ADDRESS, md), "automail", 110)
        # Both go before emphasis, so that underscores in ids and addresses stay.
        md.inlinePatterns.register(_BareAddress(BARE_ADDRESS, md), "studio_address", 118)
        md.inlinePatterns.register(_Reference(REFERENCE, md), "studio_reference", 116)
        md.treeprocessors.register(_Finish(md), "studio_finish", 5)


class _BareAddress(InlineProcessor):  # type: ignore[misc, unused-ignore]
    ANCESTOR_EXCLUDES = ("a",)

    def handleMatch(self, m: re.Match[str], data: str) -> Any:
        address = m.group(1).rstrip(".,;:!?*_~]")
        while address.endswith(")") and address.count(")") > address.count("("):
            address = address[:-1]
        if address_kind(address) is None:
            return None, None, None
        return _link(address, address), m.start(0), m.start(0) + len(address)


class _MailAddress(InlineProcessor):  # type: ignore[misc, unused-ignore]
    """Without the original's entities, which hide it from our own check and from no robot."""

    def handleMatch(self, m: re.Match[str], data: str) -> Any:
        return _link(f"mailto:{m.group(1)}", m.group(1)), m.start(0), m.end(0)


class _Reference(InlineProcessor):  # type: ignore[misc, unused-ignore]
    ANCESTOR_EXCLUDES = ("a",)

    def handleMatch(self, m: re.Match[str], data: str) -> Any:
        written = parse_reference(m).written
        mark = ET.Element("span", {"class": MARK})
        mark.text = AtomicString(written)
        return mark, m.start(0), m.start(0) + len(written)


class _Finish(Treeprocessor):  # type: ignore[misc, unused-ignore]
    """Task lists, `rel` of links that leave the site, remote images as links."""

    def run(self, root: ET.Element) -> None:
        for parent in list(root.iter()):
            if parent.tag == "ul":
                _mark_tasks(parent)
            elif parent.tag == "a" and address_kind(parent.get("href", "")) == "absolute":
                parent.set("rel", ABSOLUTE_REL)
            elif parent.tag == "img" and not is_image_source(parent.get("src", "")):
                _image_to_link(parent)
        _unnest_links(root, inside=False)


def _link(address: str, words: str) -> ET.Element:
    link = ET.Element("a", {"href": address})
    link.text = AtomicString(words)
    return link


def _mark_tasks(items: ET.Element) -> None:
    for item in items:
        # A list with blank lines between its items wraps their text in paragraphs.
        holder = (
            item[0] if len(item) and item[0].tag == "p" and not (item.text or "").strip() else item
        )
        match = _TASK.match(holder.text or "")
        if match is None:
            continue
        done = match.group(1) != " "
        box = ET.Element("input", {"type": "checkbox", "disabled": "disabled"})
        box.set("aria-label", "done" if done else "not done")
        if done:
            box.set("checked", "checked")
        box.tail, holder.text = " " + (holder.text or "")[match.end() :], ""
        holder.insert(0, box)
        item.set("class", "md-task")
        items.set("class", "md-tasks")


def _image_to_link(image: ET.Element) -> None:
    """Other hosts must not learn who reads a page, and the site's CSP would block them anyway."""
    address, words = image.get("src", ""), image.get("alt", "")
    kind, tail, title = address_kind(address), image.tail, image.get("title")
    image.clear()
    image.tag, image.tail = ("a" if kind else "span"), tail
    image.text = AtomicString(words or address)
    if kind:
        image.set("href", address)
        image.set("rel", ABSOLUTE_REL)
        if title:
            image.set("title", title)


def _unnest_links(element: ET.Element, *, inside: bool) -> None:
    """A link within a link (an image became one) would close the outer one: keep its words."""
    stack: list[tuple[ET.Element, bool]] = [(element, inside)]
    while stack:
        node, within = stack.pop()
        if node.tag == "a" and within:
            node.tag = "span"
            node.attrib.clear()
        stack.extend((child, within or node.tag == "a") for child in node)


class _PlainFencePreprocessor(FencedBlockPreprocessor):  # type: ignore[misc, unused-ignore]
    """A fence names its language and nothing else: options would reach the highlighter."""

    def handle_attrs(
        self, attrs: Iterable[tuple[str, str | None]]
    ) -> tuple[str, list[str], dict[str, Any]]:
        return "", [value for key, value in attrs if key == "." and value][:1], {}


class _PlainFences(FencedCodeExtension):  # type: ignore[misc, unused-ignore]
    def extendMarkdown(self, md: Any) -> None:
        md.registerExtension(self)
        md.preprocessors.register(
            _PlainFencePreprocessor(md, self.getConfigs()), "fenced_code_block", 25
        )

"""References in a description (`run:<uid>`, 32 hex digits, …): where they stand and to what. Pure.

The stored HTML holds each as a mark, without an address or a name. Both are put in when it is shown
(`filled`): names change, and not everybody may see everything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import NamedTuple
from urllib.parse import unquote

# Before and after: nothing that would make it part of a longer word, path or address.
REFERENCE = (
    r"(?<![\w/#=&?.:@-])(?:"
    r"(?P<kind>run|experiment|view|log|metric):(?P<key>[A-Za-z0-9_-]{1,256}"
    r"(?:/[\w./%-]{1,255})?(?:#L\d{1,12}(?:-L\d{1,12})?)?)"
    r"|(?P<hex>[0-9a-f]{32})(?![\w-]))"
)
MARK = "md-ref"
ATTACHMENT = r"attachment:([0-9a-f]{40})"
GONE = "Not found here, or not shared with you"
_WHOLE = re.compile(REFERENCE)
# In cleaned HTML `<` only ever begins a tag, and values stand in double quotes.
_PLACES = re.compile(
    rf'<span class="{MARK}">(?P<written>[^<>"&]{{1,600}})</span>'
    r'|(?P<image><img (?:[^"<>]|"[^"]*")*>)'
)
_SOURCE = re.compile(rf' src="{ATTACHMENT}"')
_LINES = re.compile(r"#L(\d{1,12})(?:-L(\d{1,12}))?$")


class Reference(NamedTuple):
    """`written` as it stands in the text, and what it asks for."""

    written: str
    kind: str
    key: str

    @property
    def name(self) -> str:
        """The run, experiment or view."""
        return re.split("[/#]", self.key, maxsplit=1)[0]

    @property
    def inside(self) -> str:
        """What is meant inside of it, a metric or a file; "" for the thing itself. No name has a
        NUL, which PostgreSQL can't even be asked for."""
        return unquote(_LINES.sub("", self.key).partition("/")[2]).replace("\0", "\ufffd")

    @property
    def lines(self) -> tuple[int, int] | None:
        """First and last line, None when none are named."""
        found = _LINES.search(self.key)
        return (int(found[1]), int(found[2] or found[1])) if found else None


class Link(NamedTuple):
    """Where a reference leads, and its words."""

    address: str
    words: str


def parse_reference(match: re.Match[str]) -> Reference:
    """The reference of a match of `REFERENCE`; a full stop behind it ends the sentence."""
    if match["hex"]:
        return Reference(match["hex"], "run", match["hex"])
    key = match["key"].rstrip("./%")
    return Reference(f"{match['kind']}:{key}", match["kind"], key)


def references_of(html: str, *, limit: int) -> list[Reference]:
    """The first `limit` different references that cleaned HTML marks, in their order."""
    found: dict[str, Reference] = {}
    for place in _PLACES.finditer(html):
        match = _WHOLE.fullmatch(place["written"] or "")
        if match and len(found) < limit:
            reference = parse_reference(match)
            found.setdefault(reference.written, reference)
    return list(found.values())


def filled(html: str, links: Mapping[str, Link], *, attachments: str) -> str:
    """Cleaned HTML with its marks made links, and images looked for below `attachments`.

    `links`: by what is written. What is not among them is text, with a hint unless it may be no
    reference at all (a bare number).
    """

    def put(place: re.Match[str]) -> str:
        if place["image"]:
            return _SOURCE.sub(rf' src="{escape(attachments)}\1" loading="lazy"', place["image"])
        written = place["written"]
        if link := links.get(written):
            words = escape(link.words)
            return f'<a class="{MARK}" href="{escape(link.address)}">{words}</a>'
        if ":" not in written:
            return written
        hint = f'<span class="visually-hidden"> ({GONE})</span>'
        return f'<span class="md-gone" title="{GONE}">{written}{hint}</span>'

    return _PLACES.sub(put, html)

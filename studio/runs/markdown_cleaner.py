"""The allow-list: what HTML of a description may hold, enforced by two independent cleaners.

Bleach does the work (disallowed tags become text); nh3, which is maintained, then removes whatever
Bleach might have let through. Both ask the same `keeps_attribute`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import nh3
from bleach import html5lib_shim  # type: ignore[import-untyped, unused-ignore]
from bleach.sanitizer import Cleaner  # type: ignore[import-untyped, unused-ignore]

from studio.runs.markdown_references import ATTACHMENT, MARK

SCHEMES = frozenset({"http", "https", "mailto"})
TAGS = frozenset(
    [
        "a",
        "blockquote",
        "br",
        "code",
        "del",
        "div",
        "em",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "img",
        "input",
        "li",
        "ol",
        "p",
        "pre",
        "span",
        "strong",
        "sup",
        "table",
        "tbody",
        "td",
        "th",
        "thead",
        "tr",
        "ul",
    ]
)
ABSOLUTE_REL = "noopener noreferrer nofollow"
_ATTRIBUTES = {
    "a": {"href", "title", "rel", "class"},
    "code": {"class"},
    "div": {"class"},
    "img": {"src", "alt", "title"},
    "input": {"type", "checked", "disabled", "aria-label"},
    "li": {"class", "id"},
    "ol": {"start"},
    "pre": {"class"},
    "span": {"class"},
    "sup": {"id"},
    "td": {"align"},
    "th": {"align"},
    "ul": {"class"},
}
# Every value is fixed or narrow: a free class could borrow the look of the site's own buttons,
# and a free id could shadow a global of its scripts.
_VALUES = {
    "align": re.compile(r"left|center|right"),
    "aria-label": re.compile(r"done|not done"),
    "checked": re.compile(r"|checked"),
    "disabled": re.compile(r"|disabled"),
    "id": re.compile(r"fn(ref\d{0,4})?:[A-Za-z0-9_-]{1,64}"),
    "rel": re.compile(re.escape(ABSOLUTE_REL)),
    "start": re.compile(r"\d{1,9}"),
    "type": re.compile(r"checkbox"),
}
_CLASSES = {
    "a": re.compile(r"footnote-ref|footnote-backref"),
    "code": re.compile(r"language-[a-z0-9+#.-]{1,30}"),
    "div": re.compile(r"hl|footnote"),
    "li": re.compile(r"md-task"),
    "pre": re.compile(r"hl|md-plain"),
    "span": re.compile(rf"[a-z][a-z0-9]{{0,2}}|{MARK}"),  # the short names of Pygments
    "ul": re.compile(r"md-tasks"),
}
# Browsers drop these inside an address, so `java\tscript:` is one word to them.
_INVISIBLE = re.compile(r"[\x00-\x20\x7f-\xa0\u00ad\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]")


def clean_html(html: str) -> str:
    """`html` reduced to the allow-list."""
    return _NH3.clean(str(_BLEACH.clean(html)))


def address_kind(address: str) -> str | None:
    """What `address` points to: "own" (a place on this site), "absolute", or None for refused.

    Refused are other schemes, hidden characters, backslashes (a slash to browsers) and `//host`.
    """
    if "\\" in address or _INVISIBLE.search(address) or len(address) > 2_000:
        return None
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    if parts.scheme:
        if parts.scheme not in SCHEMES or (parts.scheme != "mailto" and not parts.netloc):
            return None
        return "absolute"
    # `urlsplit` sees no scheme in "1:x" or "javascript&colon;x"; a browser may after decoding.
    first = re.split(r"[/?#]", address, maxsplit=1)[0]
    return (
        None if parts.netloc or address.startswith("//") or ":" in first or "&" in first else "own"
    )


def is_image_source(address: str) -> bool:
    """Whether an image may come from there: a place on this site, or an uploaded image."""
    return bool(re.fullmatch(ATTACHMENT, address)) or address_kind(address) == "own"


def keeps_attribute(tag: str, name: str, value: str) -> bool:
    """Whether `value` may stay as attribute `name` of `tag`."""
    if name not in _ATTRIBUTES.get(tag, ()):
        return False
    if name in ("href", "src"):
        # Bleach hands over `&#47;` as written, nh3 what it means: both readings have to be fine.
        readings = {value, unescape(value)}
        if name == "src":
            return all(map(is_image_source, readings))
        return None not in {address_kind(reading) for reading in readings}
    if name == "class":
        return bool(_CLASSES[tag].fullmatch(value))
    pattern = _VALUES.get(name)
    return pattern is None or bool(pattern.fullmatch(value))


def _filtered(tag: str, name: str, value: str) -> str | None:
    return value if keeps_attribute(tag, name, value) else None


class _DisabledBoxes(html5lib_shim.Filter):  # type: ignore[misc, unused-ignore]
    """Leaves no input but a disabled tick box, whatever attributes were refused before."""

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for token in html5lib_shim.Filter.__iter__(self):
            if token.get("name") == "input" and "data" in token:
                token["data"][(None, "type")] = "checkbox"
                token["data"][(None, "disabled")] = ""
            yield token


_BLEACH = Cleaner(
    tags=TAGS,
    attributes=keeps_attribute,
    protocols=SCHEMES | {"attachment"},
    strip=False,
    strip_comments=True,
    filters=[_DisabledBoxes],
)
_NH3 = nh3.Cleaner(
    tags=set(TAGS),
    clean_content_tags={"script", "style"},
    attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
    attribute_filter=_filtered,
    link_rel=None,  # set per link by the dialect, and only that one value is kept
    url_schemes={*SCHEMES, "attachment"},
)

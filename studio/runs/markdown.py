"""The one way from a description's Markdown to HTML that may be shown.

Everything behind `render_markdown` (dialect, cleaners, process) can be swapped; callers store its
result together with `RENDERER_VERSION` and render again when that has changed.
"""

from __future__ import annotations

import html
import logging
import re
from collections.abc import Callable

from studio.runs.markdown_process import RenderFailed, ask
from studio.runs.markdown_references import find_references

RENDERER_VERSION = 1
LIMIT_BYTES = 100_000
LINK_LIMIT = 200
LABEL_LIMIT = 200
# What no text needs: control characters and the marks that make text show in another order than it
# has (an address could be made to read as another one).
_STRIPPED = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")
log = logging.getLogger(__name__)

Resolve = Callable[[str, str], tuple[str, str] | None]


class DescriptionTooLong(ValueError):
    """The text is over the limit; nothing was rendered."""

    def __init__(self, n_bytes: int) -> None:
        super().__init__(
            f"The description has {n_bytes:,} bytes; at most {LIMIT_BYTES:,} fit."
            " Shorten it, or upload the long part as an artifact and link it."
        )
        self.n_bytes, self.limit_bytes = n_bytes, LIMIT_BYTES


def render_markdown(text: str, *, links: Resolve | None = None) -> str:
    """Clean HTML of `text`, safe to show on our origin without further escaping.

    `links(kind, key)` turns a reference ("run", uid) into (address, words) or None. It is asked
    once for each of the first 200 different ones, in this thread; an unresolved one stays text.
    Text that costs more than 2 s of processor time comes back escaped, as `plain_html`.
    Raises DescriptionTooLong above 100,000 bytes.
    """
    sound = _SURROGATES.sub("\ufffd", text)
    n_bytes = len(sound.encode())
    if n_bytes > LIMIT_BYTES:
        raise DescriptionTooLong(n_bytes)
    sound = _STRIPPED.sub("", sound.replace("\r\n", "\n").replace("\r", "\n"))
    if not sound.strip():
        return ""
    try:
        answer = ask({"text": sound, "links": _resolved(sound, links)})
        if "html" in answer:
            return str(answer["html"])
        log.warning("A description is shown as plain text: %s", answer.get("error"))
    except RenderFailed as error:
        log.warning("A description is shown as plain text: %s", error)
    return plain_html(sound)


def plain_html(text: str) -> str:
    """`text` as it is, escaped: what is shown when rendering was not possible."""
    return f'<pre class="md-plain">{html.escape(text)}</pre>'


def _resolved(text: str, links: Resolve | None) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for reference in find_references(text, limit=LINK_LIMIT) if links else ():
        link = links(reference.kind, reference.key) if links else None
        if link is not None:
            address, words = link
            found[reference.written] = (address, _STRIPPED.sub("", words)[:LABEL_LIMIT])
    return found

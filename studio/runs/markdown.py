"""The one way from a description's Markdown to HTML that may be shown.

Everything behind `render_markdown` (dialect, cleaners, process) can be swapped; callers store its
result together with `RENDERER_VERSION` and render again when that has changed.
"""

from __future__ import annotations

import html
import logging
import re

from studio.runs.markdown_process import RenderFailed, ask

RENDERER_VERSION = 2
LIMIT_BYTES = 100_000
# What no text needs: control characters and the marks that make text show in another order than it
# has (an address could be made to read as another one).
_STRIPPED = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")
log = logging.getLogger(__name__)


class DescriptionTooLong(ValueError):
    """The text is over the limit; nothing was rendered."""

    def __init__(self, n_bytes: int) -> None:
        super().__init__(
            f"The description has {n_bytes:,} bytes; at most {LIMIT_BYTES:,} fit."
            " Shorten it, or upload the long part as an artifact and link it."
        )
        self.n_bytes, self.limit_bytes = n_bytes, LIMIT_BYTES


def render_markdown(text: str) -> str:
    """Clean HTML of `text`, safe to show on our origin without further escaping.

    References in it are marks, which `markdown_references.filled` makes links for who looks.
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
        answer = ask({"text": sound})
        if "html" in answer:
            return str(answer["html"])
        log.warning("A description is shown as plain text: %s", answer.get("error"))
    except RenderFailed as error:
        log.warning("A description is shown as plain text: %s", error)
    return plain_html(sound)


def plain_html(text: str) -> str:
    """`text` as it is, escaped: what is shown when rendering was not possible."""
    return f'<pre class="md-plain">{html.escape(text)}</pre>'

"""The one way from source text to coloured lines that a page may draw."""

import logging
import re

from studio.runs.colouring import Span, plain
from studio.runs.markdown_process import RenderFailed, ask_for_colours

# Above this the colours would take longer than a reader waits.
LIMIT = 200_000
# Other line ends and control characters would not show, and direction marks would show the text in
# another order than it has.
UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff"
    "\ud800-\udfff]"
)
log = logging.getLogger(__name__)


def coloured(text: str, language: str) -> list[list[Span]]:
    """The lines of `text`; without colours for no language, above 200,000 characters, or when
    they take too long. What a browser would not show, or in another order, is a visible sign."""
    shown = visible(text.replace("\r\n", "\n"))
    if not language or len(shown) > LIMIT:
        return plain(shown)
    try:
        answer = ask_for_colours(shown, language)
    except RenderFailed as error:
        answer = {"error": str(error)}
    if "lines" not in answer:
        log.warning("A file is shown without colours: %s", answer.get("error"))
        return plain(shown)
    return [[(kind, piece) for kind, piece in line] for line in answer["lines"]]


def visible(text: str) -> str:
    """`text` with a sign for each character that would not be seen; line feeds and tabs stay."""
    return UNSEEN.sub(_sign, text)


def visible_name(name: str) -> str:
    """A name on one line, with a sign for each character that would not be seen."""
    return re.sub(r"[\t\n]", _sign, visible(name))


def _sign(found: re.Match[str]) -> str:
    code = ord(found[0])
    # Unicode has pictures of the old control characters: ␍ for a carriage return.
    return chr(0x2400 + code) if code < 0x20 else "\N{SYMBOL FOR DELETE}" if code == 0x7F else "�"

"""Terminal text for a page: colours as classes, progress bars as their last state. Pure.

Only SGR ("select graphic rendition") sequences mean something here; every other escape is dropped.
Nothing is ever HTML: spans carry text and class names.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

ESCAPE = re.compile(
    r"\x1b\[([0-9;]*)m"  # SGR
    r"|\x1b\[[0-?]*[ -/]*[@-~]"  # any other control sequence
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)"  # operating system commands and other strings
    r"|\x1b[ -/]*[0-~]?"  # short escapes, also unfinished ones
)
UNSHOWN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# Beyond this a line is cut on the page (the download has it whole).
MAX_LINE_CHARACTERS = 10_000


@dataclass(frozen=True, slots=True)
class Style:
    """What SGR codes have switched on."""

    foreground: str = ""
    background: str = ""
    bold: bool = False
    dim: bool = False
    italic: bool = False
    underline: bool = False

    @property
    def classes(self) -> str:
        names = [
            f"fg-{self.foreground}" if self.foreground else "",
            f"bg-{self.background}" if self.background else "",
            "ansi-bold" if self.bold else "",
            "ansi-dim" if self.dim else "",
            "ansi-italic" if self.italic else "",
            "ansi-underline" if self.underline else "",
        ]
        return " ".join(name for name in names if name)


PLAIN = Style()
SWITCHES = {
    1: {"bold": True},
    2: {"dim": True},
    3: {"italic": True},
    4: {"underline": True},
    22: {"bold": False, "dim": False},
    23: {"italic": False},
    24: {"underline": False},
    39: {"foreground": ""},
    49: {"background": ""},
}


@dataclass(frozen=True, slots=True)
class Span:
    text: str
    classes: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a log. `n_folded` states of a progress bar lie under the one that is shown."""

    spans: tuple[Span, ...]
    n_folded: int = 0
    is_cut: bool = False

    @property
    def text(self) -> str:
        return "".join(span.text for span in self.spans)


def styled(style: Style, codes: str) -> Style:
    """`style` after the SGR codes "1;31"; unknown codes change nothing."""
    numbers = iter([int(code) if code and len(code) < 4 else 0 for code in codes.split(";")])
    for number in numbers:
        if number == 0:
            style = PLAIN
        elif number in SWITCHES:
            style = replace(style, **SWITCHES[number])  # type: ignore[arg-type]
        elif number in {38, 48}:
            # 256 colours and true colours are shown plain: read their arguments and go on.
            skip = {5: 1, 2: 3}.get(next(numbers, 0), 0)
            for _ in range(skip):
                next(numbers, None)
        else:
            style = coloured(style, number)
    return style


def coloured(style: Style, number: int) -> Style:
    for first, kind, bright in (
        (30, "foreground", ""),
        (90, "foreground", "b"),
        (40, "background", ""),
        (100, "background", "b"),
    ):
        if first <= number < first + 8:
            name = f"{bright}{number - first}"
            if kind == "foreground":
                return replace(style, foreground=name)
            return replace(style, background=name)
    return style


def read_lines(text: str) -> list[Line]:
    """The lines of a piece of a log; a style goes on from line to line.

    "\\r\\n" ends a line; a lone "\\r" begins it again, as progress bars do.
    """
    style = PLAIN
    lines = []
    for raw in text.replace("\r\n", "\n").removesuffix("\n").split("\n") if text else ():
        states = [state for state in raw.split("\r") if state] or [""]
        # Styles set in states that are folded away still hold.
        for state in states[:-1]:
            for found in ESCAPE.finditer(state[:MAX_LINE_CHARACTERS]):
                if found.group(1) is not None:
                    style = styled(style, found.group(1))
        shown = states[-1]
        spans, style = _spans(shown[:MAX_LINE_CHARACTERS], style)
        is_cut = len(shown) > MAX_LINE_CHARACTERS
        lines.append(Line(tuple(spans), n_folded=len(states) - 1, is_cut=is_cut))
    return lines


def _spans(text: str, style: Style) -> tuple[list[Span], Style]:
    spans: list[Span] = []
    for piece, codes in _pieces(text):
        if piece:
            spans.append(Span(UNSHOWN.sub("\ufffd", piece), style.classes))
        if codes is not None:
            style = styled(style, codes)
    return spans, style


def _pieces(text: str) -> Iterator[tuple[str, str | None]]:
    """(text, SGR codes after it or None)."""
    at = 0
    for found in ESCAPE.finditer(text):
        yield text[at : found.start()], found.group(1)
        at = found.end()
    yield text[at:], None

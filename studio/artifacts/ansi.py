"""Terminal text for a page: colours as classes, progress bars as their last state. Pure.

Only SGR ("select graphic rendition") sequences mean something here; every other escape is dropped.
Nothing is ever HTML: spans carry text and class names.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

# Every alternative reads on at most to the next escape, so that the whole stays linear.
ESCAPE = re.compile(
    r"\x1b\[([0-9;:]*)m"  # SGR
    r"|\x1b\[[0-?]*[ -/]*[@-~]?"  # any other control sequence, also an unfinished one
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)"  # titles, links and other strings
    r"|\x1b[ -/]*[0-~]?"  # short escapes; of an endless string only its first two characters
)
# C0 but the tab, DEL, C1.
UNSHOWN = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f]")
# Beyond this a line is cut on the page (the download has it whole).
MAX_LINE_CHARACTERS = 10_000
SGR = re.compile(r"\x1b\[([0-9;:]*)m")
# How many numbers follow "38;5" and "38;2".
COLOUR_ARGUMENTS = {5: 1, 2: 3}


@dataclass(frozen=True, slots=True)
class Style:
    """What SGR codes have switched on; `colour` is one of the eight of a terminal, 0 to 7.

    Backgrounds are not shown: on either theme they would make some text unreadable.
    """

    colour: int | None = None
    bold: bool = False
    faint: bool = False
    italic: bool = False
    underline: bool = False

    @property
    def classes(self) -> str:
        names = [] if self.colour is None else [f"ansi-{self.colour}"]
        switches = ("bold", "faint", "italic", "underline")
        return " ".join(names + [f"ansi-{name}" for name in switches if getattr(self, name)])


PLAIN = Style()


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


def read_lines(text: str) -> list[Line]:
    """The lines of a piece of a log; a style goes on from line to line.

    "\\r\\n" ends a line; a lone "\\r" begins it again, as progress bars do.
    """
    style, lines = PLAIN, []
    for raw in text.removesuffix("\n").split("\n") if text else ():
        line, style = read_line(raw, style)
        lines.append(line)
    return lines


def read_line(
    raw: str, style: Style = PLAIN, *, most: int = MAX_LINE_CHARACTERS
) -> tuple[Line, Style]:
    """One line without its end, and the style that holds after it. A "\r" at its end belongs to
    the end; any other begins the line again, as progress bars do."""
    states = [state for state in raw.split("\r") if state] or [""]
    for hidden in states[:-1]:
        # Styles set in states that are folded away still hold.
        for _, codes in _pieces(hidden[:most]):
            style = styled(style, codes)
    spans = []
    for piece, codes in _pieces(states[-1][:most]):
        if piece:
            spans.append(Span(UNSHOWN.sub("\ufffd", piece), style.classes))
        style = styled(style, codes)
    is_cut = len(states[-1]) > most
    return Line(tuple(spans), n_folded=len(states) - 1, is_cut=is_cut), style


def style_after(text: str) -> Style:
    """The style that holds behind `text`, of which nothing is shown."""
    style = PLAIN
    reset = max(text.rfind("\x1b[0m"), text.rfind("\x1b[m"), 0)
    for found in SGR.finditer(text, reset):
        style = styled(style, found.group(1))
    return style


def _pieces(text: str) -> Iterator[tuple[str, str | None]]:
    """(text, SGR codes after it or None)."""
    at = 0
    for found in ESCAPE.finditer(text):
        yield text[at : found.start()], found.group(1)
        at = found.end()
    yield text[at:], None


def styled(style: Style, codes: str | None) -> Style:
    """`style` after the SGR codes "1;31"; unknown codes change nothing."""
    if codes is None:
        return style
    numbers = iter([int(code[:4] or 0) for code in re.split("[;:]", codes)])
    for number in numbers:
        if number in (38, 48):
            kind = next(numbers, 0)
            values = [next(numbers, 0) for _ in range(COLOUR_ARGUMENTS.get(kind, 0))]
            if number == 38 and values:
                style = replace(style, colour=nearest(values))
        else:
            style = _switched(style, number)
    return style


def _switched(style: Style, number: int) -> Style:
    if 30 <= number <= 37 or 90 <= number <= 97:
        return replace(style, colour=number % 10)
    match number:
        case 0:
            return PLAIN
        case 1:
            return replace(style, bold=True)
        case 2:
            return replace(style, faint=True)
        case 3:
            return replace(style, italic=True)
        case 4:
            return replace(style, underline=True)
        case 22:
            return replace(style, bold=False, faint=False)
        case 23:
            return replace(style, italic=False)
        case 24:
            return replace(style, underline=False)
        case 39:
            return replace(style, colour=None)
    return style


def nearest(values: list[int]) -> int | None:
    """The one of the eight colours nearest to [index of 256] or [red, green, blue]."""
    if len(values) == 1:
        index = values[0]
        if index < 16:
            return index % 8
        if index > 231:
            return None if index > 243 else 0
        index -= 16
        values = [index // 36 * 51, index // 6 % 6 * 51, index % 6 * 51]
    red, green, blue = (int(value > 127) for value in values)
    return red + 2 * green + 4 * blue

"""Lines of a file as a page shows them: read by number, with colours, marks, folds and times.

Whatever the file holds, one call reads and returns a bounded number of bytes.
"""

from dataclasses import dataclass, field

from studio.artifacts import line_index, log_times
from studio.artifacts.ansi import PLAIN, Line, Style, read_line, style_after
from studio.artifacts.line_index import LineIndex, Mark
from studio.artifacts.log_folds import fold_ends, is_group_start
from studio.artifacts.log_lines import RawLine, read_lines
from studio.artifacts.log_marks import count_marks, mark_of
from studio.artifacts.models import Artifact
from studio.artifacts.store import store
from studio.blobs import BlobNotFound

MAX_LINES = 400
# Together the lines of one page have so much text, however long they are; at least one line.
MAX_PAGE_BYTES = 256 * 1024
# A colour that was switched on further above the first line of a page no longer holds.
STYLE_BYTES = 32 * 1024
# What one call of `read_whole_line` returns at most.
MAX_LINE_BYTES = 64 * 1024
MAX_STATES = 200


@dataclass(frozen=True, slots=True)
class ShownLine:
    """Line `number` as it is drawn. `n_hidden` bytes of it are not: earlier states of a progress
    bar (`has_states`), else what stands behind the cut. `at_ms`: when it had arrived, of Unix time.
    `fold_end`: the line that ends the group which this one begins, where that is near enough."""

    number: int
    line: Line
    n_hidden: int = 0
    has_states: bool = False
    is_open: bool = False
    mark: Mark | None = None
    at_ms: int | None = None
    is_group: bool = False
    fold_end: int | None = None


@dataclass(frozen=True, slots=True)
class LogPage:
    """Lines from number `first` on, of a file that has `total` lines in `size` bytes at the moment.

    While the index is behind (`is_behind`) only the first `covered` bytes are counted, and `total`
    is of these. `n_errors`, `n_warnings`: how often the marks of errors and warnings stand there.
    """

    first: int
    lines: list[ShownLine] = field(default_factory=list)
    total: int = 0
    size: int = 0
    covered: int = 0
    is_behind: bool = False
    n_errors: int = 0
    n_warnings: int = 0

    @property
    def last(self) -> int:
        """The number of the last line of the page; the one before `first` when it has none."""
        return self.lines[-1].number if self.lines else self.first - 1


def load_index(artifact: Artifact) -> LineIndex:
    """The index of the file as it is now; of one that is behind, a part more than before."""
    return line_index.load(store(), artifact.blob_key)


def read_page(artifact: Artifact, first: int, n: int, *, with_times: bool = False) -> LogPage:
    """At most `n` (and MAX_LINES) lines from number `first` on; see `page_of`."""
    return page_of(artifact, load_index(artifact), first, n, with_times=with_times)


def page_of(
    artifact: Artifact, index: LineIndex, first: int, n: int, *, with_times: bool = False
) -> LogPage:
    """At most `n` (and MAX_LINES) lines from number `first` on, fewer where they are long: ask
    again behind `last`. A file that vanishes meanwhile has no lines."""
    first = max(1, first)
    try:
        raw = _within_bytes(read_lines(index, first, min(n, MAX_LINES)))
        times = log_times.load_times(store(), artifact.blob_key) if with_times and raw else None
        folds = fold_ends(index, raw)
        style = _style_before(index, raw[0].start) if raw else PLAIN
        n_errors, n_warnings = count_marks(index)
        total = index.n_lines()
    except BlobNotFound:
        return LogPage(first)
    lines = []
    for line in raw:
        at_ms = times.at_offset(max(line.start, line.end - 1)) if times else None
        shown, style = _shown(line, style, at_ms=at_ms, folds=folds)
        lines.append(shown)
    return LogPage(
        first=first,
        lines=lines,
        total=total,
        size=index.size,
        covered=index.covered,
        is_behind=index.is_behind,
        n_errors=n_errors,
        n_warnings=n_warnings,
    )


def _within_bytes(lines: list[RawLine]) -> list[RawLine]:
    n_bytes = 0
    for i, line in enumerate(lines):
        n_bytes += len(line.data)
        if n_bytes > MAX_PAGE_BYTES:
            return lines[: max(1, i)]
    return lines


def _style_before(index: LineIndex, start: int) -> Style:
    return style_after(index.read(max(0, start - STYLE_BYTES), start).decode("utf-8", "replace"))


def _shown(
    raw: RawLine, style: Style, *, at_ms: int | None, folds: dict[int, int]
) -> tuple[ShownLine, Style]:
    """The line, and the style behind it: of one that is cut nobody knows it."""
    text = raw.data.decode("utf-8", "replace")
    is_group = is_group_start(raw.data)
    line, after = read_line(text.replace("::group::", "", 1) if is_group else text, style)
    shown = ShownLine(
        number=raw.number,
        line=line,
        n_hidden=raw.n_hidden,
        has_states=line.n_folded > 0 or (raw.n_hidden > 0 and raw.data.startswith(b"\r")),
        is_open=raw.is_open,
        mark=mark_of(raw.data),
        at_ms=at_ms,
        is_group=is_group,
        fold_end=folds.get(raw.number),
    )
    return shown, PLAIN if raw.n_hidden else after


@dataclass(frozen=True, slots=True)
class WholeLine:
    """More of one line than its page shows: the last `states` of a progress bar, oldest first; of
    any other line one, with the bytes `start`..`end` of the file's. It goes on until `line_end`."""

    number: int
    states: list[Line]
    start: int
    end: int
    line_start: int
    line_end: int
    has_states: bool


def read_whole_line(index: LineIndex, number: int, *, offset: int = 0) -> WholeLine | None:
    """A piece of line `number`: MAX_LINE_BYTES from its byte `offset` on, or of a progress bar the
    last ones. None when there is no such line."""
    found = read_lines(index, number, 1)
    if not found:
        return None
    raw = found[0]
    tail = index.read(max(raw.start, raw.end - MAX_LINE_BYTES), raw.end)
    states = [state for state in tail.removesuffix(b"\r").split(b"\r") if state]
    has_states = len(states) > 1
    if has_states:
        start, end = raw.end - len(tail), raw.end
        if start > raw.start:
            states = states[1:]  # the first one is cut
        states = states[-MAX_STATES:]
    else:
        start = min(raw.start + max(0, offset), raw.end)
        end = min(start + MAX_LINE_BYTES, raw.end)
        states = [index.read(start, end)]
    shown, style = [], PLAIN
    for state in states:
        line, style = read_line(state.decode("utf-8", "replace"), style, most=MAX_LINE_BYTES)
        shown.append(line)
    return WholeLine(number, shown, start, end, raw.start, raw.end, has_states)

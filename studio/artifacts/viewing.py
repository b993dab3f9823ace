"""What a page shows of a file: the kind of it, and pieces of text of a bounded size."""

from dataclasses import dataclass

from studio.artifacts import logs
from studio.artifacts.actions import size_of
from studio.artifacts.ansi import Line, read_lines
from studio.artifacts.logs import Window
from studio.artifacts.models import Artifact

PIECE_BYTES = 64 * 1024
PIECE_LINES = 2_000
# What is shown below a line that a link leads to.
LINES_AFTER = 100
# More news than this at once is skipped over: a page can't show 10 MB a second.
CATCH_UP_BYTES = 4 * PIECE_BYTES
# Counting the lines before a piece means reading them; past this the gutter stays empty.
COUNT_UP_TO_BYTES = 32 * 1024 * 1024
TEXT_TYPES = ("text/", "application/json", "application/x-yaml", "application/yaml")
TEXT_ENDINGS = (".txt", ".log", ".json", ".jsonl", ".yaml", ".yml", ".csv", ".tsv", ".md", ".py")
HEAD_BYTES = 1024
IMAGE_STARTS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}


def image_type(artifact: Artifact) -> str:
    """The type of an image by its first bytes, "" for anything else (SVG is a program, not one)."""
    return type_of_image(logs.read_window(artifact, 0, 16).data)


def type_of_image(head: bytes) -> str:
    """The type of an image that begins with these 16 bytes, "" for anything else."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for start, kind in IMAGE_STARTS.items() if head.startswith(start)), "")


def is_text(artifact: Artifact) -> bool:
    """Whether it can be read: a log, something of a text type, or without NUL at its beginning."""
    if artifact.is_log or artifact.content_type.startswith(TEXT_TYPES):
        return True
    if artifact.path.lower().endswith(TEXT_ENDINGS):
        return True
    head = logs.read_window(artifact, 0, HEAD_BYTES).data
    try:
        head.decode("ascii")
    except UnicodeDecodeError:
        return False
    return b"\0" not in head


@dataclass(frozen=True, slots=True)
class Shown:
    """Lines of a piece with their numbers (None where counting would take too long).

    `start`..`end` are the bytes of the whole lines, in a file of `size` bytes; `partial` is the
    line after them that is still being written (a progress bar), only while it `follows`.
    """

    lines: list[tuple[int | None, Line]]
    partial: Line | None
    start: int
    end: int
    size: int
    next_number: int | None
    follows: bool
    n_skipped: int = 0


def window_to_show(artifact: Artifact, *, before: int | None = None) -> Window:
    """The piece that ends at byte `before`; else the end of a log, the beginning of a file."""
    if before is not None:
        window = logs.earlier(artifact, before, PIECE_BYTES)
    elif artifact.is_log:
        window = logs.tail(artifact, PIECE_BYTES)
    else:
        return logs.read_window(artifact, 0, PIECE_BYTES)
    return logs.last_lines(window, PIECE_LINES)


def end_around(artifact: Artifact, line: int) -> int | None:
    """Where a piece ends that holds line `line` and some after it, as a byte; None when there is no
    such line within COUNT_UP_TO_BYTES."""
    start, left = 0, line - 1
    while left > 0:
        window = logs.read_window(artifact, start, start + CATCH_UP_BYTES)
        n_lines = window.data.count(b"\n")
        if not window.data or window.end > COUNT_UP_TO_BYTES:
            return None
        if n_lines < left:
            start, left = window.end, left - n_lines
            continue
        at = -1
        for _ in range(left):
            at = window.data.index(b"\n", at + 1)
        start, left = window.start + at + 1, 0
    after = logs.read_window(artifact, start, start + PIECE_BYTES // 2).data
    end = 0
    for _ in range(LINES_AFTER):
        end = after.find(b"\n", end) + 1 or len(after)
    return start + end if after else None


def later(artifact: Artifact, after: int, *, follows: bool, number: int | None = None) -> Shown:
    """What came after byte `after`, where line `number` begins; of very much only the end."""
    size = size_of(artifact)
    if size - after > CATCH_UP_BYTES:
        window = logs.tail(artifact, PIECE_BYTES)
    else:
        window = logs.read_window(artifact, after, size)
    window = logs.last_lines(window, PIECE_LINES)
    if window.start > after and number is not None:
        n_lines = count_lines(artifact, after, window.start)
        number = None if n_lines is None else number + n_lines
    return shown(window, follows=follows, number=number, n_skipped=max(0, window.start - after))


def shown(window: Window, *, follows: bool, number: int | None, n_skipped: int = 0) -> Shown:
    """The lines of `window`; `number` is that of its first one, None when it is not known."""
    cut = window.data.rfind(b"\n") + 1 if follows else len(window.data)
    lines = read_lines(window.data[:cut].decode("utf-8", "replace"))
    partial = read_lines(window.data[cut:].decode("utf-8", "replace"))
    numbers = [None if number is None else number + i for i in range(len(lines) + 1)]
    return Shown(
        lines=list(zip(numbers, lines, strict=False)),
        partial=partial[-1] if partial else None,
        start=window.start,
        end=window.start + cut,
        size=window.size,
        next_number=numbers[-1],
        follows=follows,
        n_skipped=n_skipped,
    )


def number_at(artifact: Artifact, offset: int) -> int | None:
    """The number of the line that begins at byte `offset`, None past COUNT_UP_TO_BYTES."""
    n_lines = count_lines(artifact, 0, offset)
    return None if n_lines is None else n_lines + 1


def count_lines(artifact: Artifact, start: int, end: int) -> int | None:
    """Line ends in these bytes, None when there are too many bytes to count."""
    if end - start > COUNT_UP_TO_BYTES:
        return None
    n_lines = 0
    while start < end:
        window = logs.read_window(artifact, start, min(end, start + CATCH_UP_BYTES))
        if not window.data:
            break
        n_lines += window.data.count(b"\n")
        start = window.end
    return n_lines

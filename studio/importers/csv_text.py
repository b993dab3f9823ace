"""Delimited text of unknown make: its encoding, its separator, its cells. No database."""

import csv
import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from studio.importers.records import SourceError
from studio.importers.sources import no_tick

SAMPLE_BYTES = 1 << 18
MAX_FIELD_CHARS, MAX_ROW_CHARS = 1 << 20, 8 << 20
SEPARATORS = ",;\t|"
_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_FORMULA = frozenset("=+-@＝＋－＠−﹢﹣﹦﹫\t\r\n")
_SECONDS = re.compile(r"\d{9,11}(\.\d+)?")


@contextmanager
def rows_of(
    path: Path, tick: Callable[[], None] = no_tick, *, separator: str = ""
) -> Iterator[Iterator[tuple[int, list[str]]]]:
    """(number of the line on which it ends, cells) of each row that has any cell.

    UTF-8 or UTF-16 with a mark, else UTF-8, else Windows-1252. separator: "" for the one that its
    head has most of. tick: called with each line. Raises SourceError, also while rows are read.
    """
    with path.open("rb") as raw:
        sample = raw.read(SAMPLE_BYTES)
        raw.seek(0)
        encoding = _encoding(sample)
        with io.TextIOWrapper(raw, encoding, newline="") as text:
            mark = separator or _separator(sample.decode(encoding, "replace"))
            yield _rows(_Lines(text, tick), mark, path.name)


class _Lines:
    """The lines of a text. A row of any length would be held whole by who reads rows."""

    def __init__(self, text: TextIO, tick: Callable[[], None]) -> None:
        self._text, self._tick = text, tick
        self.n_left = MAX_ROW_CHARS

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        self._tick()
        line = self._text.readline(self.n_left + 1)
        self.n_left -= len(line)
        if self.n_left < 0:
            raise csv.Error(f"a row has more than {MAX_ROW_CHARS:,} characters")
        if not line:
            raise StopIteration
        return line


def _rows(lines: _Lines, separator: str, name: str) -> Iterator[tuple[int, list[str]]]:
    # The limit is one for the whole process; its usual value is smaller than a long description.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_FIELD_CHARS))
    reader = csv.reader(lines, delimiter=separator)
    while True:
        lines.n_left = MAX_ROW_CHARS
        try:
            row = next(reader, None)
        except (csv.Error, UnicodeError) as error:
            where = f"after line {reader.line_num} of “{name}”"
            raise SourceError(f"The text can't be read {where}: {error}.") from error
        if row is None:
            return
        if any(cell.strip() for cell in row):
            yield reader.line_num, row


def _encoding(sample: bytes) -> str:
    for mark, encoding in _MARKS.items():
        if sample.startswith(mark):
            return encoding
    try:
        # A character may be cut at the end of the sample.
        sample[:-4].decode() if len(sample) == SAMPLE_BYTES else sample.decode()
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _separator(sample: str) -> str:
    """The one that the head has most of, outside quotes."""
    head = re.sub(r'"[^"]*"', "", sample.lstrip("\r\n").splitlines()[0] if sample.strip() else "")
    return max(SEPARATORS, key=lambda one: (head.count(one), -SEPARATORS.index(one)))


def plain(cell: str) -> str:
    """A cell without the apostrophe that an export puts before what could be a formula."""
    if cell.startswith("'") and cell[1:].lstrip()[:1] in _FORMULA | {""} and len(cell) > 1:
        return cell[1:]
    return cell


def number(text: str) -> float:
    """A number as people and programs write it. Raises ValueError."""
    clean = text.strip().replace("\u2212", "-").replace("_", "x")
    if re.fullmatch(r"[+-]?\d+,\d+([eE][+-]?\d+)?", clean):
        clean = clean.replace(",", ".")
    return float(clean)


def moment(text: str) -> datetime:
    """ISO 8601, without a zone in UTC, or seconds since 1970. Raises ValueError."""
    clean = text.strip()
    if _SECONDS.fullmatch(clean):
        return datetime.fromtimestamp(float(clean), UTC)
    found = datetime.fromisoformat(clean)
    return found if found.tzinfo else found.replace(tzinfo=UTC)

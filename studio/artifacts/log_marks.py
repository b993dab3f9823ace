"""Errors and warnings of a file: of one line, how many there are, and where, for the map."""

from dataclasses import dataclass

import numpy as np

from studio.artifacts import line_index
from studio.artifacts.line_index import LONGEST_MARK, MARKS, LineIndex, Mark
from studio.artifacts.log_lines import marked_lines

N_BINS = 240
# With more marked blocks than this the map places a mark by its block, not by its line.
MAX_MAP_BLOCKS = 64


def mark_of(data: bytes) -> Mark | None:
    """What a line is marked as; an error rather than a warning."""
    for mark in (Mark.ERROR, Mark.WARNING):
        if any(text in data for text in MARKS[mark]):
            return mark
    return None


def count_marks(index: LineIndex) -> tuple[int, int]:
    """How often the marks of errors and of warnings stand in what is covered, and behind it where
    only a block is left."""
    n_errors, n_warnings = index.n_marks(Mark.ERROR), index.n_marks(Mark.WARNING)
    if index.is_behind:
        return n_errors, n_warnings
    before = max(0, index.covered - LONGEST_MARK)
    rest = index.read(before, index.size)
    at = index.covered - before
    counts = line_index.counted(rest[:at], rest[at:])
    return n_errors + int(counts[1]), n_warnings + int(counts[2])


@dataclass(frozen=True, slots=True)
class MarkMap:
    """Which of N_BINS equal parts of the lines have errors, and which have warnings; ascending."""

    errors: list[int]
    warnings: list[int]


def map_of(index: LineIndex) -> MarkMap:
    """Where in the file errors and warnings are, for the strip beside it."""
    n_lines = max(1, index.n_lines())
    errors, warnings = (_bins(index, mark, n_lines) for mark in (Mark.ERROR, Mark.WARNING))
    return MarkMap(sorted(errors), sorted(warnings))


def _bins(index: LineIndex, mark: Mark, n_lines: int) -> set[int]:
    blocks = index.marked_blocks(mark)
    if len(blocks) > MAX_MAP_BLOCKS:
        ends = index.records["lines"].astype(np.int64)
        middles = (ends[blocks] + np.where(blocks > 0, ends[blocks - 1], 0)) // 2
        lines, blocks = [int(line) for line in middles], blocks[:0]
    else:
        lines = []
    for block in [*blocks, len(index.records)]:
        lines += marked_lines(index, mark, int(block))
    return {min(N_BINS - 1, (line - 1) * N_BINS // n_lines) for line in lines if line > 0}

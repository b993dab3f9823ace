"""Groups of lines between `::group::title` and `::endgroup::`, which a page can fold."""

import re

from studio.artifacts.line_index import BLOCK_BYTES, LineIndex, Mark
from studio.artifacts.log_lines import RawLine

# Blocks that are looked into for the ends of the groups of one page.
MAX_FOLD_BLOCKS = 16
FOLD = re.compile(rb"(?:\x1b\[[0-9;:]*m)*::(end)?group::")
FOLD_WORD = b"group::"


def is_group_start(line: bytes) -> bool:
    found = FOLD.match(line)
    return bool(found and not found.group(1))


def fold_ends(index: LineIndex, lines: list[RawLine]) -> dict[int, int]:
    """Where the groups end that begin on these lines: number of the one line -> of the other.

    Groups lie within each other. An end further away than MAX_FOLD_BLOCKS blocks with fold marks
    is not found.
    """
    groups = {line.number for line in lines if is_group_start(line.data)}
    if not groups:
        return {}
    first, last = min(groups), max(groups)
    start = next(line.start for line in lines if line.number == first)
    blocks = [int(block) for block in index.marked_blocks(Mark.FOLD)]
    near = [block for block in blocks if block >= start // BLOCK_BYTES][:MAX_FOLD_BLOCKS]
    if len(near) < MAX_FOLD_BLOCKS and not index.is_behind:
        near.append(len(index.records))
    open_groups: list[int] = []
    ends: dict[int, int] = {}
    for block in near:
        for number, is_end in fold_lines(index, block):
            if number < first:
                continue
            if not is_end:
                open_groups.append(number)
            elif open_groups:
                ends[open_groups.pop()] = number
        if not open_groups and number_after(index, block) > last:
            break
    return ends


def fold_lines(index: LineIndex, block: int) -> list[tuple[int, bool]]:
    """(number, whether it ends a group) of the lines that begin in the block with a fold mark."""
    start = block * BLOCK_BYTES
    # A mark may go on behind the block, after as many colours as a line reasonably begins with.
    data = index.read(start, start + BLOCK_BYTES + 64)
    is_line_start = start == 0 or index.read(start - 1, start) == b"\n"
    number, counted, lines = index.ends_before(block) + 1, 0, []
    at = data.find(FOLD_WORD)
    while at != -1:
        line_start = data.rfind(b"\n", 0, at) + 1
        if line_start >= BLOCK_BYTES:
            break
        found = FOLD.match(data, line_start)
        if found and (line_start > 0 or is_line_start):
            number += data.count(b"\n", counted, line_start)
            counted = line_start
            lines.append((number, bool(found.group(1))))
        end = data.find(b"\n", at)
        at = data.find(FOLD_WORD, end) if end != -1 else -1
    return lines


def number_after(index: LineIndex, block: int) -> int:
    """The number of the line that byte 0 of the next block is in."""
    return index.ends_before(min(block + 1, len(index.records))) + 1

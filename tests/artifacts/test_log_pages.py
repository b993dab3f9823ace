"""Lines as a page shows them: colours from above, marks, folds, the map, a line whole."""

from pathlib import Path
from typing import Any

import pytest

from studio.artifacts import log_marks, log_pages
from studio.artifacts.line_index import BLOCK_BYTES, Mark
from studio.artifacts.log_pages import MAX_LINES, MAX_PAGE_BYTES, STYLE_BYTES, LogPage
from studio.artifacts.logs import append_log
from studio.artifacts.models import MAIN_LOG
from studio.artifacts.store import store
from tests import make


@pytest.fixture
def log(run: Any, people: Any) -> Any:
    """A log of the given bytes."""

    def write(data: bytes) -> Any:
        append_log(run, MAIN_LOG, 0, data, by=make.actor(people.bob))
        return run.artifacts.get()

    return write


def texts(shown: LogPage) -> list[str]:
    return [line.line.text for line in shown.lines]


def test_a_colour_holds_for_lines_below_within_reason(log: Any) -> None:
    many = STYLE_BYTES // 10 + 10
    artifact = log(b"\x1b[31mred\n" + b"123456789\n" * many + b"\x1b[0mplain\nend\n")

    classes = {
        first: log_pages.read_page(artifact, first, 1).lines[0].line.spans[0].classes
        for first in (1, 2, 100, many, many + 3)
    }
    assert classes == {1: "ansi-1", 2: "ansi-1", 100: "ansi-1", many: "", many + 3: ""}


ODD = [
    *(b"", b"\n" * 100_000, b"x" * 1_000_000, b"\0" * 500_000, b"a\r" * 400_000, b"\xff\n" * 9),
    *((b"y" * 70_000 + b"\n") * 40, b"::group::x\n" * 40_000, b"ERROR \x1b[3" * 50_000),
]


@pytest.mark.parametrize("data", ODD, ids=lambda data: repr(data[:12]))
def test_any_bytes_are_shown_in_pages_of_a_bounded_size(log: Any, data: bytes) -> None:
    artifact = log(data)
    total = log_pages.read_page(artifact, 1, 0).total
    assert total == len(data.splitlines()) if b"\r" not in data else total == 1
    seen = 0
    for _ in range(8):
        shown = log_pages.read_page(artifact, seen + 1, 10**6)
        assert [line.number for line in shown.lines] == list(range(seen + 1, shown.last + 1))
        assert len(shown.lines) <= MAX_LINES
        assert sum(len(text) for text in texts(shown)) <= MAX_PAGE_BYTES
        if seen < total:
            assert shown.lines
        seen = shown.last
    log_marks.map_of(log_pages.load_index(artifact))


def test_groups_know_their_last_line_across_blocks(log: Any) -> None:
    lines = ["::group::a", "x", "\x1b[36m::group::b\x1b[0m", "y", "::endgroup::", "z"]
    lines += ["say ::group:: here", "w" * (BLOCK_BYTES - 80), "::endgroup::", "::group::open"]
    artifact = log("\n".join(lines).encode())
    shown = log_pages.read_page(artifact, 1, 99)

    ends = {line.number: line.fold_end for line in shown.lines if line.is_group}
    assert ends == {1: 9, 3: 5, 10: None}
    assert texts(shown)[0] == "a"
    assert texts(shown)[2] == "b"
    (later,) = log_pages.read_page(artifact, 3, 1).lines
    assert later.fold_end == 5


def test_marks_are_counted_to_the_last_byte_and_placed_on_the_map(log: Any) -> None:
    lines = ["fine"] * 24_000
    lines[0] = "Traceback (most recent call last):"
    lines[11_999] = "WARN: slow"
    lines[23_999] = "ValueError: no"
    artifact = log("\n".join(lines).encode())
    shown = log_pages.read_page(artifact, 23_999, 5)

    assert (shown.n_errors, shown.n_warnings, shown.total) == (2, 1, 24_000)
    assert [line.mark for line in shown.lines] == [None, Mark.ERROR]
    found = log_marks.map_of(log_pages.load_index(artifact))
    assert (found.errors, found.warnings) == ([0, log_marks.N_BINS - 1], [119])


def test_a_map_of_many_marks_stays_small(log: Any) -> None:
    artifact = log(b"ERROR and WARN on each line of a log with nothing else in it\n" * 90_000)
    found = log_marks.map_of(log_pages.load_index(artifact))

    assert found.errors == found.warnings
    assert log_marks.MAX_MAP_BLOCKS < len(found.errors) <= log_marks.N_BINS
    assert found.errors[-1] >= log_marks.N_BINS - 4


def test_more_of_a_line_is_read_piece_by_piece(log: Any) -> None:
    long, bar = "0123456789" * 20_000, "\r".join(f"{i}%" for i in range(500))
    artifact = log(f"{long}\n{bar}\n\n".encode())
    index = log_pages.load_index(artifact)
    seen, whole = "", log_pages.read_whole_line(index, 1)
    while whole and whole.end < whole.line_end:
        seen += whole.states[0].text
        whole = log_pages.read_whole_line(index, 1, offset=whole.end - whole.line_start)
    assert whole
    assert seen + whole.states[0].text == long

    states = log_pages.read_whole_line(index, 2)
    assert states
    assert states.has_states
    assert [line.text for line in states.states][-2:] == ["498%", "499%"]
    assert len(states.states) == log_pages.MAX_STATES
    assert log_pages.read_whole_line(index, 9) is None


def test_a_file_that_vanishes_or_shrinks_has_the_lines_it_has(log: Any) -> None:
    artifact = log(b"a line of it\n" * 20_000)
    path = Path(store().root) / artifact.blob_key  # type: ignore[attr-defined]
    index = log_pages.load_index(artifact)
    path.write_bytes(b"short\n")
    assert log_pages.page_of(artifact, index, 15_000, 10).lines == []
    assert texts(log_pages.read_page(artifact, 1, 10)) == ["short"]
    path.unlink()
    assert log_pages.page_of(artifact, index, 1, 10) == LogPage(1)
    assert log_pages.read_page(artifact, 5, 10).total == 0

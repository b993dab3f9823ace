"""Pieces of text of a bounded size, with line numbers."""

from typing import Any

import pytest

from studio.artifacts import viewing
from studio.artifacts.logs import append_log
from studio.artifacts.models import MAIN_LOG
from tests import make


@pytest.fixture
def log(run: Any, people: Any) -> Any:
    """A log of the given bytes."""

    def write(data: bytes) -> Any:
        append_log(run, MAIN_LOG, 0, data, by=make.actor(people.bob))
        return run.artifacts.get()

    return write


def texts(shown: viewing.Shown) -> list[str]:
    return [line.text for _, line in shown.lines]


def numbers(shown: viewing.Shown) -> list[int | None]:
    return [number for number, _ in shown.lines]


def test_the_pieces_from_the_end_to_the_beginning_are_the_whole_log(log: Any) -> None:
    lines = [f"line {i} " + "x" * (i % 200) for i in range(1, 20_001)]
    artifact = log("\n".join(lines).encode() + b"\n")
    seen: list[str] = []
    expected, before = 20_001, None
    while before != 0:
        window = viewing.window_to_show(artifact, before=before)
        assert window.data
        number = viewing.number_at(artifact, window.start)
        shown = viewing.shown(window, follows=False, number=number)
        assert len(shown.lines) <= viewing.PIECE_LINES
        expected -= len(shown.lines)
        assert numbers(shown)[0] == expected
        seen[:0] = texts(shown)
        before = window.start
    assert seen == lines


def test_following_never_drops_or_repeats_a_line(run: Any, people: Any) -> None:
    """A page that polls while pieces arrive, cut anywhere, also within a character."""
    lines = [f"é{i}" for i in range(500)]
    data = ("\n".join(lines) + "\n").encode()
    by = make.actor(people.bob)
    at, after, number, seen = 0, 0, 1, []
    while at < len(data):
        at = append_log(run, MAIN_LOG, at, data[at : at + 37], by=by)
        shown = viewing.later(run.artifacts.get(), after, follows=True, number=number)
        assert not shown.n_skipped
        assert numbers(shown) == list(range(number, number + len(shown.lines)))
        seen += texts(shown)
        after, number = shown.end, shown.next_number
    assert seen == lines


def test_a_line_still_being_written_stands_apart_until_the_run_is_over(log: Any) -> None:
    artifact = log(b"one\n10%\r20%")
    live = viewing.later(artifact, 0, follows=True, number=1)
    assert (texts(live), live.end, live.next_number) == (["one"], 4, 2)
    assert live.partial is not None
    assert live.partial.text == "20%"
    over = viewing.later(artifact, 4, follows=False, number=2)
    assert (texts(over), over.partial, numbers(over)) == (["20%"], None, [2])


def test_a_flood_is_skipped_over_and_the_numbers_stay_right(log: Any) -> None:
    artifact = log(b"".join(b"%d\n" % i for i in range(1, 200_001)))
    shown = viewing.later(artifact, 2, follows=True, number=2)
    assert texts(shown)[-1] == "200000"
    assert numbers(shown)[-1] == 200_000
    assert shown.n_skipped == shown.start - 2
    assert len(shown.lines) <= viewing.PIECE_LINES


@pytest.mark.parametrize(
    "data", [b"\n" * 300_000, b"x" * 1_000_000, b"\0" * 500_000, b"a\r" * 400_000, b"\xff\n" * 9]
)
def test_any_log_is_shown_in_a_bounded_piece(log: Any, data: bytes) -> None:
    artifact = log(data)
    shown = viewing.shown(viewing.window_to_show(artifact), follows=False, number=None)
    assert 1 <= len(shown.lines) <= viewing.PIECE_LINES
    assert sum(len(text) for text in texts(shown)) <= viewing.PIECE_BYTES


def test_far_into_a_file_lines_have_no_numbers(log: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(viewing, "COUNT_UP_TO_BYTES", 100)
    artifact = log(b"x\n" * 100_000)
    assert viewing.number_at(artifact, 50) == 26
    assert viewing.number_at(artifact, 150_000) is None


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n....", "image/png"),
        (b"\xff\xd8\xff\xe0....", "image/jpeg"),
        (b"GIF89a....", "image/gif"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
        (b"RIFF\x10\0\0\0WAVEfmt ", ""),
        (b"<svg xmlns=", ""),
        (b"<html>", ""),
        (b"", ""),
    ],
)
def test_images_are_known_by_their_first_bytes(log: Any, head: bytes, kind: str) -> None:
    assert viewing.image_type(log(head)) == kind

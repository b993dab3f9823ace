"""Terminal text as spans: every sequence is either a class or gone."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.artifacts.ansi import MAX_LINE_CHARACTERS, read_lines

CASES = {
    "plain": [("plain", "")],
    "\x1b[31mred\x1b[0m plain": [("red", "ansi-1"), (" plain", "")],
    "\x1b[1;32mok\x1b[m": [("ok", "ansi-2 ansi-bold")],
    "\x1b[91mbright": [("bright", "ansi-1")],
    "\x1b[2;3;4mx\x1b[22;23;24my": [("x", "ansi-faint ansi-italic ansi-underline"), ("y", "")],
    "\x1b[38;5;196mx": [("x", "ansi-1")],
    "\x1b[38;5;2mx": [("x", "ansi-2")],
    "\x1b[38:2:0:0:255mx": [("x", "ansi-4")],
    "\x1b[38;2;250;250;0mx": [("x", "ansi-3")],
    "\x1b[48;5;196mx": [("x", "")],
    "\x1b[48;5;1;31mx": [("x", "ansi-1")],
    "\x1b[38;5mx": [("x", "ansi-0")],
    "\x1b[31mx\x1b[39my": [("x", "ansi-1"), ("y", "")],
    "\x1b[99999999999999999999999mx": [("x", "")],
    "a\x1b[2Kb\x1b[1Ac\x1b[?25ld": [("a", ""), ("b", ""), ("c", ""), ("d", "")],
    "a\x1b]8;;javascript:alert(1)\x07b\x1b]8;;\x1b\\c": [("a", ""), ("b", ""), ("c", "")],
    "\x1b]0;title\x07x": [("x", "")],
    "\x1b]never ends": [("never ends", "")],
    "cut \x1b[3": [("cut ", "")],
    "cut \x1b": [("cut ", "")],
    "\x1b(Bx": [("x", "")],
    "a\0b\x08\x9bc": [("a\ufffdb\ufffd\ufffdc", "")],
    "tab\there": [("tab\there", "")],
    "<script>alert(1)</script>": [("<script>alert(1)</script>", "")],
    "": [],
}


@pytest.mark.parametrize("text", CASES, ids=repr)
def test_a_line_becomes_these_spans(text: str) -> None:
    (line,) = read_lines(text + "\n")
    assert [(span.text, span.classes) for span in line.spans] == CASES[text]


@pytest.mark.parametrize(
    ("text", "lines", "folded"),
    [
        ("a\r\nb\r\n", ["a", "b"], [0, 0]),
        ("10%\r50%\r100%\n", ["100%"], [2]),
        ("10%\r50%\r", ["50%"], [1]),
        ("\r\r\rdone\n", ["done"], [0]),
        ("\n\na", ["", "", "a"], [0, 0, 0]),
        ("no end", ["no end"], [0]),
        ("", [], []),
    ],
    ids=repr,
)
def test_progress_bars_show_their_last_state(
    text: str, lines: list[str], folded: list[int]
) -> None:
    found = read_lines(text)
    assert [line.text for line in found] == lines
    assert [line.n_folded for line in found] == folded


def test_a_style_goes_on_over_line_ends_and_folded_states() -> None:
    first, second, third = read_lines("\x1b[31mred\nstill\n1\x1b[0m\rplain\n")
    assert second.spans[0].classes == first.spans[0].classes == "ansi-1"
    assert third.spans[0].classes == ""


def test_a_line_of_a_million_characters_is_cut_and_says_so() -> None:
    (line,) = read_lines("x" * 1_000_000)
    assert line.is_cut
    assert len(line.text) == MAX_LINE_CHARACTERS


@pytest.mark.parametrize(
    "unit", ["\x1b]", "\x1b[", "\x1b", "\x1b[38;", "\x1bP\x1b", "\r", "\x1b[;"]
)
def test_endless_unfinished_sequences_are_read_to_their_end(unit: str) -> None:
    lines = read_lines("\n".join([unit * 100_000] * 20))
    assert len(lines) == 20


@given(st.text())
def test_nothing_raises_and_no_control_character_is_left(text: str) -> None:
    for line in read_lines(text):
        assert not re.search("[\x00-\x08\x0a-\x1f\x7f-\x9f]", line.text)


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=500))
def test_text_without_escapes_is_kept(text: str) -> None:
    assert "\n".join(line.text for line in read_lines(text + "\n")) == text


ESCAPES = st.sampled_from(["\x1b[31m", "\x1b[0m", "\x1b[38;5;9m", "\x1b[2K", "\x1b[1m"])


@given(st.lists(st.one_of(ESCAPES, st.text(st.characters(categories=["L", "N"])))))
def test_escapes_take_no_text_with_them(pieces: list[str]) -> None:
    words = "".join(piece for piece in pieces if not piece.startswith("\x1b"))
    (line,) = read_lines("".join(pieces) + "\n")
    assert line.text == words

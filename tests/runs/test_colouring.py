"""Source text in colours: the text stays what it is, whatever it holds."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.runs import coloured_lines, colouring
from studio.runs.colouring import COLOURED, LANGUAGES, language_of
from tests.architecture.sources import ROOT

SOURCE = (ROOT / "studio" / "runs" / "models.py").read_text()
PIECES = st.sampled_from(
    ['"""', "'", "{", "}", "\\", "\n", "# ", "<a>", "$(", "\t", "数", "/*", "-"]
)


def text_of(lines: list[list[colouring.Span]]) -> str:
    return "\n".join("".join(text for _, text in line) for line in lines)


@pytest.mark.parametrize(
    ("path", "language"),
    [("a/train.py", "python"), ("A.PY", "python"), ("x/Dockerfile", "docker"), ("a.b.yml", "yaml"),
     ("LICENSE", ""), ("py", "python"), ("a.py/data", ""), ("", ""), ("a.unknown", "")],
)  # fmt: skip
def test_the_name_tells_the_language(path: str, language: str) -> None:
    assert language_of(path) == language


@pytest.mark.parametrize("language", sorted({*LANGUAGES.values()}))
def test_every_language_is_known_and_keeps_the_text(language: str) -> None:
    assert text_of(colouring.coloured(SOURCE, language)) == SOURCE.rstrip("\n")


@given(st.lists(PIECES, max_size=40), st.sampled_from(sorted({*LANGUAGES.values()})))
def test_half_finished_text_stays_what_it_is(pieces: list[str], language: str) -> None:
    text = "".join(pieces)

    assert text_of(colouring.coloured(text, language)) == text_of(colouring.plain(text))
    assert text_of(colouring.plain(text)) == text.removesuffix("\n")


def test_every_class_has_a_colour() -> None:
    css = Path(ROOT / "static" / "css" / "highlight.css").read_text()

    assert {*re.findall(r"\.([a-z]\w?\w?)\b", css)} - {"hl"} >= COLOURED


def test_python_has_colours_and_carriage_returns_go() -> None:
    lines = coloured_lines.coloured("import os\r\nx = 1\r\n", "python")

    assert lines == [[("kn", "import "), ("nn", "os")], [("", "x "), ("o", "= "), ("mi", "1")]]


@pytest.mark.parametrize("language", ["", "no-such-language"])
def test_without_a_language_the_text_is_plain(language: str) -> None:
    assert coloured_lines.coloured("import os\n", language) == [[("", "import os")]]


def test_a_very_long_text_is_plain() -> None:
    lines = coloured_lines.coloured("x = 1\n" * 60_000, "python")

    assert len(lines) == 60_000
    assert lines[0] == [("", "x = 1")]


def test_what_takes_too_long_is_plain() -> None:
    """Each line is searched again from its start: the time grows with the square."""
    slow = "<" * 200_000

    assert text_of(coloured_lines.coloured(slow, "html")) == slow

"""Labels: what a file of a run may be called."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.artifacts.paths import clean_path, storable_path
from studio.runs.limits import Invalid

REFUSED = [
    "", " ", "/", "/etc/passwd", "a/", "a//b", ".", "..", "../a", "a/../b", "a/..", "./a", "a/./b",
    "a\0b", "a\nb", "a\rb", "a\x1b[2Jb", "a\x7f", "a\x85b", "a\ud800b", "a/\u200b/b", "x" * 5_001,
    "file:///etc/passwd",
]  # fmt: skip
LITERAL = [
    "..%2f..%2fetc/passwd", "%2e%2e", "%252e%252e%252f", "..\\..\\windows", "C:\\x", "\\\\host\\x",
    "~/x", "...", "a..b", "..a", "-rf", "con", "a b", "a'b\"c<d>&e", "файл.txt", "日本/🦀.txt",
    "x" * 5_000, "$(id)", "a;b", "#", "?a=b",
]  # fmt: skip


@pytest.mark.parametrize("label", REFUSED, ids=repr)
def test_a_label_that_is_no_plain_relative_path_is_refused(label: str) -> None:
    with pytest.raises(Invalid) as refused:
        clean_path(label)
    assert refused.value.field == "path"


@pytest.mark.parametrize("label", LITERAL, ids=lambda label: label[:30])
def test_everything_else_is_taken_literally(label: str) -> None:
    assert clean_path(label) == label


def test_both_forms_of_a_letter_are_one_label() -> None:
    assert clean_path(unicodedata.normalize("NFD", "é.txt")) == "é.txt"


def test_something_else_than_text_is_refused() -> None:
    with pytest.raises(Invalid):
        clean_path(b"a")


@given(st.text(min_size=1, max_size=60))
def test_a_cleaned_label_stays_as_it_is_and_never_climbs(label: str) -> None:
    try:
        cleaned = clean_path(label)
    except Invalid:
        return
    assert clean_path(cleaned) == cleaned
    assert not {"", ".", ".."} & set(cleaned.split("/"))


@given(
    st.lists(
        st.text(st.characters(exclude_characters="/\0"), min_size=1).filter(
            lambda part: part not in {".", ".."}
        ),
        min_size=1,
        max_size=5,
    )
)
def test_every_name_a_disk_can_hold_becomes_a_label(parts: list[str]) -> None:
    found = storable_path("/".join(parts))
    assert clean_path(found) == found

"""YAML of mappings, lists and texts: read from anybody, written for diffs."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from studio.custom_views import plain_yaml
from studio.custom_views.plain_yaml import MAX_BYTES, read, write
from studio.runs.limits import Invalid

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=40) | st.text(
    " \n\t\r\x85\u2028\ufeff:#-'\"|>~é😀", max_size=12
)
TREES = st.recursive(
    TEXTS,
    lambda some: st.lists(some, max_size=3) | st.dictionaries(TEXTS, some, max_size=3),
    max_leaves=8,
).filter(lambda tree: depth(tree) <= plain_yaml.MAX_DEPTH)


def depth(tree: Any) -> int:
    inner = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    return 1 + max(map(depth, inner), default=0)


@given(TREES)
def test_what_is_written_is_read_back(tree: Any) -> None:
    text = write(tree)

    assert read(text) == read(text.encode()) == tree
    assert write(read(text)) == text


@given(TREES)
def test_the_reader_in_python_reads_the_same(tree: Any) -> None:
    assert yaml.safe_load(write(tree)) == tree


@given(st.text(max_size=60) | st.text("[]{}:-&*!?|>'\"%@ \nab", max_size=60) | st.binary())
def test_any_text_is_read_or_refused(text: str | bytes) -> None:
    with suppress(Invalid):
        found = read(text)
        assert read(write(found)) == found


def test_a_text_of_several_lines_is_a_block() -> None:
    assert write({"a": "one\ntwo", "b": "x" * 300}) == f"a: |-\n  one\n  two\nb: {'x' * 300}\n"


def test_values_are_texts_as_they_stand_and_null_is_none() -> None:
    text = "a: yes\nb: 1e3\nc: 2026-01-01\nd:\ne: null\nf: 'null'\ng: 0x1F"

    assert read(text) == {
        **{"a": "yes", "b": "1e3", "c": "2026-01-01", "d": ""},
        **{"e": "", "f": "null", "g": "0x1F"},
    }


BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]"
REFUSED: dict[str, tuple[str | bytes, str]] = {
    "nothing": ("", "empty"),
    "only a comment": ("# x", "empty"),
    "an alias bomb": (BOMB, "Line 1: Anchors"),
    "an alias": ("a: *b", "aliases"),
    "an object": ("a: !!python/object/apply:os.system [ls]", "Tags such as"),
    "a tag of its own": ("a:\n  !secret b", "Line 2: Tags such as !secret"),
    "a key twice": ("a: 1\nb: 2\na: 3", "Line 3: “a” comes twice"),
    "a key that is a list": ("? [a]\n: b", "A key is a text"),
    "two documents": ("--- a\n--- b", "second document"),
    "a broken list": ("a:\n- b: [", r"Line \d: this is not YAML"),
    "a control character": ("a: \x07", "not YAML"),
    "an escaped NUL": ('a: "\\0"', "can't be stored"),
    "half a character": ("a: \ud800", "not text in UTF-8"),
    "Latin-1": ("a: é".encode("latin-1"), "not text in UTF-8"),
    "a megabyte": ("a: " + "x" * MAX_BYTES, "1,000,003 bytes"),
    "lists in lists": ("[" * 100_000, "more than 8 deep"),
    "mappings in mappings": ("{" * 100_000, "more than 8 deep"),
    "blocks in blocks": ("- " * 100_000, "more than 8 deep"),
    "keys in keys": ("? " * 100_000, "more than 8 deep"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("loader", [yaml.SafeLoader, plain_yaml._LOADER])
def test_what_could_do_harm_is_refused_with_its_line(
    loader: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain_yaml, "_LOADER", loader)
    text, told = REFUSED[name]

    with pytest.raises(Invalid, match=told) as refused:
        read(text)

    assert refused.value.field == "document"


def test_the_deepest_that_is_read() -> None:
    nested: Callable[[int], str] = lambda n: "[" * n + "x" + "]" * n  # noqa: E731

    assert read(nested(plain_yaml.MAX_DEPTH))
    with pytest.raises(Invalid):
        read(nested(plain_yaml.MAX_DEPTH + 1))

"""docs/search.md says what the grammar does: its examples parse and nothing is left out."""

import re
from pathlib import Path

import pytest

from studio.search.columns import ATTRIBUTES, STATS, parse_columns
from studio.search.grouping import FAMILIES, parse_group
from studio.search.order import parse_order
from studio.search.syntax import parse
from studio.search.tree import FLAGS, NAMED_KEYS, PLAIN_KEYS, Op, Term, leaves

PAGE = (Path(__file__).parents[2] / "docs" / "search.md").read_text(encoding="utf-8")


def examples(kind: str) -> list[str]:
    """The lines of the page's blocks of a kind."""
    blocks = re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


EXAMPLES = examples("search")
TERMS = [leaf for text in EXAMPLES for leaf in leaves(parse(text)) if isinstance(leaf, Term)]


@pytest.mark.parametrize("text", EXAMPLES)
def test_an_example_of_the_page_parses(text: str) -> None:
    assert parse(text) is not None


def test_every_key_operator_and_flag_has_an_example_on_the_page() -> None:
    assert {term.key.family for term in TERMS} == {*PLAIN_KEYS, *NAMED_KEYS}
    assert {term.op for term in TERMS} == set(Op)
    assert {flag for term in TERMS if term.key.family == "is" for flag in term.values} == set(FLAGS)


def test_every_query_in_the_text_and_tables_of_the_page_parses() -> None:
    prose = re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)
    spans = [text.replace("\\|", "|") for text in re.findall(r"`([^`\n]+)`", prose)]
    queries = [text for text in spans if re.match(r"-?[a-z]+(\.[a-z]+)?(:|!=|<|~|\^=)\S", text)]
    assert len(queries) >= 10
    for text in queries:
        assert parse(text) is not None


def test_every_column_has_an_example_on_the_page() -> None:
    shown = [column for text in examples("columns") for column in parse_columns(text)]
    assert {column.family for column in shown} == {*ATTRIBUTES, *NAMED_KEYS}
    assert {column.stat for column in shown} == set(STATS)


@pytest.mark.parametrize("text", examples("order"))
def test_an_order_of_the_page_parses(text: str) -> None:
    assert parse_order(text)


def test_everything_that_groups_has_an_example_on_the_page() -> None:
    keys = [key for text in examples("group") for key in parse_group(text)]
    assert {key.family for key in keys} == set(FAMILIES)

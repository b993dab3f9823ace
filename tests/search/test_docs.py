"""docs/search.md says what the grammar does: its examples parse and nothing is left out."""

import re
from pathlib import Path

import pytest

from studio.search.syntax import parse
from studio.search.tree import ALIASES, FLAGS, NAMED_KEYS, PLAIN_KEYS, Op, Term, leaves

PAGE = (Path(__file__).parents[2] / "docs" / "search.md").read_text(encoding="utf-8")
EXAMPLES = [
    line
    for block in re.findall(r"^```search\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]
TERMS = [leaf for text in EXAMPLES for leaf in leaves(parse(text)) if isinstance(leaf, Term)]


@pytest.mark.parametrize("text", EXAMPLES)
def test_an_example_of_the_page_parses(text: str) -> None:
    assert parse(text) is not None


def test_every_key_operator_flag_and_alias_the_page_names_has_an_example() -> None:
    assert {term.key.family for term in TERMS} == {*PLAIN_KEYS, *NAMED_KEYS}
    assert {term.op for term in TERMS} == set(Op)
    assert {flag for term in TERMS if term.key.family == "is" for flag in term.values} == set(FLAGS)
    assert {"id", "parameter"} <= set(ALIASES)


def test_every_query_in_the_running_text_and_tables_parses() -> None:
    quoted = re.findall(
        r"`([^`\n]+:[^`\n]+|[^`\n]+<\d[^`\n]*)`", re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)
    )
    queries = [text.replace("\\|", "|") for text in quoted if re.match(r"-?[a-z]+[.:~<]", text)]
    assert len(queries) >= 5
    assert [text for text in queries if "NAME" not in text and parse(text) is None] == []

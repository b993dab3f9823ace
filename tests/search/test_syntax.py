"""Query text to tree and back."""

import subprocess
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from studio.search.errors import SearchSyntaxError
from studio.search.pills import negate, pills, replace, with_term, without
from studio.search.printer import print_key, print_query
from studio.search.scanner import MAX_CHARACTERS
from studio.search.syntax import MAX_DEPTH, MAX_TERMS, parse, parse_key
from studio.search.tree import (
    FLAGS,
    LIST_OPS,
    NAMED_KEYS,
    PLAIN_KEYS,
    And,
    Key,
    Node,
    Not,
    Op,
    Or,
    Term,
    Word,
    all_of,
    any_of,
    leaves,
)
from tests.search.cases import FAILED, GOOD, WRONG, A, B, C, term

# Trees


def texts(min_size: int = 1) -> st.SearchStrategy[str]:
    signs = st.sampled_from([*"ab.:|=<>~!^()\"'\\- /&", "or", "AND", "min", "..", "tag."])
    character = st.characters(codec="utf-8", exclude_characters="\x00")
    return st.lists(signs | character, min_size=min_size, max_size=5).map("".join)


def keys() -> st.SearchStrategy[Key]:
    plain = st.sampled_from([key for key in PLAIN_KEYS if key not in ("is", "log")]).map(Key)
    named = st.builds(Key, st.sampled_from(NAMED_KEYS), texts())
    metric = st.builds(Key, st.just("metric"), texts(), st.sampled_from(["", "min", "max"]))
    return plain | named | metric


def terms() -> st.SearchStrategy[Term]:
    equals = st.sampled_from([Op.EQ, Op.NE])
    ranges = st.tuples(texts(0), texts(0)).filter(any)
    single = st.sampled_from([op for op in Op if op not in (Op.RANGE, Op.HAS)])
    many = st.sampled_from(sorted(LIST_OPS))
    return st.one_of(
        st.builds(Term, keys(), equals, st.tuples(texts(0))),
        st.builds(Term, keys(), single, st.tuples(texts())),
        st.builds(Term, keys(), many, st.lists(texts(), min_size=1, max_size=3).map(tuple)),
        st.builds(Term, keys(), st.just(Op.RANGE), ranges),
        st.builds(Term, keys().filter(lambda key: not key.stat), st.just(Op.HAS)),
        st.builds(Term, st.just(Key("is")), st.just(Op.EQ), st.tuples(st.sampled_from(FLAGS))),
        st.builds(Term, st.just(Key("log")), st.just(Op.CONTAINS), st.tuples(texts())),
    )


def trees() -> st.SearchStrategy[Node]:
    def grow(children: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
        several = st.lists(children, min_size=2, max_size=4)
        return several.map(all_of) | several.map(any_of) | children.map(negate)

    return st.recursive(st.builds(Word, texts()) | terms(), grow, max_leaves=12)


def nodes(node: Node) -> list[Node]:
    if isinstance(node, And | Or):
        return [node, *(below for child in node.children for below in nodes(child))]
    return [node, *nodes(node.child)] if isinstance(node, Not) else [node]


def parsed(text: str) -> tuple[Node | None, SearchSyntaxError | None]:
    try:
        return parse(text), None
    except SearchSyntaxError as error:
        return None, error


# Tables


@pytest.mark.parametrize(("text", "tree", "canonical"), GOOD, ids=[case[0] for case in GOOD])
def test_text_becomes_its_tree_and_its_canonical_text(
    text: str, tree: Node, canonical: str | None
) -> None:
    assert parse(text) == tree
    assert print_query(tree) == (text if canonical is None else canonical)
    assert parse(print_query(tree)) == tree


@pytest.mark.parametrize(("text", "position", "part"), WRONG, ids=[ascii(c[0]) for c in WRONG])
def test_a_wrong_text_says_where_and_what_and_shows_a_correct_example(
    text: str, position: int, part: str
) -> None:
    with pytest.raises(SearchSyntaxError) as caught:
        parse(text)
    error = caught.value
    assert part in error.message
    assert error.position == position
    assert error.position + error.length <= len(text)
    assert parse(error.example) is not None


@pytest.mark.parametrize(
    ("text", "example_text"),
    [
        ("lr>=1e-4 a", "param.lr>=1e-4"),
        ("lr:a|b", "param.lr:1"),
        ("has:quality", "has:tag.quality"),
        ("http://x.org a", '"http://x.org"'),
        ("metric.loss:min", "metric.loss:min<0.3"),
        ('tag."a b"', 'tag."a b":yes'),
        ('metric."val/acc".max>1', 'metric."best loss":min<0.3'),
    ],
)
def test_the_example_takes_up_what_was_written(text: str, example_text: str) -> None:
    with pytest.raises(SearchSyntaxError) as caught:
        parse(text)
    assert caught.value.example == example_text


@pytest.mark.parametrize("text", ["", " ", "\n\t "])
def test_an_empty_text_is_no_query(text: str) -> None:
    assert parse(text) is None
    assert print_query(None) == ""


# Limits


def test_the_longest_text_parses_and_one_character_more_does_not() -> None:
    assert parse("a" * MAX_CHARACTERS) == Word("a" * MAX_CHARACTERS)
    with pytest.raises(SearchSyntaxError, match="at most 4,000") as caught:
        parse("a" * (MAX_CHARACTERS + 1))
    assert (caught.value.position, caught.value.length) == (MAX_CHARACTERS, 1)


@pytest.mark.parametrize("joint", [" ", "|"])
def test_the_most_words_or_values_parse_and_one_more_does_not(joint: str) -> None:
    head = "uid:" if joint == "|" else ""
    assert parse(head + joint.join("a" * MAX_TERMS)) is not None
    with pytest.raises(SearchSyntaxError, match="more than 200"):
        parse(head + joint.join("a" * (MAX_TERMS + 1)))


@pytest.mark.parametrize(("opening", "closing"), [("(", ")"), ("-", ""), ("NOT ", ""), ("-(", ")")])
def test_the_deepest_text_parses_and_one_level_more_does_not(opening: str, closing: str) -> None:
    n_levels = MAX_DEPTH // (2 if opening == "-(" else 1)
    assert parse(opening * n_levels + "a" + closing * n_levels) is not None
    for n_more in (1, 900):
        n = n_levels + n_more
        with pytest.raises(SearchSyntaxError, match="nested more than 50"):
            parse(opening * n + "a" + closing * n)


def test_the_deepest_tree_prints_no_deeper_than_its_text() -> None:
    text = "a (b OR " * (MAX_DEPTH) + "c" + ")" * MAX_DEPTH
    tree = parse(text)
    assert print_query(tree) == text
    assert len(list(leaves(tree))) == 2 * MAX_DEPTH + 1


# Properties


@settings(max_examples=300, deadline=None)
@given(trees())
def test_any_tree_comes_back_from_its_text(tree: Node) -> None:
    text = print_query(tree)
    assert parse(text) == tree
    assert print_query(parse(text)) == text


PIECES = [
    *("a", "status", "tag.", "param.", "metric.loss", "has", "is", "log", "AND", "OR", "NOT"),
    *("starred", "1e-4", "-7d", "min", ":min", '"x', 'y"', '"', "'", "\\", "..", "(", ")"),
    *(":", "=", "!=", "<", ">", "~", "^=", "|", "-", " ", "  ", "\n"),
]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(PIECES), max_size=14).map("".join)
    | st.text(st.characters(), max_size=40)
)
@example("tag.x:\ud800")
@example("status:\x00")
def test_arbitrary_text_parses_or_is_explained(text: str) -> None:
    tree, error = parsed(text)
    if error is not None:
        assert 0 <= error.position <= error.position + error.length <= len(text)
        assert error.message
        assert parse(error.example) is not None
        return
    if tree is None:
        assert not text.strip()
        return
    assert parse(print_query(tree)) == tree
    for node in nodes(tree):
        assert 0 <= node.span.start < node.span.end <= len(text)
        if isinstance(node, Term):
            assert node.span.start <= node.value_span.start <= node.value_span.end <= node.span.end


@settings(deadline=None)
@given(keys().filter(lambda key: key.name or key.family in PLAIN_KEYS))
def test_any_key_comes_back_from_its_text(key: Key) -> None:
    assert parse_key(print_key(key)) == key


# Spans


def test_spans_cover_exactly_what_was_read() -> None:
    text = ' -(status: failed|queued "a b") has:tag.x'
    tree = parse(text)
    assert isinstance(tree, And)
    assert [text[slice(*pill.span)] for pill in tree.children] == [
        '-(status: failed|queued "a b")',
        "has:tag.x",
    ]
    status, phrase, has = leaves(tree)
    assert isinstance(status, Term)
    assert text[slice(*status.span)] == "status: failed|queued"
    assert text[slice(*status.value_span)] == "failed|queued"
    assert text[slice(*phrase.span)] == '"a b"'
    assert isinstance(has, Term)
    assert text[slice(*has.value_span)] == "tag.x"


# Purity


def test_the_grammar_needs_no_framework() -> None:
    program = (
        "import sys, studio.search.syntax, studio.search.pills, studio.search.values;"
        "sys.exit(any(name.partition('.')[0] in ('django', 'celery') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


# Keys


@pytest.mark.parametrize("text", ["", "tag", "tag.", "lr", "status x", "metric.a:mean", "tag.a:b"])
def test_text_that_is_not_one_key_is_refused(text: str) -> None:
    with pytest.raises(SearchSyntaxError) as caught:
        parse_key(text)
    assert parse(caught.value.example) is not None


def test_a_key_may_name_the_lowest_value_of_a_metric() -> None:
    assert parse_key("metrics.val/loss:MIN") == Key("metric", "val/loss", "min")


# Nodes refuse what has no text


@pytest.mark.parametrize(
    ("key", "op", "values"),
    [
        ("status", Op.EQ, ()),
        ("status", Op.LT, ("a", "b")),
        ("status", Op.CONTAINS, ("",)),
        ("status", Op.RANGE, ("", "")),
        ("status", Op.HAS, ("x",)),
        ("tag", Op.EQ, ("x",)),
        ("is", Op.EQ, ("fast",)),
        ("is", Op.HAS, ()),
        ("log", Op.EQ, ("x",)),
        ("tag.x", Op.EQ, ("\x00",)),
    ],
)
def test_a_term_that_no_text_can_say_is_refused(key: str, op: Op, values: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"."):
        term(key, op, *values)


def test_nodes_out_of_normal_form_are_refused() -> None:
    for build in (
        lambda: And((A,)),
        lambda: And((A, And((B, C)))),  # type: ignore[arg-type]
        lambda: Or((A, Or((B, C)))),  # type: ignore[arg-type]
        lambda: Not(Not(A)),  # type: ignore[arg-type]
        lambda: Word(""),
        lambda: Key("nothing"),
        lambda: Key("status", "x"),
        lambda: Key("tag", "x", "min"),
    ):
        with pytest.raises((ValueError, TypeError)):
            build()


# Pills


def edited(text: str) -> Node:
    tree = parse(text)
    assert tree is not None
    return tree


def test_pills_are_the_conditions_that_must_all_hold() -> None:
    assert pills(None) == ()
    assert pills(A) == (A,)
    assert pills(edited("a -b (c OR d)")) == (A, Not(B), Or((C, Word("d"))))
    assert pills(edited("a OR b")) == (Or((A, B)),)


def test_a_pill_is_removed_without_touching_the_others() -> None:
    tree = edited("a status:failed c")
    assert print_query(without(tree, 1)) == "a c"
    assert without(without(without(tree, 0), 0), 0) is None


def test_removing_a_pill_beside_a_group_keeps_the_group() -> None:
    assert print_query(without(edited("a (b OR c)"), 0)) == "b OR c"


def test_a_condition_is_added_once_and_last() -> None:
    assert with_term(None, A) == A
    assert print_query(with_term(edited("a OR b"), FAILED)) == "(a OR b) status:failed"
    once = with_term(edited("a b"), FAILED)
    assert with_term(once, FAILED) == once


def test_a_pill_is_replaced_in_its_place() -> None:
    assert print_query(replace(edited("a status:failed c"), 1, edited("x OR y"))) == "a (x OR y) c"
    assert print_query(replace(edited("a b"), 0, edited("x y"))) == "x y b"
    assert replace(A, 0, B) == B


def test_a_pill_is_negated_and_back() -> None:
    assert print_query(negate(FAILED)) == "-status:failed"
    assert negate(negate(FAILED)) == FAILED
    assert print_query(negate(edited("a OR b"))) == "-(a OR b)"


@pytest.mark.parametrize("index", [-1, 2])
def test_a_pill_that_is_not_there_is_an_error(index: int) -> None:
    with pytest.raises(IndexError, match="no pill"):
        without(edited("a b"), index)

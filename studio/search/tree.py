"""The search tree: what a query means, free of text, database and framework.

Every tree is in normal form, because the nodes refuse anything else: an And holds no And, an Or
holds no Or, both hold two or more nodes, and a Not holds no Not. Build with `all_of`, `any_of`
and `negate`, which bring their arguments into that form.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple

PLAIN_KEYS = (
    "status",
    "experiment",
    "submitter",
    "target",
    "type",
    "name",
    "description",
    "uid",
    "number",
    "submitted",
    "started",
    "ended",
    "duration",
    "parent",
    "children",
    "is",
    "log",
)
NAMED_KEYS = ("tag", "property", "param", "metric")
ALIASES = {
    "id": "uid",
    "display_name": "name",
    "tags": "tag",
    "properties": "property",
    "params": "param",
    "parameter": "param",
    "parameters": "param",
    "metrics": "metric",
}
FLAGS = ("starred", "archived", "mine")

# PostgreSQL refuses NUL, and no database takes half of a surrogate pair.
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class Op(StrEnum):
    """How a term compares; the value is the canonical way to write it."""

    EQ = ":"
    NE = "!="
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="
    RANGE = ".."
    CONTAINS = "~"
    STARTS = "^="
    HAS = "has:"


LIST_OPS = frozenset({Op.EQ, Op.NE, Op.CONTAINS, Op.STARTS})


class Span(NamedTuple):
    """Characters start..end-1 of the text a node was read from."""

    start: int
    end: int


NOWHERE = Span(0, 0)


@dataclass(frozen=True, slots=True)
class Key:
    """What a term asks about: `status`, `tag.quality`, the lowest value of `metric.loss`.

    family: one of PLAIN_KEYS or NAMED_KEYS, never an alias; name: the part after the dot, ""
    for a plain key; stat: "min", "max" or "" (the last value), for metrics only.
    """

    family: str
    name: str = ""
    stat: str = ""

    def __post_init__(self) -> None:
        if self.family not in PLAIN_KEYS and self.family not in NAMED_KEYS:
            raise ValueError(f"unknown key {self.family!r}")
        if self.name and self.family not in NAMED_KEYS:
            raise ValueError(f"{self.family} takes no name")
        if self.stat not in ("", "min", "max") or (self.stat and self.family != "metric"):
            raise ValueError(f"{self.family} has no {self.stat!r}")
        _require_storable(self.name)


@dataclass(frozen=True, slots=True)
class Word:
    """Free text: one bare word or one quoted phrase, never empty."""

    text: str
    span: Span = field(default=NOWHERE, compare=False)

    def __post_init__(self) -> None:
        if not self.text:
            raise ValueError("a word cannot be empty")
        _require_storable(self.text)


@dataclass(frozen=True, slots=True)
class Term:
    """One condition on one key.

    values: EQ, NE, CONTAINS and STARTS take one or more (any of them; NE: none of them);
    LT, LE, GT and GE take one; RANGE takes (low, high), both included, "" for an open end;
    HAS takes none. Values stay text: `studio.search.values` converts them.
    """

    key: Key
    op: Op
    values: tuple[str, ...] = ()
    span: Span = field(default=NOWHERE, compare=False)
    value_span: Span = field(default=NOWHERE, compare=False)

    def __post_init__(self) -> None:
        problem = _term_problem(self.key, self.op, self.values)
        if problem:
            raise ValueError(problem)
        for value in self.values:
            _require_storable(value)

    @property
    def value(self) -> str:
        """The only value of a term that has exactly one."""
        (value,) = self.values
        return value

    @property
    def low(self) -> str | None:
        """The lower end of a range, None when open."""
        return self.values[0] or None

    @property
    def high(self) -> str | None:
        """The upper end of a range, None when open."""
        return self.values[1] or None


@dataclass(frozen=True, slots=True)
class Not:
    """Everything its child leaves out."""

    child: And | Or | Word | Term
    span: Span = field(default=NOWHERE, compare=False)

    def __post_init__(self) -> None:
        if isinstance(self.child, Not):
            raise TypeError("a Not holds no Not: use negate()")


@dataclass(frozen=True, slots=True)
class And:
    """What all of two or more children match."""

    children: tuple[Or | Not | Word | Term, ...]
    span: Span = field(default=NOWHERE, compare=False)

    def __post_init__(self) -> None:
        if len(self.children) < 2 or any(isinstance(child, And) for child in self.children):
            raise ValueError("an And holds two or more nodes and no And: use all_of()")


@dataclass(frozen=True, slots=True)
class Or:
    """What at least one of two or more children matches."""

    children: tuple[And | Not | Word | Term, ...]
    span: Span = field(default=NOWHERE, compare=False)

    def __post_init__(self) -> None:
        if len(self.children) < 2 or any(isinstance(child, Or) for child in self.children):
            raise ValueError("an Or holds two or more nodes and no Or: use any_of()")


Node = And | Or | Not | Word | Term


def all_of(nodes: Iterable[Node]) -> Node:
    """Return the one node that needs all of `nodes`, nested Ands merged; ValueError for none."""
    parts: list[Or | Not | Word | Term] = []
    for node in nodes:
        if isinstance(node, And):
            parts.extend(node.children)
        else:
            parts.append(node)
    if len(parts) == 1:
        return parts[0]
    return And(tuple(parts), span=_cover(parts))


def any_of(nodes: Iterable[Node]) -> Node:
    """Return the one node that needs any of `nodes`, nested Ors merged; ValueError for none."""
    parts: list[And | Not | Word | Term] = []
    for node in nodes:
        if isinstance(node, Or):
            parts.extend(node.children)
        else:
            parts.append(node)
    if len(parts) == 1:
        return parts[0]
    return Or(tuple(parts), span=_cover(parts))


def negate(node: Node) -> Node:
    """Return the opposite of a node; the opposite of a Not is its child."""
    if isinstance(node, Not):
        return replace(node.child, span=node.span)
    return Not(node, span=node.span)


def leaves(node: Node | None) -> Iterator[Word | Term]:
    """Yield every word and term of a tree, in the order of the text."""
    if isinstance(node, And | Or):
        for child in node.children:
            yield from leaves(child)
    elif isinstance(node, Not):
        yield from leaves(node.child)
    elif node is not None:
        yield node


def _cover(nodes: Iterable[Node]) -> Span:
    spans = [node.span for node in nodes if node.span != NOWHERE]
    if not spans:
        return NOWHERE
    return Span(min(span.start for span in spans), max(span.end for span in spans))


def _require_storable(text: str) -> None:
    if UNSTORABLE.search(text):
        raise ValueError("text holds a character that cannot be stored")


def _term_problem(key: Key, op: Op, values: tuple[str, ...]) -> str:
    """Return why key, op and values do not go together, or ""."""
    if op is Op.HAS:
        wrong = key.family in ("is", "log") or bool(key.stat) or bool(values)
        return "has: takes a key, without a value" if wrong else ""
    if key.family in NAMED_KEYS and not key.name:
        return f"{key.family} needs a name"
    if key.family == "is" and (op is not Op.EQ or not set(values) <= set(FLAGS)):
        return f"is: takes one of {', '.join(FLAGS)}"
    if key.family == "log" and op is not Op.CONTAINS:
        return "log takes only ~"
    return _values_problem(op, values)


def _values_problem(op: Op, values: tuple[str, ...]) -> str:
    if op is Op.RANGE:
        return "" if len(values) == 2 and any(values) else "a range has two ends, one may be open"
    if not values or (len(values) > 1 and op not in LIST_OPS):
        return f"{op} takes {'one or more values' if op in LIST_OPS else 'one value'}"
    if op not in (Op.EQ, Op.NE) and not all(values):
        return f"{op} takes no empty value"
    return ""

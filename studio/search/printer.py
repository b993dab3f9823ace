"""From the search tree to its canonical text: the shortest form that parses to the same tree."""

import re
from types import UnionType

from studio.search.tree import (
    ALIASES,
    NAMED_KEYS,
    And,
    Key,
    Node,
    Not,
    Op,
    Or,
    Term,
    Word,
)

RESERVED_WORDS = frozenset({"AND", "OR", "NOT", "&", "&&"})
# Opening marks that people type for quotes; only the straight double quote is one.
FALSE_QUOTES = "'‘’‚“”„«»`"

# The text of `metric.loss:min` after the colon, which reads as part of the key.
STAT = re.compile(r'\s*(min|max|last)(?=[\s()"|:=<>~]|!=|\^=|$)', re.IGNORECASE)

_BARE_WORD = re.compile(r'[^\s()"|:=<>~!^]+')
_BARE_VALUE = re.compile(r'[^\s()"|<>]+')
_UNSAFE_VALUE_STARTS = ("=", ":", "~", "!", "^", *FALSE_QUOTES)


def print_query(node: Node | None) -> str:
    """Return the canonical text of a tree: `parse(print_query(tree)) == tree`; "" for None."""
    match node:
        case None:
            return ""
        case Or(children=children):
            return " OR ".join(print_query(child) for child in children)
        case And(children=children):
            return " ".join(_grouped(child, Or) for child in children)
        case Not(child=child):
            return "-" + _grouped(child, And | Or)
        case Word(text=text):
            return text if is_bare_word(text) else quote(text)
        case Term():
            return _print_term(node)


def print_key(key: Key) -> str:
    """Return a key as text, its name quoted where needed: `metric."best loss":min`."""
    stat = f":{key.stat}" if key.stat else ""
    if not key.name:
        return key.family
    name = key.name if _BARE_WORD.fullmatch(key.name) else quote(key.name)
    return f"{key.family}.{name}{stat}"


def quote(text: str) -> str:
    """Return text in double quotes, with backslashes and quotes escaped."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def is_bare_word(text: str) -> bool:
    """Tell whether free text can stand in a query without quotes."""
    return (
        _BARE_WORD.fullmatch(text) is not None
        and not text.startswith(("-", *FALSE_QUOTES))
        and text.upper() not in RESERVED_WORDS
        and not is_named_key(text)
    )


def is_named_key(text: str) -> bool:
    """Tell whether text reads as a key with a name (`tag.quality`) and not as a word."""
    head, dot, _ = text.partition(".")
    family = head.lower()
    return bool(dot) and ALIASES.get(family, family) in NAMED_KEYS


def _grouped(node: Node, kinds: type | UnionType) -> str:
    text = print_query(node)
    return f"({text})" if isinstance(node, kinds) else text


def _print_term(term: Term) -> str:
    key = print_key(term.key)
    if term.op is Op.HAS:
        return f"has:{key}"
    if term.op is Op.RANGE:
        low, high = (_print_end(term.key, end) for end in term.values)
        return f"{key}:{low}..{high}"
    values = "|".join(_print_value(term.key, value) for value in term.values)
    return f"{key}{term.op}{values}"


def _print_value(key: Key, value: str) -> str:
    # metric.loss:min asks for the lowest value, metric.loss:"min" for the text.
    reads_as_stat = key.family == "metric" and STAT.match(value)
    return quote(value) if reads_as_stat or not _is_bare_value(value) else value


def _print_end(key: Key, end: str) -> str:
    # A dot beside the two dots of the range would move the cut: 1. and 5 print as "1."..5
    beside_dot = end.startswith(".") or end.endswith(".")
    return quote(end) if beside_dot else _print_value(key, end) if end else ""


def _is_bare_value(value: str) -> bool:
    return (
        _BARE_VALUE.fullmatch(value) is not None
        and ".." not in value
        and not value.startswith(_UNSAFE_VALUE_STARTS)
        and value.upper() not in RESERVED_WORDS
    )

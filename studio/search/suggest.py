"""What the search bar offers at the cursor: keys, then operators, then values of the workspace."""

import re
from dataclasses import dataclass
from typing import Literal

from studio.accounts.models import Workspace
from studio.search import distinct
from studio.search.errors import SearchSyntaxError
from studio.search.facets import matching, values_of
from studio.search.fields import FIELDS, Field
from studio.search.printer import print_key, print_query
from studio.search.syntax import parse_key
from studio.search.tree import ALIASES, NAMED_KEYS, UNSTORABLE, Key, Op, Term

MAX_SUGGESTIONS = 12
MAX_NAMES = 2_000

Kind = Literal["key", "operator", "value"]
_OPERATOR_WORDS = {
    Op.EQ: "is",
    Op.NE: "is not",
    Op.LT: "less than",
    Op.LE: "at most",
    Op.GT: "more than",
    Op.GE: "at least",
    Op.CONTAINS: "contains",
    Op.STARTS: "starts with",
}
_TIME_WORDS = {Op.LT: "before", Op.LE: "until", Op.GT: "after", Op.GE: "since"}
# What an empty box offers before all else: the keys that are asked for most.
_FIRST_KEYS = ("status", "tag", "metric", "param", "experiment", "submitter", "submitted", "is")
_TERM = re.compile(
    r'(?P<key>\w+(?:\.(?:"(?:[^"\\]|\\.)*"|[^\s:=<>~!^"|]+))?(?::(?:min|max)(?=[:=<>!]))?)'
    r"(?P<op>:<=|:>=|:<|:>|!=|<=|>=|\^=|[:=<>~])(?P<values>.*)",
    re.DOTALL | re.IGNORECASE,
)
# `metric.loss:min` is a key, though it looks like a key with a value.
_STAT = re.compile(r"^metrics?\..+:(min|max)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """`insert` replaces the characters start..end-1 of the text; `label` is what is shown."""

    insert: str
    label: str
    kind: Kind
    start: int
    end: int


def suggest(workspace: Workspace, text: str, cursor: int) -> list[Suggestion]:
    """Return at most 12 ways to go on at the cursor, best first; [] where none is known.

    Values come from all data of the workspace. Queries: at most 4, none of which reads more than
    a few thousand rows, however many runs there are. Never raises for what is typed.
    """
    if UNSTORABLE.search(text):
        return []
    start, end = _token(text, max(0, min(cursor, len(text))))
    typed = text[start : max(start, min(cursor, end))]
    found: list[tuple[str, str, Kind]]
    if _STAT.search(typed):
        found = _operators(typed)
    elif term := _TERM.fullmatch(typed):
        found = _after_operator(workspace, term)
    elif "." in typed:
        found = _names(workspace, typed)
    else:
        found = [*_operators(typed), *_keys(typed), *_values_anywhere(workspace, typed)]
    unique = dict.fromkeys(item for item in found if item[0] != typed)
    return [Suggestion(*item, start, end) for item in list(unique)[:MAX_SUGGESTIONS]]


def _token(text: str, cursor: int) -> tuple[int, int]:
    """Where the word or term around the cursor begins and ends; quotes hold spaces together."""
    start, in_quotes, i = 0, False, 0
    while i < cursor:
        if in_quotes and text[i] == "\\":
            i += 1
        elif text[i] == '"':
            in_quotes = not in_quotes
        elif not in_quotes and (text[i].isspace() or text[i] in "()"):
            start = i + 1
        i += 1
    start = min(start, cursor)
    if text[start : start + 1] == "-" and start < cursor:
        start += 1
    rest = re.match(r'[^\s()"]*', text[cursor:])
    return start, cursor if in_quotes or not rest else cursor + rest.end()


def _keys(typed: str) -> list[tuple[str, str, Kind]]:
    asked = typed.lower()
    found: list[tuple[str, str, Kind]] = []
    for field in FIELDS.values():
        aliases = [alias for alias, family in ALIASES.items() if family == field.family]
        names = [field.family, *aliases, *field.label.lower().split()]
        if any(name.startswith(asked) for name in names):
            ending = "." if field.family in NAMED_KEYS else "~" if Op.EQ not in field.ops else ":"
            found.append((field.family + ending, field.label, "key"))
    if "has".startswith(asked):
        found.append(("has:", "Has a tag, parameter, metric …", "key"))
    if asked:
        return sorted(found, key=lambda item: not item[0].startswith(asked))
    first = {key: place for place, key in enumerate(_FIRST_KEYS)}
    return sorted(found, key=lambda item: first.get(item[0].rstrip(".:"), len(first)))


def _names(workspace: Workspace, typed: str) -> list[tuple[str, str, Kind]]:
    """`tag.qu`: the names there are, and the operators once the name is one of them."""
    written, _, part = typed.partition(".")
    family = ALIASES.get(written.lower(), written.lower())
    if family not in NAMED_KEYS:
        return []
    part = part.strip('"').replace('\\"', '"').replace("\\\\", "\\")
    names = matching(part, _all_names(workspace, family, part))
    operators = _operators(typed) if part in names else []
    keys: list[tuple[str, str, Kind]] = [
        (print_key(Key(family, name)), name, "key") for name in names if name != part
    ]
    return [*operators, *keys]


def _all_names(workspace: Workspace, family: str, part: str) -> list[str]:
    """Names from the beginning of the alphabet, and those that begin as typed (2 queries)."""
    near = distinct.names(family, workspace.pk, start=part, limit=50) if part else []
    return [*near, *distinct.names(family, workspace.pk, limit=MAX_NAMES)]


def _operators(typed: str) -> list[tuple[str, str, Kind]]:
    """What may follow a key that is complete."""
    try:
        key = parse_key(typed)
    except SearchSyntaxError:
        return []
    field = FIELDS[key.family]
    if field.type == "flag":
        return []
    text = print_key(key)
    found: list[tuple[str, str, Kind]] = [
        (f"{text}{op}", f"{text} {_word(field, op)}", "operator")
        for op in field.ops
        if op is not Op.RANGE
    ]
    if key.family == "metric":
        found += [
            (f"{text}:{stat}<", f"{stat} of {key.name}", "operator") for stat in ("min", "max")
        ]
    return found


def _word(field: Field, op: Op) -> str:
    return _TIME_WORDS[op] if field.type == "time" and op in _TIME_WORDS else _OPERATOR_WORDS[op]


def _after_operator(workspace: Workspace, found: re.Match[str]) -> list[tuple[str, str, Kind]]:
    sign, rest = found["op"], found["values"]
    if found["key"].lower() == "has":
        names = _names(workspace, rest) if "." in rest else _keys(rest)
        keys = [(text.rstrip(":"), label) for text, label, kind in names if kind == "key"]
        return [
            (f"has:{text}", label, "key" if text.endswith(".") else "value")
            for text, label in keys
            if text not in ("has", "is")
        ]
    try:
        key = parse_key(found["key"])
    except SearchSyntaxError:
        return []
    before, bar, last = rest.rpartition("|")
    part = last.strip('"').replace('\\"', '"').replace("\\\\", "\\")
    # One more: what is typed already is not offered.
    values = values_of(workspace, key, part, MAX_SUGGESTIONS + 1)
    return [
        (f"{print_key(key)}{sign}{before}{bar}{_printed(key, value)}", value, "value")
        for value in values
        if value != part
    ]


def _printed(key: Key, value: str) -> str:
    """A value as it stands in a query, quoted where needed."""
    if key.family == "is":
        return value
    return print_query(Term(key, Op.EQ, (value,)))[len(print_key(key)) + 1 :]


def _values_anywhere(workspace: Workspace, typed: str) -> list[tuple[str, str, Kind]]:
    """What a bare word may mean: a status, an experiment, a person."""
    if len(typed) < 2 or typed.startswith('"'):
        return []
    found: list[tuple[str, str, Kind]] = []
    for family in ("status", "experiment", "submitter"):
        key = Key(family)
        for value in values_of(workspace, key, typed, 4):
            text = print_query(Term(key, Op.EQ, (value,)))
            found.append((text, f"{FIELDS[family].label}: {value}", "value"))
    return found

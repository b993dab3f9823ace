"""The form of one condition: what it holds, read from an address, and the condition it makes. Pure.

Each condition that a form can hold comes back from it unchanged; any other is edited as text.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from studio.search.errors import SearchSyntaxError
from studio.search.fields import FIELDS, ORDER, TEXT, Field
from studio.search.tree import NAMED_KEYS, UNSTORABLE, Key, Node, Not, Op, Term, negate
from studio.search.wrong import EXAMPLES

MAX_VALUES = 50
LONGEST = 500
# Operators of a form that are no operator of the grammar.
WITHIN, LACKS = "within", "lacks"
PERIODS = {
    "-1h": "Last hour",
    "today": "Today",
    "-7d": "Last 7 days",
    "-30d": "Last 30 days",
}
_CODES = {op: op.name.lower() for op in Op}
_OPS = {code: op for op, code in _CODES.items()}
_WORDS = {
    "eq": "is",
    "ne": "is not",
    "lt": "is less than",
    "le": "is at most",
    "gt": "is more than",
    "ge": "is at least",
    "range": "is between",
    "contains": "contains",
    "starts": "starts with",
    "has": "has any value",
    LACKS: "has no value",
    WITHIN: "is in the",
}
_TIME_WORDS = {"lt": "is before", "le": "is until", "gt": "is after", "ge": "is since"}
_CHILD_WORDS = {"has": "there are some", LACKS: "there are none"}
_ALWAYS_THERE = frozenset(
    {"status", "experiment", "submitter", "type", "name", "uid", "number", "submitted", "is"}
)
_UTC_MINUTE = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}Z", re.ASCII)
_PICKED = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?", re.ASCII)


class Query(Protocol):
    """What is read of an address: the last value of a name, and all."""

    def get(self, name: str, default: str, /) -> str: ...

    def getlist(self, name: str, /) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True)
class Filled:
    """The fields of the form. field: a family of keys; op: a code of `operators`; values: for those
    operators that take some; low, high: for "between"; is_negated: the condition is turned round.
    """

    field: str
    name: str = ""
    stat: str = ""
    op: str = ""
    values: tuple[str, ...] = ()
    low: str = ""
    high: str = ""
    is_negated: bool = False

    @property
    def kind(self) -> Field:
        return FIELDS[self.field]

    @property
    def key(self) -> Key:
        """Raises SearchSyntaxError for a name that cannot be one."""
        if self.field in NAMED_KEYS and not self.name:
            raise _refused(self, f"Say which {self.kind.label.lower()}: its name is missing.")
        if UNSTORABLE.search(self.name):
            raise _refused(self, "This name holds a character that cannot be stored.")
        has_stat = self.field == "metric" and self.stat in ("min", "max")
        stat = self.stat if has_stat and self.op not in ("has", LACKS) else ""
        return Key(self.field, self.name if self.field in NAMED_KEYS else "", stat)

    @property
    def input(self) -> str:
        """How values are given: "ticks", "search", "periods", "range", "texts" or ""."""
        if self.op in ("has", LACKS):
            return ""
        if self.op == WITHIN:
            return "periods"
        if self.op == "range":
            return "range"
        if self.op in ("eq", "ne"):
            if self.kind.type in ("choice", "flag"):
                return "ticks"
            if self.field in ("experiment", "submitter", "target", "tag", "property", "param"):
                return "search"
        return "texts"

    @property
    def n_values(self) -> int:
        """How many values the operator takes, at most."""
        return MAX_VALUES if self.op in ("eq", "ne", "contains", "starts") else 1


def filled_from(query: Query) -> Filled:
    """Read an address; an unknown field is "status", an unknown operator the field's first."""
    field = query.get("field", "")
    field = field if field in FIELDS and field != "log" else "status"
    texts = (text.strip() for text in query.getlist("value"))
    found = Filled(
        field,
        name=query.get("name", "").strip(),
        stat=query.get("stat", ""),
        op=query.get("op", ""),
        values=tuple(text for text in texts if text)[:MAX_VALUES],
        low=_moment(query, "low"),
        high=_moment(query, "high"),
        is_negated=query.get("not", "") == "1",
    )
    known = [code for code, _ in operators(found)]
    typed = query.get("find", "").strip()
    found = found if found.op in known else replace(found, op=known[0])
    # Who types a value and presses Enter means it, ticked or not.
    is_meant = typed and not found.values and query.get("apply", "")
    return replace(found, values=(typed,)) if is_meant else found


def _moment(query: Query, name: str) -> str:
    """A number, time or duration, or what the browser's own picker gives: a time in UTC."""
    picked = query.get(f"{name}_at", "").strip()
    if _PICKED.fullmatch(picked):
        return f"{picked}Z"
    return picked or query.get(name, "").strip()


def picked_of(text: str) -> str | None:
    """What the browser's picker shows for a time; None for one that it cannot hold."""
    if not text:
        return ""
    return text.removesuffix("Z") if _UTC_MINUTE.fullmatch(text) else None


def operators(filled: Filled) -> list[tuple[str, str]]:
    """(code, words) of the operators of the field, the usual one first; the form's own is among
    them where the field has it."""
    field = filled.kind
    codes = [_CODES[op] for op in _offered(field)]
    if field.type == "time":
        codes = [WITHIN, *codes]
    if field.has and field.family not in _ALWAYS_THERE:
        codes += ["has", LACKS]
    own = _OPS.get(filled.op)
    if filled.op not in codes and own and (own in field.ops or (own is Op.HAS and field.has)):
        codes.append(filled.op)
    return [(code, _words(field, code)) for code in codes]


def _offered(field: Field) -> tuple[Op, ...]:
    if field.type in ("choice", "flag"):
        return field.ops[:2]
    if field.family == "param":
        return field.ops
    if field.family == "description":
        return (Op.CONTAINS, Op.STARTS)
    if Op.RANGE in field.ops:
        numeric = [op for op in ORDER if op is not Op.RANGE]
        first = [op for op in numeric if op not in (Op.EQ, Op.NE)]
        return (Op.RANGE, *first, Op.EQ, Op.NE)
    return TEXT


def _words(field: Field, code: str) -> str:
    if field.type == "time" and code in _TIME_WORDS:
        return _TIME_WORDS[code]
    return _CHILD_WORDS.get(code, _WORDS[code]) if field.family == "children" else _WORDS[code]


def node_of(filled: Filled) -> Node:
    """The condition of a form. Raises SearchSyntaxError for what is missing."""
    key = filled.key
    if filled.op == LACKS:
        node: Node = negate(Term(key, Op.HAS))
    elif filled.op == WITHIN:
        node = _within(filled, key)
    else:
        node = _term(filled, key)
    return negate(node) if filled.is_negated else node


def _within(filled: Filled, key: Key) -> Term:
    (period,) = filled.values[:1] or ("",)
    if period not in PERIODS:
        raise _refused(filled, "Choose one of the periods.")
    return Term(key, Op.EQ if period == "today" else Op.GT, (period,))


def _term(filled: Filled, key: Key) -> Term:
    op, values = _OPS[filled.op], filled.values
    if op is Op.HAS:
        values = ()
    elif op is Op.RANGE:
        values = (filled.low, filled.high)
        if not any(values):
            raise _refused(filled, "Give at least one end: from, to, or both.")
    elif not values:
        choice = filled.input in ("ticks", "search")
        raise _refused(filled, "Tick at least one value." if choice else "A value is missing.")
    elif filled.n_values == 1:
        values = values[:1]
    try:
        return Term(key, op, values)
    except ValueError as error:
        raise _refused(filled, f"This cannot be asked: {error}.") from error


def _refused(filled: Filled, message: str) -> SearchSyntaxError:
    return SearchSyntaxError(0, 0, message, EXAMPLES[filled.field])


def filled_of(node: Node) -> Filled | None:
    """The form that makes this condition; None for one that only text can hold."""
    term = node.child if isinstance(node, Not) else node
    if not isinstance(term, Term) or not _fits(term):
        return None
    key, op = term.key, term.op
    found = Filled(key.family, key.name, key.stat, _CODES[op], term.values)
    if op is Op.RANGE:
        found = replace(found, values=(), low=term.values[0], high=term.values[1])
    if (op, term.values) in _PERIOD_TERMS and found.kind.type == "time":
        found = replace(found, op=WITHIN)
    if isinstance(node, Not):
        if op is Op.HAS:
            return replace(found, op=LACKS) if found.field not in _ALWAYS_THERE else None
        found = replace(found, is_negated=True)
    return found if found.op in dict(operators(found)) else None


_PERIOD_TERMS = frozenset((Op.EQ if text == "today" else Op.GT, (text,)) for text in PERIODS)


def _fits(term: Term) -> bool:
    """Whether fields of one line can hold every text of a term."""
    if term.key.family == "log" or (term.key.family in NAMED_KEYS and not term.key.name):
        return False
    texts = [value for value in term.values if value or term.op is not Op.RANGE]
    texts += [term.key.name] if term.key.name else []
    return len(term.values) <= MAX_VALUES and all(
        text and text.isprintable() and text == text.strip() and len(text) <= LONGEST
        for text in texts
    )


def fields_of(filled: Filled) -> Mapping[str, Sequence[str]]:
    """The form's fields as an address carries them, but for what it is about."""
    return {
        "op": [filled.op],
        "value": filled.values,
        "low": [filled.low] if filled.low else [],
        "high": [filled.high] if filled.high else [],
        "not": ["1"] if filled.is_negated else [],
        "stat": [filled.stat] if filled.stat else [],
    }

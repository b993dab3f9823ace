"""Keys with a name: one tag, property, parameter or metric of a run."""

import math
from collections.abc import Callable

from django.db.models import Q

from studio.metrics.models import NUMERIC, ORDINARY, Metric, infinite
from studio.runs.models import Parameter, Property, Tag
from studio.runs.searchtext import folded
from studio.search import distinct
from studio.search.matching import (
    LOOKUPS,
    compare,
    nfc,
    number,
    number_match,
    refuse,
    text_match,
)
from studio.search.scope import Scope, any_q
from studio.search.tree import Op, Term
from studio.search.values import parse_number

# Beside an “=” no “IS NOT NULL” is asked: SQLite would take it for a range and begin there.
# So many values of one key are looked through.
MAX_VALUES = 500
# How `Metric.last_text` writes a last value that is not finite.
SPECIAL = {"Infinity": math.inf, "-Infinity": -math.inf}
_HOLDS: dict[Op, Callable[[float, float], bool]] = {
    Op.LT: lambda a, b: a < b,
    Op.LE: lambda a, b: a <= b,
    Op.GT: lambda a, b: a > b,
    Op.GE: lambda a, b: a >= b,
}


def tag_q(term: Term, scope: Scope) -> Q:
    """A tag without a value counts as one with an empty value."""

    def match(op: Op) -> Q:
        if op is not Op.EQ:
            found = _contains(held, term, op)
            return found if held is not None else Q(value__isnull=False) & found
        found = text_match("value", op, term.values)
        return found | Q(value__isnull=True) if "" in term.values else found

    named = Q(key=nfc(term.key.name).strip()) if term.key.name else Q()
    held = _held("tag", term, scope)
    return scope.runs_with(Tag, compare(term, named, match), probe=_probe(term, named, held))


def property_q(term: Term, scope: Scope) -> Q:
    named = Q(key=nfc(term.key.name).strip()) if term.key.name else Q()
    held = _held("property", term, scope)
    row = compare(term, named, lambda op: _contains(held, term, op))
    return scope.runs_with(Property, row, probe=_probe(term, named, held))


def parameter_q(term: Term, scope: Scope) -> Q:
    """Equal as text, or as numbers: `param.lr:0.001` finds 1e-3 too."""

    def match(op: Op) -> Q:
        if op in (Op.CONTAINS, Op.STARTS):
            return _contains(held, term, op)
        if op is not Op.EQ:
            return Q(number__isnull=False) & number_match(term, "number", op)
        return any_q(equal)

    equal = [text_match("value", Op.EQ, term.values)]
    read = [_number(text) for text in term.values]
    if numbers := [value for value in read if value is not None and not math.isnan(value)]:
        equal.append(Q(number__in=numbers))
    named = Q(key=nfc(term.key.name).strip()) if term.key.name else Q()
    held = _held("param", term, scope)
    # A row for each index: of an OR inside one SQLite would read all values of the key.
    is_equal = term.op is Op.EQ
    rows = [named & one for one in equal] if is_equal else [compare(term, named, match)]
    return scope.runs_with(Parameter, *rows, probe=_probe(term, named, held))


def _held(family: str, term: Term, scope: Scope) -> list[str] | None:
    """All values of the key, where a term looks for a part of one and there are few (1 query, a
    seek in the index for each)."""
    if term.op not in (Op.CONTAINS, Op.STARTS) or not term.key.name:
        return None
    if len(scope.workspace_ids) != 1 or not scope.may_ask():
        return None
    name = nfc(term.key.name).strip()
    found = distinct.values(family, name, scope.workspace_ids[0], limit=MAX_VALUES + 1)
    return found if len(found) <= MAX_VALUES else None


def _contains(held: list[str] | None, term: Term, op: Op) -> Q:
    """The value as text. Contains has no index, but to be one of those that fit has."""
    if held is None or op is Op.EQ:
        return text_match("value", op, term.values)
    asked = [folded(text) for text in term.values]
    fits = str.startswith if op is Op.STARTS else str.__contains__
    return Q(value__in=[text for text in held if any(fits(folded(text), part) for part in asked)])


def _probe(term: Term, named: Q, held: list[str] | None = None) -> Q | None:
    # Where contains has no index, how many rows it would read counts, not how many it finds.
    return named if term.op in (Op.CONTAINS, Op.STARTS) and held is None else None


def _number(text: str) -> float | None:
    try:
        return parse_number(text)
    except ValueError:
        return None


def metric_q(term: Term, scope: Scope) -> Q:
    stat = term.key.stat
    named = Q(name=nfc(term.key.name)) if term.key.name else ORDINARY
    if stat:
        if term.op in (Op.CONTAINS, Op.STARTS):
            raise refuse(term, f"The {stat} of a metric is a number; {term.op} is for text.")
        present = named & Q(**{f"{stat}__isnull": False})
        row = compare(term, present, lambda op: number_match(term, stat, op))
        return scope.runs_with(Metric, row)
    rows = (
        [Q()] if term.op is Op.HAS else _last_matches(term, Op.EQ if term.op is Op.NE else term.op)
    )
    if term.op is Op.NE:
        rows = [~any_q(rows)]
    return scope.runs_with(Metric, *(named & row for row in rows), probe=_probe(term, named))


def _last_matches(term: Term, op: Op) -> list[Q]:
    """The metrics a term means: finite numbers, and the others, each in a form its index serves."""
    if op in (Op.CONTAINS, Op.STARTS):
        return [_text_last(op, term.values)]
    if op is Op.EQ:
        return _last_equals(term.values)
    bounds = _bounds(term, op)
    words = [word for word, value in SPECIAL.items() if all(_HOLDS[o](value, b) for o, b in bounds)]
    finite = Q(last__isnull=False)
    for one, bound in bounds:
        finite &= Q(**{f"last__{LOOKUPS[one]}": bound})
    return [finite, infinite(words)] if words else [finite]


def _text_last(op: Op, texts: tuple[str, ...]) -> Q:
    is_text = ~Q(kind__in=sorted(NUMERIC))
    return Q(last__isnull=True) & is_text & text_match("last_text", op, texts)


def _bounds(term: Term, op: Op) -> list[tuple[Op, float]]:
    if op is not Op.RANGE:
        return [(op, number(term, term.value))]
    ends = [(Op.GE, term.low), (Op.LE, term.high)]
    return [(one, number(term, text)) for one, text in ends if text is not None]


def _last_equals(texts: tuple[str, ...]) -> list[Q]:
    """Equal as numbers, of which the last may also be nan or infinite, or as text."""
    numbers = [value for value in map(_number, texts) if value is not None]
    finite = [value for value in numbers if math.isfinite(value)]
    words = [_word(value) for value in numbers if not math.isfinite(value)]
    others = _special(words) | _text_last(Op.EQ, texts)
    return [Q(last__in=finite), others] if finite else [others]


def _word(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _special(words: list[str]) -> Q:
    return Q(last__isnull=True, kind__in=sorted(NUMERIC), last_text__in=words)

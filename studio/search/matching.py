"""One column against the values of a term. Every function raises SearchSyntaxError, never else."""

import math
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from django.db.models import Q

from studio.runs.searchtext import folded
from studio.search import values, wrong
from studio.search.errors import SearchSyntaxError
from studio.search.scope import any_q
from studio.search.tree import Op, Term

V = TypeVar("V")
LOOKUPS = {Op.LT: "lt", Op.LE: "lte", Op.GT: "gt", Op.GE: "gte"}
TEXT_LOOKUPS = {Op.CONTAINS: "folded__contains", Op.STARTS: "folded__startswith"}
MAX_INT = 2**31 - 1
LONGEST_S = 100 * 366 * 86_400.0


def refuse(term: Term, message: str, example: str = "") -> SearchSyntaxError:
    """The error for a term that reads well but can't be asked."""
    example = example or wrong.EXAMPLES[term.key.family]
    return SearchSyntaxError(term.span.start, term.span.end - term.span.start, message, example)


def refuse_value(term: Term, message: str, example: str = "") -> SearchSyntaxError:
    """The error for a value of a term."""
    error = refuse(term, message, example)
    error.position, end = term.value_span
    error.length = end - error.position
    return error


def read(term: Term, value: str, reader: Callable[[str], V]) -> V:
    """Return what `reader` makes of a value."""
    try:
        return reader(value)
    except ValueError as error:
        raise refuse_value(term, str(error)) from None


def nfc(text: str) -> str:
    """Text as names, tags, properties and parameters are stored."""
    return unicodedata.normalize("NFC", text)


def compare(term: Term, present: Q, match: Callable[[Op], Q]) -> Q:
    """The parts every key shares: has: is `present`, != is present but not equal.

    `match` never leaves the answer open for a run that is `present`: SQL's third truth value
    must not leak into a NOT around this.
    """
    if term.op is Op.HAS:
        return present
    if term.op is Op.NE:
        return present & ~match(Op.EQ)
    return present & match(term.op)


def text_match(column: str, op: Op, texts: tuple[str, ...]) -> Q:
    """A text column: equal is exact; contains and starts with take no notice of case."""
    if op is Op.EQ:
        return Q(**{f"{column}__in": [nfc(text) for text in texts]})
    lookup = TEXT_LOOKUPS[op]
    return any_q(Q(**{f"{column}__{lookup}": folded(text)}) for text in texts)


def number_match(term: Term, column: str, op: Op, *, whole: bool = False) -> Q:
    """A numeric column; `whole` numbers only where nothing else makes sense."""
    if op is Op.EQ:
        return Q(**{f"{column}__in": [number(term, text, whole=whole) for text in term.values]})
    if op is not Op.RANGE:
        return Q(**{f"{column}__{LOOKUPS[op]}": number(term, term.value, whole=whole)})
    found = Q()
    if term.low is not None:
        found &= Q(**{f"{column}__gte": number(term, term.low, whole=whole)})
    if term.high is not None:
        found &= Q(**{f"{column}__lte": number(term, term.high, whole=whole)})
    return found


def number(term: Term, text: str, *, whole: bool = False) -> float:
    """Return a number that compares; nan is refused, whole numbers are kept inside 32 bits."""
    found = read(term, text, values.parse_number)
    if math.isnan(found):
        raise refuse_value(term, "Nothing is less or more than nan; ask for it as metric.loss:nan.")
    if not whole:
        return found
    if math.isfinite(found) and found != int(found):
        raise refuse_value(term, f'"{text}" is not a whole number.')
    return int(max(-MAX_INT, min(MAX_INT, found)))


def moment_match(term: Term, column: str, op: Op, now: datetime) -> Q:
    """A time column; `2026-11-01` is the whole day, so `<=` and `..` go to its end."""
    if op is Op.EQ:
        return any_q(_within(term, column, text, now) for text in term.values)
    if op is Op.RANGE:
        found = Q()
        if term.low is not None:
            found &= _bound(term, column, Op.GE, term.low, now)
        if term.high is not None:
            found &= _bound(term, column, Op.LE, term.high, now)
        return found
    return _bound(term, column, op, term.value, now)


def _period(term: Term, text: str, now: datetime) -> tuple[datetime, datetime]:
    return read(term, text, lambda value: values.parse_period(value, now))


def _within(term: Term, column: str, text: str, now: datetime) -> Q:
    start, end = _period(term, text, now)
    if start == end:
        key = term.key.family
        message = f'"{text}" is one instant. Write {key}>{text} for since then.'
        raise refuse_value(term, message, f"{key}>-7d")
    return Q(**{f"{column}__gte": start, f"{column}__lt": end})


def _bound(term: Term, column: str, op: Op, text: str, now: datetime) -> Q:
    start, end = _period(term, text, now)
    is_instant = start == end
    lookup, moment = {
        Op.LT: ("lt", start),
        Op.GE: ("gte", start),
        Op.LE: ("lte", start) if is_instant else ("lt", end),
        Op.GT: ("gt", start) if is_instant else ("gte", end),
    }[op]
    return Q(**{f"{column}__{lookup}": moment})


def duration_match(term: Term, op: Op, now: datetime) -> Q:
    """How long a run took, or has been running until now; `duration:90s` is to the second."""
    if op is Op.EQ:
        lengths = [_seconds(term, text) for text in term.values]
        return any_q(_took(Op.GE, s, now) & _took(Op.LT, s + 1, now) for s in lengths)
    if op is Op.RANGE:
        found = Q()
        if term.low is not None:
            found &= _took(Op.GE, _seconds(term, term.low), now)
        if term.high is not None:
            found &= _took(Op.LE, _seconds(term, term.high), now)
        return found
    return _took(op, _seconds(term, term.value), now)


def _seconds(term: Term, text: str) -> float:
    return min(read(term, text, values.parse_duration_s), LONGEST_S)


def _took(op: Op, seconds: float, now: datetime) -> Q:
    lookup = LOOKUPS[op]
    ended = Q(duration_s__isnull=False, **{f"duration_s__{lookup}": seconds})
    started = now.astimezone(UTC) - timedelta(seconds=seconds)
    turned = {"lt": "gt", "lte": "gte", "gt": "lt", "gte": "lte"}[lookup]
    going = Q(
        duration_s__isnull=True, started_at__isnull=False, **{f"started_at__{turned}": started}
    )
    return ended | going

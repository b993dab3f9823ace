"""The search a second time: slow, plain Python over loaded runs, which SQL must agree with."""

import math
import re
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from studio.runs.searchtext import body_of, folded
from studio.search.tree import And, Node, Not, Op, Or, Term, Word
from studio.search.values import parse_duration_s, parse_number, parse_period

STATUSES = {
    "NotStarted": "Not started",
    "Queued": "Queued",
    "Starting": "Starting",
    "Preparing": "Preparing",
    "Running": "Running",
    "Finalizing": "Finalizing",
    "CancelRequested": "Cancel requested",
    "NotResponding": "Not responding",
    "Completed": "Completed",
    "Failed": "Failed",
    "Canceled": "Canceled",
}


@dataclass
class Facts:
    """All that a search can know of one run."""

    uid: str
    name: str
    number: int
    type: str
    status: str
    experiment: str
    submitter: str | None
    target: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    duration_s: float | None
    parent: str | None
    n_children: int
    starred: bool
    archived: bool
    description: str
    tags: dict[str, str | None] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    # name -> (last value or text, min, max)
    metrics: dict[str, tuple[Any, float | None, float | None]] = field(default_factory=dict)


def matches(run: Facts, node: Node | None, *, user: str, now: datetime) -> bool:
    if node is None:
        return True
    if isinstance(node, And):
        return all(matches(run, child, user=user, now=now) for child in node.children)
    if isinstance(node, Or):
        return any(matches(run, child, user=user, now=now) for child in node.children)
    if isinstance(node, Not):
        return not matches(run, node.child, user=user, now=now)
    if isinstance(node, Word):
        return _word(run, node.text)
    return _term(run, node, user, now)


def _word(run: Facts, text: str) -> bool:
    asked = folded(text)
    label = STATUSES[run.status]
    return (
        asked in body_of(run.name, run.description, sorted(run.tags.items()))
        or asked in folded(run.experiment)
        or (run.submitter is not None and asked in folded(run.submitter))
        or any(folded(w).startswith(asked) for w in (run.status, label, *label.split()))
        or bool(re.fullmatch("[0-9a-f]{6,31}", text) and run.uid.startswith(text))
    )


def _term(run: Facts, term: Term, user: str, now: datetime) -> bool:
    family, name = term.key.family, term.key.name
    if family == "is":
        flags = {"starred": run.starred, "archived": run.archived, "mine": run.submitter == user}
        return any(flags[value] for value in term.values)
    if family in ("tag", "property", "param", "metric"):
        held: dict[str, Any] = {
            "tag": {key: value or "" for key, value in run.tags.items()},
            "property": run.properties,
            "param": run.params,
            "metric": run.metrics,
        }[family]
        if not name:
            return bool(held)
        value = held.get(name)
        if family == "metric" and value is not None:
            value = value[("", "min", "max").index(term.key.stat)]
            # Brought to this form by what sums points up; other texts are by actions, which the
            # world does without.
            value = unicodedata.normalize("NFC", value) if isinstance(value, str) else value
    else:
        value = _plain(run, family, now)
    if value is None:
        return family == "description" and term.op is Op.EQ and "" in term.values
    if term.op is Op.HAS:
        return bool(value) if family == "children" else True
    if term.op is Op.NE:
        return not _holds(family, Op.EQ, value, term, now)
    return _holds(family, term.op, value, term, now)


def _plain(run: Facts, family: str, now: datetime) -> Any:
    if family == "duration":
        if run.duration_s is not None or run.started_at is None:
            return run.duration_s
        return (now - run.started_at).total_seconds()
    if family == "description":
        return run.description or None
    column = {"submitted": "created_at", "started": "started_at", "ended": "ended_at"}
    return getattr(run, {**column, "children": "n_children"}.get(family, family))


def _holds(family: str, op: Op, value: Any, term: Term, now: datetime) -> bool:
    if family in ("submitted", "started", "ended"):
        return _time(op, value, term, now)
    if family == "duration":
        if op is Op.EQ:
            return any(0 <= value - parse_duration_s(text) < 1 for text in term.values)
        return _ordered(op, value, term, parse_duration_s)
    if op is Op.CONTAINS:
        return isinstance(value, str) and any(folded(t) in folded(value) for t in term.values)
    if op is Op.STARTS:
        return isinstance(value, str) and any(_starts(family, value, t) for t in term.values)
    if op is Op.EQ:
        return any(_equal(family, value, text) for text in term.values)
    if isinstance(value, str):
        value = _number(value) if family == "param" else None
        if value is None or math.isnan(value):
            return False
    return _ordered(op, value, term, parse_number)


def _starts(family: str, value: str, text: str) -> bool:
    if family in ("uid", "parent"):
        return value.startswith(text)
    return folded(value).startswith(folded(text))


def _equal(family: str, value: Any, text: str) -> bool:
    if family in ("uid", "parent"):
        is_short = re.fullmatch("[0-9a-fA-F]{6,31}", text)
        return value == text or bool(is_short and value.startswith(text.lower()))
    if family in ("status", "type"):
        return str(value).lower() == text.lower().replace(" ", "")
    number = _number(text)
    if family == "param":
        held = _number(value)
        return value == text or (held is not None and held == number)
    if isinstance(value, str):
        return value == text
    if number is None:
        return False
    return value == number or (math.isnan(value) and math.isnan(number))


def _number(text: str) -> float | None:
    try:
        return parse_number(text)
    except ValueError:
        return None


def _ordered(op: Op, value: float, term: Term, read: Any) -> bool:
    if op is Op.RANGE:
        return (term.low is None or value >= read(term.low)) and (
            term.high is None or value <= read(term.high)
        )
    bound = read(term.value)
    return {
        Op.LT: value < bound,
        Op.LE: value <= bound,
        Op.GT: value > bound,
        Op.GE: value >= bound,
    }[op]


def _time(op: Op, value: datetime, term: Term, now: datetime) -> bool:
    if op is Op.EQ:
        periods = [parse_period(text, now) for text in term.values]
        return any(start <= value < end for start, end in periods)
    if op is Op.RANGE:
        return (term.low is None or value >= parse_period(term.low, now)[0]) and (
            term.high is None or _until(value, term.high, now)
        )
    start, _ = parse_period(term.value, now)
    return {
        Op.LT: value < start,
        Op.LE: _until(value, term.value, now),
        Op.GT: not _until(value, term.value, now),
        Op.GE: value >= start,
    }[op]


def _until(value: datetime, text: str, now: datetime) -> bool:
    start, end = parse_period(text, now)
    return value <= start if start == end else value < end

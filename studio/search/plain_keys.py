"""Keys that ask about the run itself: its columns and what they point at."""

import operator
import re
from collections.abc import Callable
from typing import Any

from django.db.models import Exists, OuterRef, Q

from studio.accounts.models import User
from studio.compute.models import Target
from studio.queries.ids import any_of
from studio.runs.models import Description, Experiment, Run, Star
from studio.runs.querysets import RunQuerySet
from studio.runs.searchtext import folded
from studio.runs.status import Status
from studio.search.errors import SearchSyntaxError
from studio.search.fulltext import body_q
from studio.search.matching import (
    compare,
    duration_match,
    moment_match,
    number_match,
    refuse_value,
    text_match,
)
from studio.search.scope import EVERYTHING, NOTHING, Scope, any_q
from studio.search.tree import Op, Term
from studio.wire import RUN_TYPES

Build = Callable[[Term, Scope], Q]

MIN_HEX = 6
_HEX = re.compile(r"[0-9a-f]{6,31}", re.IGNORECASE)
_UID = re.compile(r"[A-Za-z0-9_\-]{1,256}", re.ASCII)
# What other tools and British English call them.
_OTHER_STATUS_WORDS = {"cancelled": Status.CANCELED, "finished": Status.COMPLETED}


def status_q(term: Term, scope: Scope) -> Q:
    def match(op: Op) -> Q:
        return Q(status__in=sorted({s for text in term.values for s in statuses(term, op, text)}))

    return compare(term, EVERYTHING, match)


def statuses(term: Term, op: Op, text: str) -> list[Status]:
    """The statuses a value means, in any case and with or without its spaces."""
    asked = _squeezed(text)
    if op is Op.EQ:
        found = [status for status in Status if _squeezed(status) == asked]
        if asked in _OTHER_STATUS_WORDS:
            found = [_OTHER_STATUS_WORDS[asked]]
        if not found:
            raise _unknown(term, text, "status", [status.value for status in Status])
        return found
    if op is Op.STARTS:
        return [status for status in Status if _squeezed(status).startswith(asked)]
    return [status for status in Status if asked in _squeezed(status)]


def _squeezed(text: str) -> str:
    return re.sub(r"[\s_-]+", "", folded(text))


def type_q(term: Term, scope: Scope) -> Q:
    def match(op: Op) -> Q:
        if op is not Op.EQ:
            return text_match("type", op, term.values)
        asked = [text.lower() for text in term.values]
        for text in asked:
            if text not in RUN_TYPES:
                raise _unknown(term, text, "type", list(RUN_TYPES))
        return Q(type__in=asked)

    return compare(term, EVERYTHING, match)


def _unknown(term: Term, text: str, what: str, known: list[str]) -> SearchSyntaxError:
    message = f'There is no {what} "{text[:40]}". There are {", ".join(known)}.'
    return refuse_value(term, message)


def experiment_q(term: Term, scope: Scope) -> Q:
    rows = Experiment.objects.filter(workspace__in=scope.workspace_ids)
    return compare(term, EVERYTHING, lambda op: _pointing("experiment", rows, "name", op, term))


def submitter_q(term: Term, scope: Scope) -> Q:
    present = Q(submitter__isnull=False)
    rows = User.objects.all()
    return compare(term, present, lambda op: _pointing("submitter", rows, "username", op, term))


def target_q(term: Term, scope: Scope) -> Q:
    present = Q(target__isnull=False)
    rows = Target.objects.all()
    return compare(term, present, lambda op: _pointing("target", rows, "name", op, term))


def _pointing(column: str, rows: Any, name: str, op: Op, term: Term) -> Q:
    """Runs whose foreign key leads to one of `rows` by that name (1 query: its ids)."""
    found = rows.filter(text_match(name, op, term.values))
    ids = list(found.order_by().values_list("pk", flat=True)[:501])
    # Thousands of ids as parameters cost more than asking again inside the query.
    return Q(**{f"{column}__in": ids if len(ids) <= 500 else found.values("pk")})


def name_q(term: Term, scope: Scope) -> Q:
    def match(op: Op) -> Q:
        found = text_match("display_name", op, term.values)
        return found if op is Op.EQ else found & _in_body(term, scope)

    return compare(term, EVERYTHING, match)


def _in_body(term: Term, scope: Scope) -> Q:
    """What a name or a description holds, the search text holds too, and that has an index."""
    found = body_q(scope, *term.values)
    scope.widen_lists()
    return found


def description_q(term: Term, scope: Scope) -> Q:
    present = _described(~Q(text=""))

    def match(op: Op) -> Q:
        found = _described(text_match("text", op, term.values))
        if op is Op.EQ:
            # No row and an empty text are the same to a reader.
            return found | ~present if "" in term.values else found
        return found & _in_body(term, scope)

    if term.op is Op.EQ:
        return match(Op.EQ)
    return compare(term, present, match)


def _described(text: Q) -> Q:
    return Q(Exists(Description.objects.filter(text, run=OuterRef("pk"))))


def uid_q(term: Term, scope: Scope) -> Q:
    def match(op: Op) -> Q:
        found = any_q(uid_match(op, text) for text in term.values)
        if op is Op.CONTAINS or not scope.may_ask():
            return found
        ids = scope.few(_runs(scope).filter(found).values_list("pk", flat=True))
        return found if ids is None else any_of(ids)

    return compare(term, EVERYTHING, match)


def _runs(scope: Scope) -> RunQuerySet:
    return Run.objects.filter(workspace__in=scope.workspace_ids)


def parent_q(term: Term, scope: Scope) -> Q:
    def match(op: Op) -> Q:
        uids = any_q(uid_match(op, text) for text in term.values)
        rows = _runs(scope).filter(uids)
        return Q(parent__in=rows.values("pk"))

    return compare(term, Q(parent__isnull=False), match)


def uid_match(op: Op, text: str) -> Q:
    """A run's id; six or more hex digits are as good as the whole of a generated one."""
    if not _UID.fullmatch(text):
        return NOTHING
    if op is Op.CONTAINS:
        return Q(uid__folded__contains=folded(text))
    if op is Op.STARTS:
        return begins("uid", text)
    if is_short_uid(text):
        return Q(uid=text) | begins("uid", text.lower())
    return Q(uid=text)


def is_short_uid(text: str) -> bool:
    return _HEX.fullmatch(text) is not None


def begins(column: str, text: str) -> Q:
    """ASCII text at the beginning of a column, in the form each database's index serves."""
    from django.db import connection

    if connection.vendor == "sqlite":
        after = text[:-1] + chr(ord(text[-1]) + 1)
        return Q(**{f"{column}__gte": text, f"{column}__lt": after})
    return Q(**{f"{column}__startswith": text})


def number_q(term: Term, scope: Scope) -> Q:
    return compare(term, EVERYTHING, lambda op: number_match(term, "number", op, whole=True))


def moment_q(column: str) -> Build:
    """The builder for one of the run's times."""

    def build(term: Term, scope: Scope) -> Q:
        present = Q(**{f"{column}__isnull": False})
        return compare(term, present, lambda op: moment_match(term, column, op, scope.now))

    return build


def duration_q(term: Term, scope: Scope) -> Q:
    present = Q(duration_s__isnull=False) | Q(started_at__isnull=False)
    return compare(term, present, lambda op: duration_match(term, op, scope.now))


def children_q(term: Term, scope: Scope) -> Q:
    present = Q(n_children__isnull=False)
    if term.op is Op.HAS:
        return scope.runs_like(present)
    wanted = number_match(term, "n_children", Op.EQ if term.op is Op.NE else term.op, whole=True)
    # Of a run without child runs nothing is stored, and that is none.
    bounds: list[Any] = wanted.children
    if all(_FITS[name.rpartition("__")[2]](0, value) for name, value in bounds):
        found = wanted | ~present
    elif term.op is Op.NE:
        found = present & wanted
    else:
        found = scope.runs_like(present & wanted)
    return ~found if term.op is Op.NE else found


_FITS: dict[str, Callable[[int, Any], bool]] = {
    "in": lambda a, b: a in b,
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}


def flag_q(term: Term, scope: Scope) -> Q:
    return any_q(_flag(value, scope) for value in term.values)


def _flag(flag: str, scope: Scope) -> Q:
    if flag == "archived":
        return Q(archived_at__isnull=False)
    if scope.user is None:
        return NOTHING
    if flag == "mine":
        return Q(submitter__isnull=False, submitter=scope.user)
    stars = Star.objects.filter(user=scope.user)
    ids = scope.few(stars.values_list("run", flat=True)) if scope.may_ask() else None
    return Q(Exists(stars.filter(run=OuterRef("pk")))) if ids is None else any_of(ids)

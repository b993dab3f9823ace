"""Tags and parameters against the clauses of a filter."""

from typing import Any

from django.db.models import Exists, F, OuterRef, Q, Value
from django.db.models.functions import Coalesce, Concat, Length
from django.db.models.lookups import GreaterThanOrEqual, In, LessThan

from studio.mlflow_api.filters import LIKES, Condition
from studio.mlflow_api.likes import fits, like_q
from studio.queries.ids import any_of
from studio.runs.limits import MAX_KEY_AND_VALUE_BYTES, MAX_VALUE, bytes_of, split_value
from studio.runs.models import Description, Parameter, Run, Tag
from studio.search import distinct
from studio.search.matching import nfc
from studio.search.named_keys import MAX_VALUES
from studio.search.scope import EVERYTHING, NOTHING, Scope, any_q

RUN_NAME, NOTE = "mlflow.runName", "mlflow.note.content"
PARENT, USER = "mlflow.parentRunId", "mlflow.user"
_WHOLE = Concat(F("value"), Coalesce(F("rest"), Value("")))
# Of a character at most four bytes: what is shorter is never the beginning of a longer value.
_SURELY_WHOLE = MAX_KEY_AND_VALUE_BYTES // 4 - 255


def text_q(of: Any, condition: Condition) -> Q:
    """A column, or an expression, with a text in it against =, !=, LIKE, ILIKE, IN and NOT IN."""
    value, comparator = condition.value, condition.comparator
    text = F(of) if isinstance(of, str) else of
    if comparator in LIKES:
        return like_q(text, comparator, nfc(str(value)))
    texts = [nfc(one) for one in (value if isinstance(value, tuple) else (str(value),))]
    found = Q(**{f"{of}__in": texts}) if isinstance(of, str) else Q(In(of, texts))
    return ~found if comparator in ("!=", "NOT IN") else found


def parameter_q(condition: Condition, scope: Scope) -> Q:
    return _stored_q(Parameter, "param", condition, scope)


def tag_q(condition: Condition, scope: Scope) -> Q:
    """Stored tags, and those that are columns of a run: its name, its description, its parent."""
    if condition.key == RUN_NAME:
        if condition.value is None:
            return NOTHING if condition.comparator == "IS NULL" else EVERYTHING
        return text_q("display_name", condition)
    if condition.key == NOTE:
        return _note_q(condition)
    if condition.key == PARENT:
        return _parent_q(condition, scope)
    return _stored_q(Tag, "tag", condition, scope)


def _stored_q(model: Any, family: str, condition: Condition, scope: Scope) -> Q:
    named = Q(key=nfc(condition.key))
    if condition.comparator == "IS NULL":
        found = ~scope.runs_with(model, named)
        # The runs that have it are no list to begin at.
        scope.forget_lists()
        return found
    if condition.comparator == "IS NOT NULL":
        return scope.runs_with(model, named)
    if condition.comparator in LIKES:
        held = _values(family, nfc(condition.key), scope)
        if held is None:
            return _pattern_q(model, condition, scope)
        rows = _fitting(model, condition, held)
    else:
        rows = _equal_rows(model, condition)
    if condition.comparator == "!=":
        rows = [~any_q(rows)]
    return scope.runs_with(model, *(named & row for row in rows))


def _equal_rows(model: Any, condition: Condition) -> list[Q]:
    """A row for each index: of an OR inside one SQLite would read all values of the key."""
    key, text = nfc(condition.key), nfc(str(condition.value))
    head, rest = split_value(key, text)
    found = Q(value=head)
    if rest is not None:
        found &= Q(rest=rest)
    elif _may_go_on(key, text):
        found &= Q(rest__isnull=True)
    # A tag without a value is one with an empty value to clients.
    return [found, Q(value__isnull=True)] if model is Tag and not text else [found]


def _fitting(model: Any, condition: Condition, held: list[str]) -> list[Q]:
    """A pattern has no index, but to be one of the few values that it fits has."""
    key, pattern = nfc(condition.key), nfc(str(condition.value))
    does_fit = fits(condition.comparator, pattern)
    heads = {text for text in held if _may_go_on(key, text)}
    rows = [Q(value__in=[text for text in held if text not in heads and does_fit(text)])]
    if heads:
        rows.append(Q(value__in=sorted(heads)) & like_q(_WHOLE, condition.comparator, pattern))
    if model is Tag and does_fit(""):
        rows.append(Q(value__isnull=True))
    return rows


def _pattern_q(model: Any, condition: Condition, scope: Scope) -> Q:
    """Of a key with very many values: all are looked through in the index, without their rows, till
    enough fit; then each run is asked (at most 2 queries)."""
    key, pattern = nfc(condition.key), nfc(str(condition.value))
    fitting = like_q(F("value"), condition.comparator, pattern)
    short = Q(LessThan(Length("value"), _SURELY_WHOLE)) & fitting
    # That it is not empty leads to the index that holds the values.
    is_long = Q(GreaterThanOrEqual(Length("value"), _SURELY_WHOLE), value__gt="")
    long = is_long & like_q(_WHOLE, condition.comparator, pattern)
    if model is Tag and fits(condition.comparator, pattern)(""):
        short |= Q(value__isnull=True)
    rows = model.objects.filter(key=key, workspace__in=scope.workspace_ids)
    ids: set[int] = set()
    for kind in (short, long):
        some = scope.few(rows.filter(kind).values_list("run", flat=True))
        if some is None:
            asked = model.objects.filter(short | long, key=key, run=OuterRef("pk"))
            return Q(Exists(asked))
        ids.update(some)
    return any_of(ids)


def _note_q(condition: Condition) -> Q:
    """The description, as a tag; an empty one is none."""
    notes = Description.objects.filter(run=OuterRef("pk")).exclude(text="")
    if condition.comparator == "IS NULL":
        return ~Q(Exists(notes))
    if condition.comparator != "IS NOT NULL":
        notes = notes.filter(text_q("text", condition))
    return Q(Exists(notes))


def _parent_q(condition: Condition, scope: Scope) -> Q:
    """The tag of the parent, which a run that a client of the studio started has not: of that, its
    parent says it."""
    stored = Tag.objects.filter(run=OuterRef("pk"), key=PARENT)
    if condition.comparator == "IS NULL":
        return Q(parent__isnull=True) & ~Q(Exists(stored))
    if condition.comparator == "IS NOT NULL":
        return Q(parent__isnull=False) | Q(Exists(stored))
    if condition.comparator == "=":
        tagged = Tag.objects.filter(*_equal_rows(Tag, condition)[:1], key=PARENT)
        inside = tagged.filter(workspace__in=scope.workspace_ids).values_list("run", flat=True)
        parents = Run.objects.filter(text_q("uid", condition), workspace__in=scope.workspace_ids)
        below = Run.objects.filter(~Exists(stored), parent__in=list(parents.values_list("pk")[:1]))
        some = scope.few(inside), scope.few(below.values_list("pk", flat=True))
        if some[0] is not None and some[1] is not None:
            return any_of({*some[0], *some[1]})
    own = ~Q(Exists(stored)) & Q(
        Exists(Run.objects.filter(text_q("uid", condition), pk=OuterRef("parent_id")))
    )
    return own | _stored_q(Tag, "tag", condition, scope)


def _values(family: str, key: str, scope: Scope) -> list[str] | None:
    """All values of the key, where there are few (1 query, a seek in the index for each)."""
    if not scope.may_ask():
        return None
    found = distinct.values(family, key, scope.workspace_ids[0], limit=MAX_VALUES + 1)
    return found if len(found) <= MAX_VALUES else None


def _may_go_on(key: str, head: str) -> bool:
    """Whether a stored value may be the beginning of a longer one."""
    return len(head) >= MAX_VALUE or bytes_of(key, head) > MAX_KEY_AND_VALUE_BYTES - 4

"""The clauses of a filter as conditions on runs, found by the studio's own fast ways: what an index
answers with few rows is looked up first, the rest is asked of each run on the way."""

import math
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import Case, CharField, Exists, F, OuterRef, Q, Value, When
from django.db.models.functions import Cast, Coalesce, Concat
from django.db.models.lookups import GreaterThanOrEqual, LessThan

from studio.accounts.models import User
from studio.lineage.models import RunInput
from studio.metrics.models import NUMERIC, Metric, infinite
from studio.mlflow_api.filters import LIKES, Condition
from studio.mlflow_api.finding import DEFAULT_ID, DEFAULT_NAME, known_as
from studio.mlflow_api.label_conditions import USER, parameter_q, tag_q, text_q
from studio.mlflow_api.likes import fits
from studio.mlflow_api.moments import EPOCH, MOST_MS, ONE_MS
from studio.mlflow_api.runs_json import STATUS
from studio.mlflow_api.runs_read import USER_ID
from studio.queries.ids import any_of
from studio.runs.models import Experiment, Property, Run, Tag
from studio.runs.querysets import RunQuerySet
from studio.search.apply import all_of
from studio.search.matching import nfc
from studio.search.scope import NOTHING, Scope

INFINITIES = {"Infinity": math.inf, "-Infinity": -math.inf}
# What clients call the start of a run: see `runs_json.info_of`.
STARTED = Coalesce("started_at", "created_at")


def apply(runs: RunQuerySet, conditions: Iterable[Condition], scope: Scope) -> RunQuerySet:
    """The runs that meet all conditions. Queries: to find the better plan up to three for each
    condition, 24 in all, and one more."""
    return all_of(runs, conditions, scope, condition_q)


def condition_q(condition: Condition, scope: Scope) -> Q:
    """One clause as a Q over runs, true or false for each."""
    match condition.kind:
        case "metric":
            return _metric_q(condition, scope)
        case "parameter":
            return parameter_q(condition, scope)
        case "tag":
            return tag_q(condition, scope)
        case "dataset":
            return _dataset_q(condition, scope)
        case "attribute":
            return _attribute_q(condition, scope)


def metrics_of(workspace_id: int, name: str) -> Any:
    """The rows of a metric that clients see: numbers, not pictures and the like. Only rows without
    a finite number need be asked what they are: so the index alone answers for the others."""
    named = Metric.objects.filter(workspace=workspace_id, name=nfc(name))
    return named.filter(Q(last__isnull=False) | Q(kind__in=sorted(NUMERIC)))


def _metric_q(condition: Condition, scope: Scope) -> Q:
    """The latest value. NaN is only unequal: to every number."""
    asked, comparator = float(str(condition.value)), condition.comparator
    named, odd = Q(name=nfc(condition.key)), Q(last__isnull=True, kind__in=sorted(NUMERIC))
    if comparator == "!=":
        if math.isinf(asked):
            word = next(word for word, value in INFINITIES.items() if value == asked)
            odd &= ~Q(last_text=word)
            return scope.runs_with(Metric, named & Q(last__isnull=False), named & odd)
        less, more = Q(last__lt=asked), Q(last__gt=asked)
        return scope.runs_with(Metric, named & less, named & more, named & odd)
    words = [word for word, value in INFINITIES.items() if _HOLDS[comparator](value, asked)]
    rows = []
    if math.isfinite(asked):
        rows.append(Q(**{f"last{_SIGNS[comparator]}": asked}))
    elif comparator != "=" and (asked > 0) == comparator.startswith("<"):
        rows.append(Q(last__isnull=False))
    if words:
        rows.append(infinite(words))
    return scope.runs_with(Metric, *(named & row for row in rows)) if rows else NOTHING


_SIGNS = {"=": "", "<": "__lt", "<=": "__lte", ">": "__gt", ">=": "__gte"}
_HOLDS = {
    "=": lambda a, b: a == b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def _dataset_q(condition: Condition, scope: Scope) -> Q:
    """Runs that have an input like that; each clause may mean another of its inputs."""
    column = condition.key if condition.key == "context" else f"dataset__{condition.key}"
    uses = RunInput.objects.filter(text_q(column, condition))
    inside = uses.filter(dataset__workspace__in=scope.workspace_ids)
    found = scope.few(inside.values_list("run", flat=True)) if scope.may_ask() else None
    return Q(Exists(uses.filter(run=OuterRef("pk")))) if found is None else any_of(found)


def _attribute_q(condition: Condition, scope: Scope) -> Q:
    match condition.key:
        case "start_time":
            return moment_q(STARTED, condition)
        case "end_time":
            return Q(ended_at__isnull=False) & moment_q(F("ended_at"), condition)
        case "run_name":
            return text_q("display_name", condition)
        case "status":
            return _status_q(condition)
        case "user_id":
            return _user_q(condition)
        case "artifact_uri":
            return text_q(artifact_uri(), condition)
    return _run_id_q(condition, scope)


def _run_id_q(condition: Condition, scope: Scope) -> Q:
    found = text_q("uid", condition)
    if condition.comparator not in ("=", "IN"):
        return found
    runs = Run.objects.filter(found, workspace__in=scope.workspace_ids)
    ids = scope.few(runs.values_list("pk", flat=True)) if scope.may_ask() else None
    return found if ids is None else any_of(ids)


def _status_q(condition: Condition) -> Q:
    does_hold = holds(condition)
    return Q(status__in=sorted(own for own, name in STATUS.items() if does_hold(name)))


def holds(condition: Condition) -> Any:
    """A condition on a text as a test of one at hand."""
    value, comparator = condition.value, condition.comparator
    if comparator in LIKES:
        return fits(comparator, nfc(str(value)))
    texts = [nfc(one) for one in (value if isinstance(value, tuple) else (str(value),))]
    return lambda text: (text in texts) == (comparator in ("=", "IN"))


def _user_q(condition: Condition) -> Q:
    """Whom the client named, by property or else by tag; else who submitted the run."""
    named = Property.objects.filter(run=OuterRef("pk"), key=USER_ID).exclude(value="")
    tagged = Tag.objects.filter(run=OuterRef("pk"), key=USER).exclude(value="")
    tagged = tagged.filter(value__isnull=False)
    people = User.objects.filter(text_q("username", condition))
    own = Q(submitter__isnull=False, submitter__in=people) & ~Q(Exists(tagged))
    told = own | Q(Exists(tagged.filter(text_q("value", condition))))
    return Q(Exists(named.filter(text_q("value", condition)))) | (told & ~Q(Exists(named)))


def artifact_uri(to: str = "") -> Any:
    """Where a run's files are, as `runs_json.artifact_uri_of` says; `to`: the path to the run."""
    default = Experiment.objects.filter(known_as(DEFAULT_NAME)).values("pk")
    is_default = Q(**{f"{to}experiment__in": default})
    number = Cast(f"{to}experiment_id", CharField())
    experiment = Case(When(is_default, then=Value(DEFAULT_ID)), default=number)
    start, end = Value("mlflow-artifacts:/"), Value("/artifacts")
    return Concat(start, experiment, Value("/"), f"{to}uid", end, output_field=CharField())


def moment_q(moment: Any, condition: Condition) -> Q:
    """A time of microseconds against milliseconds, as clients are told it: rounded down."""
    asked = max(-1.0, min(float(str(condition.value)), float(MOST_MS)))
    whole = isinstance(condition.value, int) or float(asked).is_integer()
    least, after = _moment(math.ceil(asked)), _moment(math.floor(asked) + 1)
    match condition.comparator:
        case ">":
            return Q(GreaterThanOrEqual(moment, after))
        case ">=":
            return Q(GreaterThanOrEqual(moment, least))
        case "<":
            return Q(LessThan(moment, least))
        case "<=":
            return Q(LessThan(moment, after))
    within: list[Any] = [GreaterThanOrEqual(moment, least), LessThan(moment, after)]
    equal = Q(*within) if whole else NOTHING
    return ~equal if condition.comparator == "!=" else equal


def _moment(ms: int) -> datetime:
    return EPOCH + ms * ONE_MS

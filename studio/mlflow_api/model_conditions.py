"""Logged models against the clauses of a filter, and in the orders that clients ask for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import (
    Case,
    CharField,
    Exists,
    F,
    FloatField,
    IntegerField,
    OuterRef,
    Q,
    Subquery,
    TextField,
    Value,
    When,
)
from django.db.models.functions import Cast, Coalesce
from django.db.models.lookups import IsNull

from studio.lineage.models import ModelLabel, ModelMetric, ModelStatus
from studio.mlflow_api.errors import wrong
from studio.mlflow_api.filters import LOGGED_MODELS, Condition, parse_sorting
from studio.mlflow_api.label_conditions import text_q
from studio.mlflow_api.moments import EPOCH, MOST_MS, ONE_MS
from studio.search.matching import nfc

PREFIX = "LOGGED_MODEL_"
# As clients' own enumeration calls them; on the wire they have a prefix.
WORDS = {ModelStatus.PENDING: "PENDING", ModelStatus.READY: "READY", ModelStatus.FAILED: "FAILED"}
WIRED = {"UPLOAD_FAILED": "FAILED"}
MOMENTS = {"creation_timestamp": "created_at", "last_updated_timestamp": "updated_at"}
SIGNS = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte", "=": "exact"}
LABELS = {"parameter": ModelLabel.Kind.PARAM, "tag": ModelLabel.Kind.TAG}
MOST_KEYS = 8


def condition_q(condition: Condition, measured_on: Q) -> Q:
    """The models that meet a clause; `measured_on`: which points count. Raises MlflowError."""
    if condition.kind == "metric":
        return _metric_q(condition, measured_on)
    if condition.kind in LABELS:
        labels = ModelLabel.objects.filter(kind=LABELS[condition.kind], key=nfc(condition.key))
        return Q(Exists(labels.filter(text_q("value", condition), model=OuterRef("pk"))))
    if condition.key in MOMENTS:
        return _moment_q(condition)
    return text_q(_text_of(condition.key), _worded(condition))


def measured_on(datasets: Iterable[Mapping[str, Any]]) -> Q:
    """The points that were measured on one of these data sets, each with a name and, perhaps, a
    digest; all points for none. Raises MlflowError."""
    either = Q()
    for i, one in enumerate(datasets):
        name, digest = one.get("dataset_name"), one.get("dataset_digest")
        if not isinstance(name, str) or not name:
            raise wrong(f"Missing value for required parameter 'datasets[{i}].dataset_name'.")
        if digest is not None and not isinstance(digest, str):
            raise wrong(f"Invalid value for parameter 'datasets[{i}].dataset_digest'.")
        either |= Q(dataset_name=nfc(name)) & (Q(dataset_digest=nfc(digest)) if digest else Q())
    return either


def _metric_q(condition: Condition, measured_on: Q) -> Q:
    points = ModelMetric.objects.filter(
        measured_on, model=OuterRef("pk"), name=nfc(condition.key), value__isnull=False
    )
    if condition.comparator == "!=":
        return Q(Exists(points.filter(~Q(value=condition.value))))
    return Q(Exists(points.filter(Q(**{f"value__{SIGNS[condition.comparator]}": condition.value}))))


def _moment_q(condition: Condition) -> Q:
    """A moment is stored to the microsecond and told to the millisecond."""
    if not isinstance(condition.value, int | float) or condition.value != int(condition.value):
        raise wrong(f"{condition.key} is compared with a whole number of milliseconds.")
    column = MOMENTS[condition.key]
    start = EPOCH + max(0, min(int(condition.value), MOST_MS)) * ONE_MS
    end: Any = start + timedelta(milliseconds=1)
    match condition.comparator:
        case "<":
            return Q(**{f"{column}__lt": start})
        case "<=":
            return Q(**{f"{column}__lt": end})
        case ">":
            return Q(**{f"{column}__gte": end})
        case ">=":
            return Q(**{f"{column}__gte": start})
    same = Q(**{f"{column}__gte": start, f"{column}__lt": end})
    return ~same if condition.comparator == "!=" else same


def _text_of(key: str) -> Any:
    """The column, or what is worked out from some, that holds an attribute."""
    if key == "status":
        whens = (When(status=own, then=Value(word)) for own, word in WORDS.items())
        return Case(*whens, default=Value(""), output_field=CharField())
    if key == "source_run_id":
        return Case(When(is_carried=False, then=F("run__uid")), output_field=CharField())
    return "uid" if key == "model_id" else key


def _worded(condition: Condition) -> Condition:
    if condition.key != "status":
        return condition
    value = condition.value
    values = value if isinstance(value, tuple) else (str(value),)
    words = tuple(_status_word(one) for one in values)
    return Condition(
        condition.kind,
        condition.key,
        condition.comparator,
        words if isinstance(value, tuple) else words[0],
    )


def _status_word(text: str) -> str:
    word = text.removeprefix(PREFIX)
    return WIRED.get(word, word)


@dataclass(frozen=True, slots=True)
class Key:
    """One key of an order. value: with `zero` where there is none, which `is_missing` tells."""

    value: Any
    descending: bool
    is_missing: Any = None


NEWEST = (Key(F("created_at"), True), Key(F("pk"), True))


def keys_of(order_by: Sequence[Mapping[str, Any]]) -> tuple[Key, ...]:
    """The keys of a request, and the newest first behind them. Raises MlflowError."""
    if len(order_by) > MOST_KEYS:
        raise wrong(f"Invalid order_by: at most {MOST_KEYS} keys sort.")
    return (*(_key(one) for one in order_by), *NEWEST)


def _key(given: Mapping[str, Any]) -> Key:
    name, ascending = given.get("field_name"), given.get("ascending", True)
    if not isinstance(name, str) or not isinstance(ascending, bool | None):
        raise wrong("Each order_by has a field_name and, perhaps, whether it is ascending.")
    sorting = parse_sorting(name, LOGGED_MODELS)
    descending = ascending is False
    if sorting.kind == "attribute" and sorting.key in MOMENTS:
        return Key(F(MOMENTS[sorting.key]), descending)
    if sorting.kind == "attribute":
        of = _text_of(sorting.key)
        return _partly(F(of) if isinstance(of, str) else of, "", TextField(), descending)
    if sorting.kind == "metric":
        on = measured_on([given]) if given.get("dataset_name") else Q()
        points = ModelMetric.objects.filter(on, model=OuterRef("pk"), name=nfc(sorting.key))
        latest = Subquery(points.order_by("-at_ms", "-step", "-pk").values("value")[:1])
        return _partly(latest, 0.0, FloatField(), descending)
    labels = ModelLabel.objects.filter(
        kind=LABELS[sorting.kind], model=OuterRef("pk"), key=nfc(sorting.key)
    )
    return _partly(Subquery(labels.values("value")[:1]), "", TextField(), descending)


def _partly(value: Any, zero: Any, field: Any, descending: bool) -> Key:
    filled = Coalesce(value, Value(zero, output_field=field), output_field=field)
    return Key(filled, descending, Cast(IsNull(value, True), IntegerField()))

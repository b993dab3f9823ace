"""`experiments/search`: the experiments of the workspace that meet a filter, page by page.

They are few beside their runs: a page sorts those that match, and is cut by value all the same.
"""

from collections.abc import Mapping
from typing import Any

from django.db.models import (
    BigIntegerField,
    Case,
    F,
    Q,
    Value,
    When,
)
from django.db.models.functions import Coalesce, NullIf

from studio.mlflow_api.answers import filled
from studio.mlflow_api.asked import Asked
from studio.mlflow_api.errors import wrong
from studio.mlflow_api.experiments_json import experiment_as_json, updated_at
from studio.mlflow_api.filters import EXPERIMENTS, Condition, Sorting, parse_filter, parse_sorting
from studio.mlflow_api.finding import DEFAULT_NAME, EXPERIMENT_ID
from studio.mlflow_api.label_conditions import NOTE, text_q
from studio.mlflow_api.run_conditions import holds, moment_q
from studio.mlflow_api.run_orders import MOST_KEYS
from studio.mlflow_api.search_arguments import (
    View,
    name_of,
    place_of,
    size_of,
    token_of,
    view_of,
)
from studio.runs.models import Experiment
from studio.runs.querysets import ExperimentQuerySet
from studio.search.cursors import Place
from studio.search.matching import nfc

USUAL_SIZE = 1_000
USUAL_ORDER = ("creation_time DESC",)
_COLUMNS = {
    "name": "shown",
    "experiment_id": "known_id",
    "creation_time": "created_at",
    "last_update_time": "updated",
}


def search_experiments(asked: Asked) -> Mapping[str, Any]:
    """A page of experiments (1 query, and 1 for each clause about a tag)."""
    view, size = view_of(asked, "view_type"), size_of(asked, USUAL_SIZE)
    text, order_by = asked.text_or("filter"), asked.texts("order_by")
    conditions = parse_filter(text, EXPERIMENTS)
    keys = _keys(order_by or list(USUAL_ORDER))
    name = name_of(asked.workspace.pk, "experiments", text, order_by, view)
    place = place_of(asked.text_or("page_token"), name)
    rows = Experiment.objects.of(asked.workspace).annotate(
        shown=Coalesce(NullIf("title", Value("")), "name"),
        known_id=Case(
            When(Q(title=DEFAULT_NAME) | Q(title="", name=DEFAULT_NAME), then=Value(0)),
            default=F("pk"),
            output_field=BigIntegerField(),
        ),
        updated=updated_at(),
    )
    if view is not View.ALL:
        rows = rows.filter(archived_at__isnull=view is View.ACTIVE)
    for condition in conditions:
        rows = rows.filter(_condition_q(condition, rows))
    if place is not None:
        rows = rows.filter(_beyond(place, keys))
    by = [F(column).desc() if down else F(column).asc() for column, down in keys]
    found = list(rows.order_by(*by)[: size + 1])
    token = ""
    if len(found) > size:
        last = found[size - 1]
        token = token_of(Place(tuple(getattr(last, key) for key, _ in keys), last.pk), name)
    room = asked.workspace.name
    listed = [experiment_as_json(one, workspace=room) for one in found[:size]]
    return filled(experiments=listed, next_page_token=token)


def _keys(order_by: list[str]) -> list[tuple[str, bool]]:
    """(column, whether it goes down) of each key; of equal ones the newest id comes first. Raises
    MlflowError."""
    found: dict[str, bool] = {}
    for text in order_by:
        sorting: Sorting = parse_sorting(text, EXPERIMENTS)
        if sorting.kind != "attribute":
            raise wrong(f"Invalid order_by: experiments are not sorted by {sorting.kind}s.")
        found.setdefault(_COLUMNS[sorting.key], sorting.descending)
        if len(found) > MOST_KEYS:
            raise wrong(f"Invalid order_by: at most {MOST_KEYS} keys sort.")
    found.setdefault(_COLUMNS["experiment_id"], True)
    return list(found.items())


def _beyond(place: Place, keys: list[tuple[str, bool]]) -> Q:
    beyond = Q(pk__in=[])
    for (column, down), value in reversed(list(zip(keys, place.values, strict=True))):
        further = Q(**{f"{column}__{'lt' if down else 'gt'}": value})
        beyond = further | (Q(**{column: value}) & beyond)
    return beyond


def _condition_q(condition: Condition, rows: ExperimentQuerySet) -> Q:
    if condition.kind == "tag":
        return _tag_q(condition, rows)
    match condition.key:
        case "name":
            return text_q("shown", condition)
        case "experiment_id":
            return _id_q(condition)
    return moment_q(F(_COLUMNS[condition.key]), condition)


def _id_q(condition: Condition) -> Q:
    value = condition.value
    texts = value if isinstance(value, tuple) else (str(value),)
    for text in texts:
        if not EXPERIMENT_ID.fullmatch(text):
            raise wrong(
                f"Invalid experiment ID '{text[:100]}'. Experiment ID must be a valid integer."
            )
    found = Q(known_id__in=[int(text) for text in texts])
    return ~found if condition.comparator in ("!=", "NOT IN") else found


def _tag_q(condition: Condition, rows: ExperimentQuerySet) -> Q:
    """A tag without a value is one with an empty value to clients. The tags are one column, which
    the databases read differently: those that have the key are looked at here (1 query)."""
    key = nfc(condition.key)
    if key == NOTE:
        has, found = ~Q(description=""), text_q("description", condition)
    else:
        has = found = Q(tags__has_key=key)
        if condition.value is not None:
            does_hold = holds(condition)
            held = rows.order_by().filter(has).values_list("pk", "tags")
            found = Q(pk__in=[pk for pk, tags in held if does_hold(tags[key] or "")])
    if condition.comparator == "IS NULL":
        return ~has
    return has if condition.comparator == "IS NOT NULL" else has & found

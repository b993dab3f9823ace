"""`logged-models/search`: models by MLflow's filters, a page at a time, cut by value."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Exists, OuterRef, Q

from studio.lineage.models import LoggedModel, ModelMetric
from studio.lineage.querysets import LoggedModelQuerySet
from studio.mlflow_api.answers import filled
from studio.mlflow_api.asked import Asked
from studio.mlflow_api.errors import wrong
from studio.mlflow_api.filters import LOGGED_MODELS, parse_filter
from studio.mlflow_api.finding import DEFAULT_ID, DEFAULT_NAME, EXPERIMENT_ID, known_as
from studio.mlflow_api.lineage_json import model_as_json
from studio.mlflow_api.model_conditions import Key, condition_q, keys_of, measured_on
from studio.runs.models import Experiment
from studio.search.cursors import Place, read_cursor, write_cursor

USUAL_PAGE, LARGEST_PAGE, MOST_ASKED = 100, 1_000, 50_000
MOST_EXPERIMENTS, MOST_DATASETS = 5_000, 100


def search(asked: Asked) -> Mapping[str, Any]:
    """Models that are not deleted, newest first unless asked for otherwise. Queries: 5 a page."""
    order_by = asked.objects("order_by")
    keys = keys_of(order_by)
    order = f"mlflow-models {json.dumps(order_by, sort_keys=True)}"
    n = _page_size(asked)
    places = _places(_models(asked), keys, _place(asked, order), n + 1)
    shown = [place.pk for place in places[:n]]
    read = LoggedModel.objects.of(asked.workspace).with_labels().in_bulk(shown)
    token = write_cursor(places[n - 1], order) if len(places) > n else ""
    models = [model_as_json(read[pk]) for pk in shown if pk in read]
    return filled(models=models, next_page_token=token)


def _models(asked: Asked) -> LoggedModelQuerySet:
    on = measured_on(asked.objects("datasets", most=MOST_DATASETS))
    found = LoggedModel.objects.of(asked.workspace).in_experiments(_experiments(asked))
    found = found.filter(experiment__archived_at=None)
    for condition in parse_filter(asked.text_or("filter"), LOGGED_MODELS):
        found = found.filter(condition_q(condition, on))
    if on:
        found = found.filter(Exists(ModelMetric.objects.filter(on, model=OuterRef("pk"))))
    return found


def _experiments(asked: Asked) -> list[Experiment]:
    """Those of the workspace that the request names (1 query); unknown ones hold nothing."""
    ids = asked.texts("experiment_ids")
    if not ids or len(ids) > MOST_EXPERIMENTS:
        raise wrong(f"Name 1 to {MOST_EXPERIMENTS:,} 'experiment_ids'.")
    if odd := [one for one in ids if not EXPERIMENT_ID.fullmatch(one)]:
        raise wrong(f"Invalid experiment ID '{odd[0][:100]}': it must be a whole number.")
    wanted = Q(pk__in={int(one) for one in ids})
    if DEFAULT_ID in ids:
        wanted |= known_as(DEFAULT_NAME)
    found = Experiment.objects.of(asked.workspace).filter(wanted).only("pk")
    return list(found.order_by())


def _page_size(asked: Asked) -> int:
    n = asked.whole_or("max_results", USUAL_PAGE) or USUAL_PAGE
    if not 1 <= n <= MOST_ASKED:
        raise wrong(f"Invalid value {n} for parameter 'max_results': 1 to {MOST_ASKED:,}.")
    return min(n, LARGEST_PAGE)


def _place(asked: Asked, order: str) -> Place | None:
    token = asked.text_or("page_token")
    place = read_cursor(token, order) if token else None
    if token and place is None:
        raise wrong("Invalid page token: it is damaged, or of another order.")
    return place


def _places(
    models: LoggedModelQuerySet, keys: Sequence[Key], place: Place | None, n: int
) -> list[Place]:
    """The next `n` models behind `place` (1 query)."""
    names: dict[str, Any] = {}
    down: dict[str, bool] = {}
    for i, key in enumerate(keys):
        if key.is_missing is not None:
            names[f"missing{i}"], down[f"missing{i}"] = key.is_missing, False
        names[f"value{i}"], down[f"value{i}"] = key.value, key.descending
    rows = models.annotate(**names)
    if place is not None:
        beyond = Q()
        for name, value in reversed(list(zip(names, place.values, strict=True))):
            further = Q(**{f"{name}__{'lt' if down[name] else 'gt'}": value})
            beyond = further | (Q(**{name: value}) & beyond) if beyond else further
        rows = rows.filter(beyond)
    by = [f"{'-' if down[name] else ''}{name}" for name in names]
    found = rows.select_related(None).order_by(*by).values_list("pk", *names)[:n]
    return [Place(tuple(row[1:]), row[0]) for row in found]

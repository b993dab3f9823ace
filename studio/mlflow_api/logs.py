"""Points, parameters and tags as training code logs them: the calls that clients make most.

A batch is stored whole or not at all, and one that is sent again after a lost answer changes
nothing.
"""

import json
from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse

from studio import counters
from studio.accounts.permissions import Actor
from studio.lineage.actions import note_model_points
from studio.metrics.actions import record_points
from studio.mlflow_api.asked import Asked, labels_in
from studio.mlflow_api.errors import wrong
from studio.mlflow_api.keys import check_keys
from studio.mlflow_api.points import Sent, read_points
from studio.mlflow_api.tags import put_tags
from studio.mlflow_api.writing import run_to_write_to
from studio.runs.actions import change_tags
from studio.runs.actions.write_once import add_parameters
from studio.runs.models import Run, Tag
from studio.runs.turn import in_turn

MAX_BATCH_BYTES = 1_000_000
MAX_METRICS, MAX_PARAMS, MAX_TAGS, MAX_ALL = 1_000, 100, 100, 1_000
# Longer ones are cut, as other servers of this protocol do.
MAX_PARAM_VALUE = 6_000
# One tag holds all models of a run, each with its signature.
MODELS, MAX_MODELS = "mlflow.log-model.history", 200_000


def log_metric(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Store one point. Queries: 9, of which 2 are the transaction's."""
    asked, run = run_to_write_to(request, actor)
    _store_points(run, read_points([dict(asked.arguments)], where=""), asked.actor)
    return done()


def log_parameter(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Store one parameter, which keeps its value for good."""
    asked, run = run_to_write_to(request, actor)
    add_parameters(run, _params([dict(asked.arguments)]), by=asked.actor)
    return done()


def log_batch(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Store metrics, parameters and tags, all or none."""
    _refuse_long(request)
    asked, run = run_to_write_to(request, actor)
    metrics = asked.objects("metrics", most=MAX_METRICS)
    params = asked.objects("params", most=MAX_PARAMS)
    tags = asked.objects("tags", most=MAX_TAGS)
    n_all = len(metrics) + len(params) + len(tags)
    if n_all > MAX_ALL:
        raise wrong(
            f"A batch logging request can contain at most {MAX_ALL} metrics, params and tags "
            f"together. Got {n_all}. Please split them up across multiple requests and try again."
        )
    sent = read_points(metrics) if metrics else None
    _store(run, sent, _params(params), dict(labels_in(tags, "tags")), asked.actor)
    return done()


def _refuse_long(request: HttpRequest) -> None:
    n_bytes = len(request.body)
    if n_bytes > MAX_BATCH_BYTES:
        raise wrong(
            f"Batched logging API requests must be at most {MAX_BATCH_BYTES} bytes, got a request "
            f"of size {n_bytes}."
        )


def _store(
    run: Run, sent: Sent | None, params: dict[str, str], tags: dict[str, str], by: Actor
) -> None:
    if sent and not params and not tags:
        _store_points(run, sent, by)
        return
    with in_turn():
        if params:
            add_parameters(run, params, by=by)
        if tags:
            put_tags(run, tags, by=by)
        if sent:
            _store_points(run, sent, by)


def _store_points(run: Run, sent: Sent, by: Actor) -> None:
    if sent.of_models:
        with in_turn():
            is_new = record_points(run, sent.batch_id, sent.series, by=by)
            if is_new:
                note_model_points(run, sent.of_models, by=by)
    else:
        is_new = record_points(run, sent.batch_id, sent.series, by=by)
    if is_new:
        counters.POINTS.inc(sum(len(one.steps) for one in sent.series))


def _params(found: Sequence[dict[str, Any]]) -> dict[str, str]:
    labels = [(key, value[:MAX_PARAM_VALUE]) for key, value in labels_in(list(found), "params")]
    params = dict(labels)
    check_keys(params, "param")
    if len(params) < len(labels):
        raise wrong(
            "Duplicate parameter keys have been submitted. Please ensure the request contains "
            "only one param value per param key."
        )
    return params


def log_model(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Note a model that a client of MLflow 2 logged, in the tag where such clients look for it."""
    asked, run = run_to_write_to(request, actor)
    model = _model(asked)
    with in_turn():
        Run.objects.select_for_update().only("pk").get(pk=run.pk)
        tag = Tag.objects.filter(run=run, key=MODELS).first()
        known = _list_in(tag.whole_value if tag else None)
        if model not in known:
            listed = json.dumps([*known, model])
            change_tags(run, put={MODELS: listed}, by=asked.actor, most=MAX_MODELS)
    return done()


def _model(asked: Asked) -> dict[str, Any]:
    try:
        model = json.loads(asked.text("model_json"))
    except (ValueError, RecursionError):
        model = None
    if not isinstance(model, dict):
        raise wrong("Malformed model info. 'model_json' must be the JSON of an object.")
    needed = {"artifact_path", "flavors", "utc_time_created", "run_id"} - model.keys()
    if needed:
        raise wrong(f"Model json is missing mandatory fields: {', '.join(sorted(needed))}.")
    return model


def _list_in(text: str | None) -> list[Any]:
    """What the tag lists; nothing when somebody has written something else there."""
    try:
        found = json.loads(text or "[]")
    except (ValueError, RecursionError):
        return []
    return found if isinstance(found, list) else []


def done() -> HttpResponse:
    """The answer of a write that says nothing."""
    return HttpResponse(b"{}", content_type="application/json")

"""`runs/search`: the runs of some experiments that meet a filter, page by page."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db.models import Q
from django.http import HttpResponseBase, StreamingHttpResponse
from django.utils import timezone

from studio.mlflow_api.answers import filled
from studio.mlflow_api.asked import Asked
from studio.mlflow_api.errors import wrong
from studio.mlflow_api.filters import RUNS, parse_filter
from studio.mlflow_api.finding import DEFAULT_ID, DEFAULT_NAME, EXPERIMENT_ID, known_as
from studio.mlflow_api.run_conditions import apply
from studio.mlflow_api.run_orders import keys_of
from studio.mlflow_api.run_pages import Walk
from studio.mlflow_api.runs_json import among, runs_as_json
from studio.mlflow_api.search_arguments import (
    View,
    name_of,
    place_of,
    size_of,
    token_of,
    view_of,
)
from studio.runs.models import Experiment, Run
from studio.runs.querysets import RunQuerySet
from studio.search.scope import FEW, Scope

USUAL_SIZE = 1_000
# So many runs are in memory at once; a larger answer is written piece by piece.
AT_ONCE = 1_000
_COLUMNS = (
    *("uid", "display_name", "status", "created_at", "started_at", "ended_at", "deleted_at"),
    *("experiment_id", "submitter_id", "parent_id"),
)


def search_runs(asked: Asked) -> Mapping[str, Any] | HttpResponseBase:
    """A page of runs. Queries: bounded by the clauses and keys, and those of `runs_as_json` for
    each 1,000 runs of the page."""
    view, size = view_of(asked, "run_view_type"), size_of(asked, USUAL_SIZE)
    text, order_by = asked.text_or("filter"), asked.texts("order_by")
    conditions = parse_filter(text, RUNS)
    keys = keys_of(order_by, asked.workspace.pk)
    ids = _experiment_ids(asked)
    name = name_of(asked.workspace.pk, ids, text, order_by, view)
    place = place_of(asked.text_or("page_token"), name)
    experiments = _experiments(asked, ids)
    if not experiments:
        return {}
    scope = Scope.of(None, timezone.now(), asked.workspace)
    if not keys[0].lanes:
        scope.n_walked_for = size + 1
    runs = apply(_in_view(experiments, view, scope), conditions, scope)
    places = Walk(runs, keys, tuple(experiments)).page(place, size + 1)
    token = token_of(places[size - 1], name) if len(places) > size else ""
    return _answer([place.pk for place in places[:size]], token)


def _experiment_ids(asked: Asked) -> list[str]:
    """The ids of the request as they are, each once. Raises MlflowError."""
    given = asked.arguments.get("experiment_ids")
    if isinstance(given, str) and asked.request.method != "GET":
        raise wrong("Invalid value for parameter 'experiment_ids': it must be a list of strings.")
    ids = sorted(set(asked.texts("experiment_ids")))
    for one in ids:
        if not EXPERIMENT_ID.fullmatch(one):
            raise wrong(
                f"Invalid experiment ID '{one[:100]}'. Experiment ID must be a valid integer."
            )
    return ids


def _experiments(asked: Asked, ids: Sequence[str]) -> dict[int, bool]:
    """Those experiments of the workspace that there are, those with most runs first: primary key ->
    whether it is archived (1 query)."""
    if not ids:
        return {}
    rows = Experiment.objects.of(asked.workspace).order_by("-last_number", "pk")
    found = among(rows, [int(one) for one in ids], column="pk")
    if DEFAULT_ID in ids:
        found = found | rows.filter(known_as(DEFAULT_NAME))
    return {pk: at is not None for pk, at in found.values_list("pk", "archived_at")}


def _in_view(experiments: Mapping[int, bool], view: View, scope: Scope) -> RunQuerySet:
    """The runs of a view; those of an archived experiment are deleted (1 query for DELETED)."""
    runs = Run.objects.order_by()
    if view is View.ALL:
        return runs.filter(_of(list(experiments)))
    live = _of([pk for pk, is_archived in experiments.items() if not is_archived])
    if view is View.ACTIVE:
        return runs.filter(live, deleted_at=None)
    trash = Run.objects.in_trash().filter(workspace__in=scope.workspace_ids)
    ids = list(trash.order_by().values_list("pk", flat=True)[: FEW + 1])
    deleted = Q(pk__in=ids) if len(ids) <= FEW else Q(deleted_at__isnull=False)
    gone = [pk for pk, is_archived in experiments.items() if is_archived]
    return runs.filter(live & deleted | _of(gone)) if gone else runs.filter(live & deleted)


def _of(experiment_ids: list[int]) -> Q:
    if len(experiment_ids) == 1:
        return Q(experiment=experiment_ids[0])
    return Q(experiment__in=experiment_ids)


def _answer(ids: Sequence[int], token: str) -> Mapping[str, Any] | HttpResponseBase:
    if len(ids) <= AT_ONCE:
        return filled(runs=_load(ids), next_page_token=token)
    return StreamingHttpResponse(_pieces(ids, token), content_type="application/json")


def _pieces(ids: Sequence[int], token: str) -> Iterator[bytes]:
    start = '{"runs":['
    for i in range(0, len(ids), AT_ONCE):
        some = _load(ids[i : i + AT_ONCE])
        if some:
            text = json.dumps(some, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
            yield f"{start}{text[1:-1]}".encode("utf-8", "replace")
            start = ","
    end = f',"next_page_token":{json.dumps(token)}' if token else ""
    yield f"{'' if start == ',' else start}]{end}}}".encode()


def _load(ids: Sequence[int]) -> list[dict[str, Any]]:
    """The runs of these ids in their order; one that was deleted meanwhile is left out."""
    by_id = {run.pk: run for run in among(Run.objects.only(*_COLUMNS), ids, column="pk")}
    return runs_as_json([by_id[pk] for pk in ids if pk in by_id])

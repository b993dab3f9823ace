"""The data sets and models that a run used, and the models it made."""

import math
from typing import Any

from django.http import HttpRequest
from ninja import Path, Router
from ninja.params.functions import Query
from pydantic import Field

from studio.api.access import run_of
from studio.api.events import row_id
from studio.api.paging import Limit
from studio.api.schemas import Closed, answers
from studio.api.serialize import iso
from studio.lineage.actions import MOST_INPUTS, MOST_MODELS
from studio.lineage.finding import inputs_of_run, models_of_run, models_used_by
from studio.lineage.models import LoggedModel, ModelLabel, ModelMetric, RunInput

router = Router(tags=["runs"])
MOST_POINTS = 100


class DatasetUse(Closed):
    name: str
    digest: str
    source_type: str
    source: str
    schema_text: str = Field(description='As the client wrote it; "" beyond a million characters')
    profile: str = Field(description="Likewise")
    context: str
    tags: dict[str, str]


class ModelName(Closed):
    id: str
    name: str
    run: str


class ModelPoint(Closed):
    name: str
    value: float | str = Field(description="A number, or NaN, inf or -inf as text")
    step: int
    at_ms: int
    run: str
    dataset_name: str
    dataset_digest: str


class ModelItem(Closed):
    id: str
    name: str
    type: str
    status: str = Field(description="pending, ready or failed")
    run: str = Field(description="The run among whose files those of the model are")
    folder: str = Field(description="What the paths of its files begin with")
    created_at: str
    deleted_at: str | None
    parameters: dict[str, str]
    tags: dict[str, str]
    metrics: list[ModelPoint] = Field(description=f"The first {MOST_POINTS} by name and step")


class RunLineage(Closed):
    datasets: list[DatasetUse]
    models_used: list[ModelName]
    models: list[ModelItem]
    next: str | None


@router.get("/runs/{uid}/lineage", response=answers(RunLineage))
def get_lineage(
    request: HttpRequest,
    workspace: Path[str],
    uid: str,
    cursor: str = Query("", description="The `next` of the page before"),
    limit: int = Limit,
) -> Any:
    """What a run used and made. The models it made come in pages; data sets and models used, at
    most 1,000 of each, with the first page only."""
    run = run_of(request, workspace, uid)
    after = row_id("cursor", cursor) if cursor else 0
    models = models_of_run(run, most=limit + 1, most_points=MOST_POINTS, after=after)
    inputs = [] if cursor else inputs_of_run(run, most=MOST_INPUTS)
    used = [] if cursor else models_used_by(run, most=MOST_MODELS)
    return {
        "datasets": [_dataset(use) for use in inputs],
        "models_used": [{"id": one.uid, "name": one.name, "run": one.run.uid} for one in used],
        "models": [_model(one) for one in models[:limit]],
        "next": str(models[limit - 1].pk) if len(models) > limit else None,
    }


def _dataset(use: RunInput) -> dict[str, Any]:
    dataset = use.dataset
    return {
        "name": dataset.name,
        "digest": dataset.digest,
        "source_type": dataset.source_type,
        "source": dataset.source,
        "schema_text": dataset.schema_text,
        "profile": dataset.profile,
        "context": use.context,
        "tags": use.labels,
    }


def _model(model: LoggedModel) -> dict[str, Any]:
    labels: dict[str, dict[str, str]] = {kind: {} for kind in ModelLabel.Kind.values}
    for label in model.labels.all():
        labels[label.kind][label.key] = label.value
    return {
        "id": model.uid,
        "name": model.name,
        "type": model.model_type,
        "status": model.status,
        "run": model.run.uid,
        "folder": model.folder,
        "created_at": iso(model.created_at),
        "deleted_at": iso(model.deleted_at),
        "parameters": labels[ModelLabel.Kind.PARAM],
        "tags": labels[ModelLabel.Kind.TAG],
        "metrics": [_point(point) for point in model.points],
    }


def _point(point: ModelMetric) -> dict[str, Any]:
    value = math.nan if point.value is None else point.value
    return {
        "name": point.name,
        "value": value if math.isfinite(value) else str(value).replace("nan", "NaN"),
        "step": point.step,
        "at_ms": point.at_ms,
        "run": point.run.uid,
        "dataset_name": point.dataset_name,
        "dataset_digest": point.dataset_digest,
    }

"""Data sets and models as clients read them."""

import math
from collections.abc import Sequence
from typing import Any

from studio.lineage.finding import Lineage, of_runs
from studio.lineage.models import LoggedModel, ModelLabel, ModelMetric, ModelStatus, RunInput
from studio.mlflow_api.answers import double, filled, pairs
from studio.mlflow_api.finding import experiment_id_of
from studio.mlflow_api.moments import ms_of
from studio.runs.models import Run

STATUS = {
    ModelStatus.PENDING: "LOGGED_MODEL_PENDING",
    ModelStatus.READY: "LOGGED_MODEL_READY",
    ModelStatus.FAILED: "LOGGED_MODEL_UPLOAD_FAILED",
}


def inputs_and_outputs(runs: Sequence[Run]) -> dict[int, dict[str, Any]]:
    """Id of each run -> what belongs into its `run` object: `inputs` and `outputs`, each left out
    when it is empty. Queries: at most 4, whatever the number of runs."""
    return {pk: _told(lineage) for pk, lineage in of_runs(runs).items()}


def _told(lineage: Lineage) -> dict[str, Any]:
    inputs = filled(
        dataset_inputs=[_input(one) for one in lineage.inputs],
        model_inputs=[{"model_id": uid} for uid in lineage.models_in],
    )
    outputs = filled(
        model_outputs=[{"model_id": uid, "step": step} for uid, step in lineage.models_out]
    )
    return filled(inputs=inputs, outputs=outputs)


def _input(one: RunInput) -> dict[str, Any]:
    dataset = one.dataset
    told = filled(
        name=dataset.name,
        digest=dataset.digest,
        source_type=dataset.source_type,
        source=dataset.source,
        schema=dataset.schema_text,
        profile=dataset.profile,
    )
    return filled(dataset=told, tags=pairs(one.labels))


def model_as_json(model: LoggedModel) -> dict[str, Any]:
    """The `model` object; run, experiment, labels and points were read with it (`with_labels`)."""
    labels: dict[str, dict[str, str | None]] = {kind: {} for kind in ModelLabel.Kind.values}
    for label in model.labels.all():
        labels[label.kind][label.key] = label.value
    info = filled(
        model_id=model.uid,
        experiment_id=experiment_id_of(model.experiment),
        name=model.name,
        model_type=model.model_type,
        source_run_id=model.source_run_uid,
        artifact_uri=artifact_uri_of_model(model),
        status=STATUS[ModelStatus(model.status)],
        creation_timestamp_ms=ms_of(model.created_at),
        last_updated_timestamp_ms=ms_of(model.updated_at),
        tags=pairs(labels[ModelLabel.Kind.TAG]),
    )
    data = filled(
        params=pairs(labels[ModelLabel.Kind.PARAM]),
        metrics=[_point(model, point) for point in model.points],
    )
    return filled(info=info, data=data)


def artifact_uri_of_model(model: LoggedModel) -> str:
    """Where clients put and look for the files of a model."""
    return f"mlflow-artifacts:/{experiment_id_of(model.experiment)}/models/{model.uid}/artifacts"


def _point(model: LoggedModel, point: ModelMetric) -> dict[str, Any]:
    return {
        "key": point.name,
        "value": double(math.nan if point.value is None else point.value),
        "timestamp": point.at_ms,
        "step": point.step,
        "model_id": model.uid,
        "run_id": point.run.uid,
        **filled(dataset_name=point.dataset_name, dataset_digest=point.dataset_digest),
    }

"""What a run used and made: `runs/log-inputs` and `runs/outputs`."""

from collections.abc import Mapping
from typing import Any

from studio.lineage.actions import note_inputs, note_outputs
from studio.lineage.checks import NewInput
from studio.mlflow_api.asked import Asked, labels_in, whole
from studio.mlflow_api.errors import wrong
from studio.mlflow_api.finding import refuse_if_cancelled, run_id_of, run_of
from studio.runs.models import Run

MOST_DATASETS = MOST_MODELS = 1_000
TEXTS = ("name", "digest", "source_type", "source", "schema", "profile")


def log_inputs(asked: Asked) -> Mapping[str, Any]:
    """Note data sets and models that a run used; said again, nothing is there twice."""
    run = _run(asked)
    inputs = [_input(one, i) for i, one in enumerate(asked.objects("datasets", most=MOST_DATASETS))]
    models = [_model_id(one, i) for i, one in enumerate(asked.objects("models", most=MOST_MODELS))]
    note_inputs(run, inputs, models=models, by=asked.actor)
    return {}


def log_outputs(asked: Asked) -> Mapping[str, Any]:
    """Note the models that came out of a run."""
    run = _run(asked)
    outputs = {
        _model_id(one, i): whole(one.get("step") or 0, f"models[{i}].step")
        for i, one in enumerate(asked.objects("models", most=MOST_MODELS))
    }
    note_outputs(run, outputs, by=asked.actor)
    return {}


def _run(asked: Asked) -> Run:
    run = run_of(asked, run_id_of(asked))
    refuse_if_cancelled(run)
    return run


def _input(given: Mapping[str, Any], i: int) -> NewInput:
    dataset = given.get("dataset")
    if not isinstance(dataset, dict):
        raise wrong(f"Missing value for required parameter 'datasets[{i}].dataset'.")
    texts = {name: _text(dataset, name, f"datasets[{i}].dataset.{name}") for name in TEXTS}
    tags = given.get("tags") or []
    if not isinstance(tags, list) or not all(isinstance(one, dict) for one in tags):
        raise wrong(f"Invalid value for parameter 'datasets[{i}].tags': it must be a list.")
    return NewInput(**texts, labels=dict(labels_in(tags, f"datasets[{i}].tags")))


def _model_id(given: Mapping[str, Any], i: int) -> str:
    found = _text(given, "model_id", f"models[{i}].model_id")
    if not found:
        raise wrong(f"Missing value for required parameter 'models[{i}].model_id'.")
    return found


def _text(given: Mapping[str, Any], name: str, where: str) -> str:
    value = given.get(name)
    if value is not None and not isinstance(value, str):
        raise wrong(f"Invalid value for parameter '{where}': it must be a string.")
    return value or ""

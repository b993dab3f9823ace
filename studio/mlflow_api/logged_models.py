"""Logged models: made, read, finished, labelled, deleted."""

from collections.abc import Mapping
from typing import Any

from studio.accounts.permissions import Permission, require
from studio.lineage.model_actions import (
    NewModel,
    add_model_params,
    create_model,
    delete_model,
    finish_model,
    put_model_tags,
    remove_model_tag,
)
from studio.lineage.models import LoggedModel, ModelStatus
from studio.mlflow_api.asked import Asked, labels_in
from studio.mlflow_api.errors import missing, wrong
from studio.mlflow_api.finding import experiment_of, lifecycle_of, refuse_if_cancelled, run_of
from studio.mlflow_api.lineage_json import STATUS, model_as_json

MOST_PARAMS = 100
STATUSES = {word: status for status, word in STATUS.items()}


def model_of(
    asked: Asked, uid: str, *, deleted: bool = False, is_told: bool = False
) -> LoggedModel:
    """The model with its run and experiment (1 query, 2 more to tell of it). Unless `deleted`, one
    that was deleted, by itself or with its run, is not there. Raises MlflowError."""
    models = LoggedModel.objects.of(asked.workspace, deleted=True)
    model = (models.with_labels() if is_told else models).filter(uid=uid).first()
    if model is not None:
        model.workspace = model.run.workspace = asked.workspace
        model.run.experiment = model.experiment
        is_deleted = model.deleted_at is not None or lifecycle_of(model.run) == "deleted"
        if deleted or not is_deleted:
            return model
    raise missing(f"Logged model with ID '{uid[:100]}' not found.")


def create(asked: Asked) -> Mapping[str, Any]:
    """A model, whose files are to be put to its artifact_uri."""
    require(asked.actor, Permission.LOG_TO_RUN, asked.workspace)
    experiment = experiment_of(asked, asked.text("experiment_id"), deleted=False)
    source = asked.text_or("source_run_id")
    run = run_of(asked, source) if source else None
    if run is not None:
        refuse_if_cancelled(run)
    new = NewModel(
        name=asked.text_or("name"),
        model_type=asked.text_or("model_type"),
        params=_labels(asked, "params"),
        tags=_labels(asked, "tags"),
    )
    model = create_model(experiment, new, source=run, by=asked.actor)
    return _told(asked, model.uid)


def get(asked: Asked, model_id: str) -> Mapping[str, Any]:
    """One model."""
    deleted = asked.text_or("allow_deleted").lower() == "true"
    return {"model": model_as_json(model_of(asked, model_id, deleted=deleted, is_told=True))}


def finish(asked: Asked, model_id: str) -> Mapping[str, Any]:
    """Say whether its files are there."""
    model = model_of(asked, model_id)
    word = asked.text("status")
    status = STATUSES.get(word)
    if status is None or status == ModelStatus.PENDING:
        wanted = " or ".join(word for word, one in STATUSES.items() if one != ModelStatus.PENDING)
        raise wrong(f"Invalid value '{word[:100]}' for parameter 'status': it must be {wanted}.")
    finish_model(model, status, by=asked.actor)
    return _told(asked, model.uid)


def delete(asked: Asked, model_id: str) -> Mapping[str, Any]:
    """Delete a model; its files stay with its run."""
    delete_model(model_of(asked, model_id), by=asked.actor)
    return {}


def add_params(asked: Asked, model_id: str) -> Mapping[str, Any]:
    """More parameters."""
    model = model_of(asked, model_id)
    add_model_params(model, _labels(asked, "params"), by=asked.actor)
    return {}


def put_tags(asked: Asked, model_id: str) -> Mapping[str, Any]:
    """Tags, over those of the same keys."""
    model = model_of(asked, model_id)
    put_model_tags(model, _labels(asked, "tags"), by=asked.actor)
    return _told(asked, model.uid)


def remove_tag(asked: Asked, model_id: str, key: str) -> Mapping[str, Any]:
    """Remove a tag."""
    if not remove_model_tag(model_of(asked, model_id), key, by=asked.actor):
        raise missing(f"No tag with key '{key[:250]}' found for model with ID '{model_id}'.")
    return {}


def _told(asked: Asked, uid: str) -> Mapping[str, Any]:
    """The model as it is stored now."""
    return {"model": model_as_json(model_of(asked, uid, is_told=True))}


def _labels(asked: Asked, name: str) -> dict[str, str]:
    given = list(labels_in(asked.objects(name, most=MOST_PARAMS), name))
    found = dict(given)
    if len(found) < len(given):
        raise wrong(f"Duplicate keys in '{name}': each may be there once.")
    return found

"""Making experiments, reading them, renaming, deleting and restoring them, and their tags."""

from typing import Any

from django.db import transaction

from studio.mlflow_api.asked import Asked, labels_in
from studio.mlflow_api.errors import MlflowError, missing, wrong
from studio.mlflow_api.experiments_json import experiment_as_json, updated_at
from studio.mlflow_api.finding import experiment_id_of, experiment_of
from studio.mlflow_api.keys import check_keys
from studio.mlflow_api.runs_json import NOTE
from studio.runs.actions.experiments import (
    archive_experiment,
    describe_experiment,
    reactivate_experiment,
    tag_experiment,
)
from studio.runs.actions.titles import MAX_TITLE, create_titled, retitle_experiment
from studio.runs.models import Experiment
from studio.runs.querysets import ExperimentQuerySet

MAX_TAG_VALUE = 20_000


def create(asked: Asked) -> dict[str, Any]:
    """POST experiments/create."""
    name = _name_of(asked, "name")
    tags = dict(labels_in(asked.objects("tags"), "tags"))
    with transaction.atomic():
        made = create_titled(asked.workspace, name, by=asked.actor)
        if tags:
            _put_tags(asked, made, tags)
    return {"experiment_id": experiment_id_of(made)}


def _name_of(asked: Asked, field: str) -> str:
    name = asked.text(field)
    if len(name) > MAX_TITLE:
        raise wrong(f"'name' exceeds the maximum length of {MAX_TITLE} characters")
    return name


def get(asked: Asked) -> dict[str, Any]:
    """GET experiments/get: deleted ones too."""
    found = experiment_of(asked, asked.text("experiment_id"))
    return _answer(asked, Experiment.objects.filter(pk=found.pk))


def get_by_name(asked: Asked) -> dict[str, Any]:
    """GET experiments/get-by-name: deleted ones too."""
    name = asked.text("experiment_name")
    known = Experiment.objects.of(asked.workspace).known_as(name)
    try:
        return _answer(asked, known)
    except Experiment.DoesNotExist:
        raise missing(f"Could not find experiment with name '{name[:500]}'") from None


def _answer(asked: Asked, found: ExperimentQuerySet) -> dict[str, Any]:
    experiment = found.annotate(updated=updated_at()).get()
    return {"experiment": experiment_as_json(experiment, workspace=asked.workspace.name)}


def update(asked: Asked) -> dict[str, Any]:
    """POST experiments/update: another name."""
    experiment = experiment_of(asked, asked.text("experiment_id"))
    name = _name_of(asked, "new_name")
    if experiment.archived_at is not None:
        raise MlflowError("INVALID_STATE", "Cannot rename a deleted experiment. Restore it first.")
    retitle_experiment(experiment, name, by=asked.actor)
    return {}


def delete(asked: Asked) -> dict[str, Any]:
    """POST experiments/delete: archived here, and its runs read as deleted."""
    experiment = experiment_of(asked, asked.text("experiment_id"))
    if experiment.archived_at is not None:
        raise missing(f"No active experiment with id={experiment_id_of(experiment)} exists")
    archive_experiment(experiment, by=asked.actor)
    return {}


def restore(asked: Asked) -> dict[str, Any]:
    """POST experiments/restore."""
    experiment = experiment_of(asked, asked.text("experiment_id"))
    if experiment.archived_at is None:
        raise missing(f"No deleted experiment with id={experiment_id_of(experiment)} exists")
    reactivate_experiment(experiment, by=asked.actor)
    return {}


def set_tag(asked: Asked) -> dict[str, Any]:
    """POST experiments/set-experiment-tag."""
    experiment = experiment_of(asked, asked.text("experiment_id"), deleted=False)
    _put_tags(asked, experiment, {asked.text("key"): asked.text_or("value")})
    return {}


def _put_tags(asked: Asked, experiment: Experiment, tags: dict[str, str]) -> None:
    check_keys(tags, "tag")
    for key, value in tags.items():
        if len(value) > MAX_TAG_VALUE:
            raise wrong(f"'{key}' exceeds the maximum length of {MAX_TAG_VALUE} characters")
    others = {key: value for key, value in tags.items() if key != NOTE}
    if NOTE in tags:
        describe_experiment(experiment, tags[NOTE], by=asked.actor)
    if others:
        tag_experiment(experiment, put=others, by=asked.actor, most=MAX_TAG_VALUE)


def delete_tag(asked: Asked) -> dict[str, Any]:
    """POST experiments/delete-experiment-tag."""
    experiment = experiment_of(asked, asked.text("experiment_id"), deleted=False)
    key = asked.text("key")
    if key == NOTE and experiment.description:
        describe_experiment(experiment, "", by=asked.actor)
    elif key in experiment.tags:
        tag_experiment(experiment, remove=[key], by=asked.actor)
    else:
        raise missing(
            f"No tag with name: {key[:300]} in experiment with id {experiment_id_of(experiment)}"
        )
    return {}

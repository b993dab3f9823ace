"""Experiments as clients read them."""

from typing import Any

from django.db.models import OuterRef, Subquery
from django.db.models.functions import Coalesce

from studio.mlflow_api.answers import filled, pairs
from studio.mlflow_api.finding import ACTIVE, DELETED, experiment_id_of
from studio.mlflow_api.moments import ms_of
from studio.mlflow_api.runs_json import NOTE
from studio.runs.models import Experiment, ExperimentEvent

# What MLflow counts as a change of an experiment: not its tags.
_CHANGES = ("archived", "name")


def updated_at() -> Any:
    """When an experiment was made, renamed, archived or restored, whichever came last."""
    events = ExperimentEvent.objects.filter(experiment=OuterRef("pk"), kind__in=_CHANGES)
    return Coalesce(Subquery(events.order_by("-pk").values("at")[:1]), "created_at")


def experiment_as_json(experiment: Experiment, *, workspace: str) -> dict[str, Any]:
    """The `experiment` object of one that was read with `updated_at` of that name."""
    number = experiment_id_of(experiment)
    tags = dict(experiment.tags)
    if experiment.description:
        tags[NOTE] = experiment.description
    return filled(
        experiment_id=number,
        name=experiment.shown_name,
        artifact_location=f"mlflow-artifacts:/{number}",
        lifecycle_stage=DELETED if experiment.archived_at else ACTIVE,
        creation_time=ms_of(experiment.created_at),
        last_update_time=ms_of(getattr(experiment, "updated", None) or experiment.created_at),
        tags=pairs(tags),
        workspace=workspace,
    )

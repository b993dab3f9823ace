"""Runs as clients read them: info, data, inputs and outputs."""

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet, prefetch_related_objects
from django.db.models.expressions import RawSQL

from studio.mlflow_api.answers import filled, pairs
from studio.mlflow_api.finding import experiment_id_of, lifecycle_of
from studio.mlflow_api.lineage_json import inputs_and_outputs
from studio.mlflow_api.moments import ms_of
from studio.mlflow_api.runs_read import (
    USER_ID,
    Facts,
    facts_of,
    latest_metrics,
    parameters_of,
    tags_of,
)
from studio.queries.reading import these
from studio.runs.actions import NewRun
from studio.runs.limits import clean_labels
from studio.runs.models import Run
from studio.runs.status import ACTIVE, Status

RUN_NAME, NOTE = "mlflow.runName", "mlflow.note.content"
PARENT, USER = "mlflow.parentRunId", "mlflow.user"
STATUS = {
    **dict.fromkeys(ACTIVE, "RUNNING"),
    **dict.fromkeys(
        (Status.NOT_STARTED, Status.QUEUED, Status.STARTING, Status.PREPARING), "SCHEDULED"
    ),
    Status.COMPLETED: "FINISHED",
    Status.FAILED: "FAILED",
    Status.CANCELED: "KILLED",
}
# There in every answer, also without anything in them.
EMPTY: dict[str, Any] = {"inputs": {}, "outputs": {}}
# Of a run that was deleted meanwhile.
NOTHING_KNOWN = Facts("", "", "", "")


def run_as_json(run: Run) -> dict[str, Any]:
    """As `runs_as_json`, for one."""
    return runs_as_json([run])[0]


def runs_as_json(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """The whole `run` object of each, in their order. Queries: at most 8, whatever their number
    (facts, tags, parameters, metrics, three of `inputs_and_outputs`, and the experiments where they
    were not read with the runs)."""
    if not runs:
        return []
    prefetch_related_objects(list(runs), "experiment")
    ids = [run.pk for run in runs]
    facts, tags, parameters = facts_of(ids), tags_of(ids), parameters_of(ids)
    metrics, lineage = latest_metrics(ids), inputs_and_outputs(runs)
    found = []
    for run in runs:
        known = facts.get(run.pk, NOTHING_KNOWN)
        own = _all_tags(run, tags.get(run.pk, {}), known)
        data = filled(
            metrics=metrics.get(run.pk), params=pairs(parameters.get(run.pk, {})), tags=pairs(own)
        )
        info = info_of(run, user=known.user or own.get(USER) or known.submitter)
        found.append({"info": info, "data": data, **EMPTY, **lineage[run.pk]})
    return found


def new_run_as_json(run: Run, new: NewRun) -> dict[str, Any]:
    """As `run_as_json`, of a run without a description that was made just now from `new`: nothing
    is read again (no queries)."""
    stored = clean_labels(new.tags, what="tag", nullable=True, most=new.longest_value)
    known = Facts(
        parent=run.parent.uid if run.parent else "",
        submitter=run.submitter.get_username() if run.submitter else "",
        user=clean_labels(new.properties, what="property").get(USER_ID) or "",
        note="",
    )
    tags = _all_tags(run, stored, known)
    info = info_of(run, user=known.user or tags.get(USER) or known.submitter)
    return {"info": info, "data": {"tags": pairs(tags)}, **EMPTY}


def info_of(run: Run, *, user: str) -> dict[str, Any]:
    """The `info` of a run that has its experiment; `user`: whom its client named, or else who
    submitted it."""
    return filled(
        run_id=run.uid,
        run_uuid=run.uid,
        run_name=run.display_name,
        experiment_id=experiment_id_of(run.experiment),
        user_id=user,
        status=STATUS[Status(run.status)],
        start_time=ms_of(run.started_at or run.created_at),
        end_time=ms_of(run.ended_at),
        artifact_uri=artifact_uri_of(run),
        lifecycle_stage=lifecycle_of(run),
    )


def artifact_uri_of(run: Run) -> str:
    """Where clients put and look for the files of a run."""
    return f"mlflow-artifacts:/{experiment_id_of(run.experiment)}/{run.uid}/artifacts"


def _all_tags(run: Run, stored: dict[str, str | None], known: Facts) -> dict[str, str | None]:
    """The stored tags with those that are other columns here."""
    found = {**stored, RUN_NAME: run.display_name}
    if known.note:
        found[NOTE] = known.note
    if known.parent:
        found.setdefault(PARENT, known.parent)
    return found


def among(rows: QuerySet[Any], ids: Sequence[int], *, column: str = "run") -> QuerySet[Any]:
    """The rows of these runs, in one statement however many: see `these`."""
    listed, one = these(ids)
    queried = RawSQL(listed[1:-1], [one])  # noqa: S611  (one of two constants)
    return rows.filter(**{f"{column}__in": queried})

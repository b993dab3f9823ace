"""Runs and experiments by the ids that clients know, and what stands against writing to them."""

import re

from django.db.models import Q

from studio.accounts.permissions import Permission, require
from studio.mlflow_api.asked import Asked
from studio.mlflow_api.errors import missing, wrong
from studio.queries.reading import columns, read
from studio.runs.actions import ensure_experiment
from studio.runs.models import Experiment, Run
from studio.runs.status import Status

RUN_ID = re.compile(r"[a-zA-Z0-9][\w\-]{0,255}")
EXPERIMENT_ID = re.compile(r"[0-9]{1,18}")
# What clients log into that name no experiment; its id is written into them.
DEFAULT_ID = "0"
DEFAULT_NAME = "Default"
ACTIVE, DELETED = "active", "deleted"
# Written out because each new run passes here.
EXPERIMENT, EXPERIMENT_COLUMNS = columns(Experiment)
EXPERIMENT_OF_ID = f"""
SELECT {EXPERIMENT_COLUMNS} FROM runs_experiment WHERE workspace_id = %s AND id = %s
"""  # noqa: S608


def run_id_of(asked: Asked) -> str:
    """The run that a request names, in either of its two words. Raises MlflowError."""
    return asked.text_or("run_id") or asked.text_or("run_uuid") or asked.text("run_id")


def run_of(asked: Asked, uid: str, *, deleted: bool = False) -> Run:
    """The run with its workspace, experiment and job (1 query). Unless `deleted` is True, one in
    the trash or in an archived experiment is refused: it can be read, not written. Raises
    MlflowError."""
    runs = Run.objects.filter(workspace=asked.workspace, uid=uid)
    run = runs.select_related("workspace", "experiment", "job").order_by().first()
    if run is None:
        raise missing(f"Run with id={uid[:300]} not found")
    if not deleted and lifecycle_of(run) == DELETED:
        raise wrong(f"The run {uid} must be in the 'active' state. Current state is deleted.")
    return run


def lifecycle_of(run: Run) -> str:
    """`active` or `deleted`, of a run whose experiment was read with it."""
    is_deleted = run.deleted_at is not None or run.experiment.archived_at is not None
    return DELETED if is_deleted else ACTIVE


def refuse_if_cancelled(run: Run) -> None:
    """Raise MlflowError for a run that somebody cancelled and whose program does not know: these
    clients have no heartbeat that would tell, a refused write is what stops their training.

    Not for one whose program has reported its end since, which people may go on to annotate.
    """
    if run.cancel_requested_at is None or run.job_id is not None:
        return
    if run.is_terminal and not (run.status == Status.CANCELED and run.evidence):
        return
    by = run.cancel_requested_by or "somebody"
    why = f": {run.cancel_reason}" if run.cancel_reason else ""
    raise wrong(
        f"Run {run.uid} was cancelled by {by} in the studio{why}. Nothing more is stored for it; "
        "end the program. To go on with it all the same, resume the run."
    )


def experiment_of(asked: Asked, experiment_id: str, *, deleted: bool = True) -> Experiment:
    """The experiment of that id (1 query, more when `Default` is made now). Unless `deleted`, an
    archived one is refused. Raises MlflowError."""
    if experiment_id == DEFAULT_ID:
        experiment = default_experiment(asked)
    elif EXPERIMENT_ID.fullmatch(experiment_id):
        asked_for = [asked.workspace.pk, int(experiment_id)]
        found = read(Experiment, EXPERIMENT, EXPERIMENT_OF_ID, asked_for)
        if not found:
            raise missing(f"No Experiment with id={experiment_id} exists")
        experiment = found[0][0]
        # Known already: no query of its own for each time that it is asked for.
        experiment.workspace = asked.workspace
    else:
        raise wrong(
            f"Invalid experiment ID '{experiment_id[:100]}'. Experiment ID must be a valid integer."
        )
    if not deleted and experiment.archived_at is not None:
        raise wrong(
            f"The experiment {experiment_id} must be in the 'active' state. "
            "Current state is deleted."
        )
    return experiment


def default_experiment(asked: Asked) -> Experiment:
    """The workspace's `Default`, made when somebody who may do so asks for it first. Raises
    MlflowError, for readers, while there is none."""
    found = Experiment.objects.of(asked.workspace).known_as(DEFAULT_NAME).first()
    if found is None:
        require(asked.actor, Permission.SUBMIT_RUN, asked.workspace)
        found, _ = ensure_experiment(asked.workspace, DEFAULT_NAME, by=asked.actor)
    found.workspace = asked.workspace
    return found


def known_as(name: str) -> Q:
    """Experiments that clients know by `name`, of all workspaces."""
    return Q(title=name) | Q(title="", name=name)


def experiment_id_of(experiment: Experiment) -> str:
    """The id that clients are told."""
    return DEFAULT_ID if experiment.shown_name == DEFAULT_NAME else str(experiment.pk)

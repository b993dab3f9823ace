"""Making experiments and runs; submitting a run to a compute target."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import IntegrityError, connection
from django.utils import timezone

from studio.accounts.models import Workspace
from studio.accounts.permissions import Actor, Permission, require
from studio.compute.actions import find_target, queue_job
from studio.compute.models import Job, Target
from studio.compute.requirements import RequirementsError, check_package
from studio.queries.reading import columns, read
from studio.runs.actions.definitions import definition_of
from studio.runs.actions.rights import require_on
from studio.runs.attachments import note_uses
from studio.runs.dependencies import check_dependencies, dependencies_of
from studio.runs.families import add_children
from studio.runs.history import reactivate
from studio.runs.labels import (
    COLUMNS_OF_PARAMETER,
    COLUMNS_OF_PROPERTY,
    COLUMNS_OF_TAG,
    parameter_values,
    tag_values,
)
from studio.runs.limits import (
    MAX_CHILDREN_PER_CALL,
    MAX_VALUE,
    Invalid,
    clean_labels,
    clean_name,
    clean_text,
)
from studio.runs.models import (
    EXPERIMENT_NAME_RULE,
    UID_RULE,
    Experiment,
    Parameter,
    Property,
    Run,
    RunDefinition,
    RunEvent,
    RunText,
    Tag,
    new_uid,
)
from studio.runs.rows import insert_row, insert_rows, insert_values
from studio.runs.searchtext import body_of, first_tag_of
from studio.runs.status import Status
from studio.runs.turn import in_turn


class ExperimentName(Invalid):
    """A name an experiment can't have."""


class UidTaken(Exception):
    """Another run of the workspace has this uid already."""


@dataclass(frozen=True, slots=True)
class Submission:
    """What a worker needs to run a script. `argv` starts with the script or holds a command."""

    target: str
    snapshot: str
    script: str = ""
    arguments: Sequence[str] = ()
    command: Sequence[str] = ()
    environment: Mapping[str, Any] = field(default_factory=dict)
    grace_s: float | None = None


@dataclass(frozen=True, slots=True)
class NewRun:
    """Everything a run can be born with."""

    uid: str = ""
    display_name: str = ""
    type: str = "interactive"
    tags: Mapping[str, Any] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    definition: Mapping[str, Any] = field(default_factory=dict)
    start: bool = False
    # When a run that is born Running began, if not now.
    started_at: datetime | None = None
    has_heartbeat: bool = True
    # Characters of the value of a tag or a parameter.
    longest_value: int = MAX_VALUE
    max_duration_s: float | None = None
    submit: Submission | None = None
    # Uids of child runs of the same parent; made in one call, also of each other.
    depends_on: Sequence[str] = ()


# A submitted run that says what it is; others are scripts.
SUBMITTED_TYPES = {"pipeline", "step"}
# Written out because each new run passes here: built by the ORM they take ten times longer than
# they run.
EXPERIMENT, EXPERIMENT_COLUMNS = columns(Experiment)
EXPERIMENT_OF_NAME = f"""
SELECT {EXPERIMENT_COLUMNS} FROM runs_experiment WHERE workspace_id = %s AND name = %s
"""  # noqa: S608  (columns of the model)
TAKE_NUMBERS = """
UPDATE runs_experiment SET last_number = last_number + %s, latest_run_at = %s WHERE id = %s
RETURNING last_number
"""


def ensure_experiment(
    workspace: Workspace, name: str, *, by: Actor, description: str = ""
) -> tuple[Experiment, bool]:
    """The experiment of that name and whether it was made now."""
    if (found := known_experiment(workspace, name)) is not None:
        return found, False
    require(by, Permission.SUBMIT_RUN, workspace)
    if not re.fullmatch(EXPERIMENT_NAME_RULE, str(name)):
        raise ExperimentName(
            "experiment",
            f"“{str(name)[:80]}” can't name an experiment: start with a letter or digit, then use "
            "letters, digits, “_” and “-” only, at most 255 characters.",
        )
    made, is_new = Experiment.objects.get_or_create(
        workspace=workspace,
        name=name,
        defaults={
            "description": clean_text(description, field="description", most=5_000),
            "created_by": by.user,
        },
    )
    if is_new:
        note_uses(made, made.description)
    return made, is_new


def known_experiment(workspace: Workspace, name: str) -> Experiment | None:
    """The experiment of that name, None if there is none (1 query)."""
    asked = [workspace.pk, str(name)]
    for found, _ in read(Experiment, EXPERIMENT, EXPERIMENT_OF_NAME, asked):
        found.workspace = workspace
        return found
    return None


def create_run(experiment: Experiment, new: NewRun, *, by: Actor, parent: Run | None = None) -> Run:
    """One new run: NotStarted, Running (`start`) or Queued (`submit`)."""
    return create_runs(experiment, [new], by=by, parent=parent)[0]


def create_children(parent: Run, children: Sequence[NewRun], *, by: Actor) -> list[Run]:
    """Many child runs in one transaction, numbered in the order given."""
    if not 1 <= len(children) <= MAX_CHILDREN_PER_CALL:
        raise Invalid(
            "children",
            f"{len(children)} child runs asked for; one call makes 1 to {MAX_CHILDREN_PER_CALL}.",
        )
    return create_runs(parent.experiment, children, by=by, parent=parent)


def create_runs(
    experiment: Experiment, news: Sequence[NewRun], *, by: Actor, parent: Run | None
) -> list[Run]:
    """All or nothing: runs with their tags, properties, parameters and first events.

    Queries: a fixed number per call (not per run), plus one job row per submitted run.
    """
    workspace = experiment.workspace
    if parent is not None:
        require_on(by, Permission.SUBMIT_RUN, parent)
    else:
        require(by, Permission.SUBMIT_RUN, workspace)
        if by.run_uid:
            raise Invalid("parent", "The token of a run can only make child runs of that run.")
    for new in news:
        _check(new)
    check_dependencies([(new.uid, new.depends_on) for new in news], parent)
    targets = {
        name: find_target(name, workspace=workspace)
        for name in {new.submit.target for new in news if new.submit}
    }
    try:
        with in_turn():
            return _create(experiment, news, targets, by=by, parent=parent)
    except IntegrityError as error:
        # Looked up afterwards, when all is undone: a savepoint for what hardly ever happens would
        # cost each new run.
        uids = [new.uid for new in news if new.uid]
        if Run.objects.filter(workspace=workspace, uid__in=uids).exists():
            raise UidTaken(f"A run with the id {uids[0]} exists already.") from error
        raise


def _create(
    experiment: Experiment,
    news: Sequence[NewRun],
    targets: Mapping[str, Target],
    *,
    by: Actor,
    parent: Run | None,
) -> list[Run]:
    if experiment.archived_at is not None:
        # A run written to an archived experiment brings it back.
        reactivate(experiment, by=by)
    if parent is not None:
        add_children(parent, len(news))
    first_number = _take_numbers(experiment, len(news))
    runs = [
        _build(experiment, new, number=first_number + i, parent=parent, by=by, targets=targets)
        for i, new in enumerate(news)
    ]
    tags = [_tags_of(new) for new in news]
    for run, own in zip(runs, tags, strict=True):
        run.first_tag = first_tag_of(own)
    _insert_rows(runs)
    _attach(runs, news, tags, by=by)
    return runs


def _insert_rows(runs: Sequence[Run]) -> None:
    # One at a time is the usual case, of which the ORM would be a quarter of the work.
    if len(runs) == 1:
        insert_row(runs[0])
    else:
        Run.objects.bulk_create(runs)


def _check(new: NewRun) -> None:
    if new.uid and not re.fullmatch(UID_RULE, new.uid):
        raise Invalid("uid", "A run id has 1 to 256 letters, digits, “_” or “-”.")
    if new.submit and not (new.submit.script or new.submit.command):
        raise Invalid("script", "Nothing to run: give a script or a command.")
    for package in (new.submit.environment.get("packages") or ()) if new.submit else ():
        try:
            check_package(package)
        except RequirementsError as wrong:
            raise Invalid("submit.environment.packages", str(wrong)) from wrong
    if new.max_duration_s is not None and not new.max_duration_s > 0:
        raise Invalid("max_run_duration_s", "The longest run time must be above 0 seconds.")


def _take_numbers(experiment: Experiment, n: int) -> int:
    """Reserve `n` run numbers; returns the first (1 query; it holds the row until the commit)."""
    now = timezone.now()
    moment = connection.ops.adapt_datetimefield_value(now)
    with connection.cursor() as cursor:
        cursor.execute(TAKE_NUMBERS, [n, moment, experiment.pk])
        row = cursor.fetchone()
    if row is None:
        raise Experiment.DoesNotExist(f"experiment {experiment.name} was purged")
    experiment.last_number, experiment.latest_run_at = row[0], now
    return experiment.last_number - n + 1


def _build(
    experiment: Experiment,
    new: NewRun,
    *,
    number: int,
    parent: Run | None,
    by: Actor,
    targets: Mapping[str, Target],
) -> Run:
    now = timezone.now()
    run = Run(
        workspace=experiment.workspace,
        experiment=experiment,
        uid=new.uid or new_uid(),
        number=number,
        type="script" if new.submit and new.type not in SUBMITTED_TYPES else new.type[:20],
        parent=parent,
        root=(parent.root or parent) if parent else None,
        submitter=by.user,
        created_at=now,
        max_duration_s=new.max_duration_s,
        has_heartbeat=new.has_heartbeat,
    )
    run.display_name = clean_name(new.display_name or f"{experiment.name}-{number}")
    birth_status(run, new)
    if new.submit:
        run.target = targets[new.submit.target]
        run.script = clean_text(new.submit.script, field="script", most=1_000)
        run.arguments = [str(argument) for argument in new.submit.arguments]
        run.snapshot = new.submit.snapshot
        run.job = _job(run, new.submit, target=run.target)
    return run


def birth_status(run: Run, new: NewRun) -> None:
    """The status a run is born with; it is inserted, so there is nothing to transition from."""
    now = run.created_at
    run.status_at = now
    if new.submit:
        run.status = Status.QUEUED
    elif new.start:
        run.status = Status.RUNNING
        run.last_beat_at = now
        run.started_at = new.started_at or now


def _tags_of(new: NewRun) -> dict[str, str | None]:
    return clean_labels(new.tags, what="tag", nullable=True, most=new.longest_value)


def _job(run: Run, submit: Submission, *, target: Target) -> Job:
    argv = list(submit.command) or [submit.script, *map(str, submit.arguments)]
    environment = {
        **submit.environment,
        "is_command": bool(submit.command),
        "run_uid": run.uid,
        "workspace": run.workspace.name,
    }
    return queue_job(
        target,
        argv=argv,
        environment=environment,
        snapshot=submit.snapshot,
        grace_s=submit.grace_s,
        max_duration_s=run.max_duration_s,
    )


def _attach(
    runs: Sequence[Run],
    news: Sequence[NewRun],
    tags: Sequence[Mapping[str, str | None]],
    *,
    by: Actor,
) -> None:
    """Everything that hangs on the new runs (1 query for each table that gets rows). tags: of each
    run, cleaned."""
    of_runs = list(zip(runs, news, tags, strict=True))
    insert_values(
        Tag,
        COLUMNS_OF_TAG,
        [tag_values(run, key, value) for run, _, own in of_runs for key, value in own.items()],
    )
    insert_values(
        Property,
        COLUMNS_OF_PROPERTY,
        [
            (run.pk, run.workspace_id, key, value or "")
            for run, new, _ in of_runs
            for key, value in clean_labels(new.properties, what="property").items()
        ],
    )
    insert_values(
        Parameter,
        COLUMNS_OF_PARAMETER,
        [
            parameter_values(run, key, value or "")
            for run, new, _ in of_runs
            for key, value in clean_labels(
                new.parameters, what="parameter", most=new.longest_value
            ).items()
        ],
    )
    insert_values(
        RunText,
        ("run_id", "body"),
        [(run.pk, body_of(run.display_name, "", own.items())) for run, _, own in of_runs],
    )
    _tell(runs, news, by=by)


def _tell(runs: Sequence[Run], news: Sequence[NewRun], *, by: Actor) -> None:
    """What the runs are said to be, their first events, and what they wait for."""
    definitions = [
        RunDefinition(run=run, facts=facts)
        for run, new in zip(runs, news, strict=True)
        if (facts := definition_of(new))
    ]
    events = [
        RunEvent(
            workspace=run.workspace,
            run=run,
            at=run.created_at,
            kind="status",
            actor=by.name,
            actor_user=by.user,
            after=run.status,
            message="Created",
        )
        for run in runs
    ]
    needed = dependencies_of(runs, [new.depends_on for new in news])
    for table in (definitions, events, needed):
        insert_rows(table)

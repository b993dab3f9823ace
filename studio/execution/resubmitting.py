"""Starting a submitted run again: the same source and definition, as a new run that says so."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from studio.accounts.permissions import Actor, Permission
from studio.artifacts.models import Snapshot
from studio.compute.models import Job
from studio.runs.actions import NewRun, Submission, UidTaken, create_run, ensure_experiment
from studio.runs.actions.definitions import OF_ENVIRONMENT, environment_facts
from studio.runs.actions.rights import require_on
from studio.runs.history import Refused
from studio.runs.lifecycle import record_event
from studio.runs.limits import Invalid
from studio.runs.models import Property, Run, RunEvent
from studio.runs.turn import in_turn

# The property of the new run that holds the uid of the earlier one.
FROM = "resubmitted_from"
# Facts of the source, which is the same; other properties are facts of the earlier run.
OF_SOURCE = ("azureml.git.", "mlflow.source.")
MAX_ARGUMENTS = 1_000
NOT_SUBMITTED = "Another program started it, so the studio has nothing to submit again"
NO_SOURCE = "The source it was submitted with is not stored any more"


@dataclass(frozen=True, slots=True)
class Changes:
    """What the new run does otherwise; None or "" leaves it as it was.

    `argv`: the arguments of the script, or the whole command of a run that was one.
    """

    uid: str = ""
    display_name: str = ""
    experiment: str = ""
    target: str = ""
    argv: Sequence[str] | None = None
    # 0: without a limit.
    max_duration_s: float | None = None


@dataclass(frozen=True, slots=True)
class Original:
    """What a run was submitted with. `argv` as in `Changes`; `is_command`: it is no script."""

    job: Job
    is_command: bool
    argv: list[str]
    variables: dict[str, str]
    environment: dict[str, Any]
    parameters: dict[str, str]


def why_not_resubmit(run: Run) -> str:
    """Why a run can't be submitted again, "" when it can (1 query at most; `run.job` is read)."""
    if run.job is None:
        return NOT_SUBMITTED
    stored = Snapshot.objects.filter(workspace=run.workspace_id, digest=run.job.snapshot)
    return "" if stored.exists() else NO_SOURCE


def original_of(run: Run) -> Original:
    """What would be submitted again (2 queries). Raises Refused."""
    if run.job is None:
        raise Refused(NOT_SUBMITTED)
    environment = run.job.environment
    is_command = bool(environment.get("is_command"))
    return Original(
        run.job,
        is_command,
        list(run.job.argv if is_command else run.job.argv[1:]),
        dict(environment.get("variables") or {}),
        environment_facts(environment),
        parameters_at_birth(run),
    )


def parameters_at_birth(run: Run) -> dict[str, str]:
    """Those the run was created with: what its script set, the new run's script sets itself."""
    now = dict(run.parameters.order_by("key").values_list("key", "value"))
    events = RunEvent.objects.filter(run=run, kind="parameters").order_by("id")
    then: dict[str, Any] = {}
    for before in events.values_list("before", flat=True):
        then = (before or {}) | then
    return {key: value for key, value in (now | then).items() if value is not None}


def resubmit_run(run: Run, changes: Changes, *, by: Actor) -> tuple[Run, bool]:
    """The new run, Queued, and whether it was made now: the same `uid` asked again by the same
    person gives the run that the first asking made.

    Raises Refused, Invalid, UnknownTarget or UidTaken, with nothing written.
    """
    require_on(by, Permission.SUBMIT_RUN, run)
    if reason := why_not_resubmit(run):
        raise Refused(f"{reason}.")
    original = original_of(run)
    argv = original.argv if changes.argv is None else list(changes.argv)
    new = _copy(run, original, changes, argv, by=by)
    try:
        with in_turn():
            name = changes.experiment or run.experiment.name
            experiment, _ = ensure_experiment(run.workspace, name, by=by)
            experiment.workspace = run.workspace
            made = create_run(experiment, new, by=by)
            record_event(run, "resubmitted", by=by, after=made.uid)
            record_event(made, FROM, by=by, after=run.uid)
    except UidTaken:
        earlier = Run.objects.of(run.workspace).filter(uid=changes.uid, submitter=by.user).first()
        if earlier is None or not earlier.properties.filter(key=FROM, value=run.uid).exists():
            raise
        return earlier, False
    return made, True


def may_reuse_variables(run: Run, by: Actor) -> bool:
    """Environment variables hold secrets: only who submitted the run passes them on. Another
    person's copy, which may run anything, goes without them."""
    return by.user is not None and by.user.pk == run.submitter_id


def _copy(run: Run, original: Original, changes: Changes, argv: list[str], *, by: Actor) -> NewRun:
    job = original.job
    target = changes.target or job.target.name
    if original.is_command and not argv:
        raise Invalid("arguments", "Nothing to run: the command is empty.")
    if len(argv) > MAX_ARGUMENTS:
        raise Invalid("arguments", f"{len(argv):,} arguments; at most {MAX_ARGUMENTS:,} fit.")
    script = "" if original.is_command else job.argv[0]
    properties = run.properties.order_by("key").values_list("key", "value")
    kept = {key: value for key, value in properties if key.startswith(OF_SOURCE)}
    facts = dict(run.definition.facts) if hasattr(run, "definition") else {}
    return NewRun(
        uid=changes.uid,
        display_name=changes.display_name or run.display_name,
        type="pipeline" if run.type == "pipeline" else "script",
        properties=kept | {FROM: run.uid},
        parameters=original.parameters,
        definition=facts | {"command_line": shlex.join([script, *argv] if script else argv)},
        max_duration_s=run.max_duration_s
        if changes.max_duration_s is None
        else changes.max_duration_s or None,
        submit=Submission(
            target=target,
            snapshot=job.snapshot,
            script=script,
            arguments=[] if original.is_command else argv,
            command=argv if original.is_command else (),
            environment=_environment(job, with_variables=may_reuse_variables(run, by)),
            # Another target has a grace period of its own.
            grace_s=job.grace_s if target == job.target.name else None,
        ),
    )


def _environment(job: Job, *, with_variables: bool) -> dict[str, Any]:
    """What the submitter gave, without what each run gets anew."""
    given = (*OF_ENVIRONMENT, *(("variables",) if with_variables else ()))
    return {key: job.environment[key] for key in given if key in job.environment}


def split_arguments(text: str) -> list[str]:
    """Arguments written as in a shell; a browser's line ends are those that were typed."""
    try:
        return shlex.split(text.replace("\r\n", "\n"))
    except ValueError as error:
        raise Invalid(
            "arguments", f"These arguments can't be read ({str(error).lower()}): close each quote."
        ) from error


def relatives_of(run: Run) -> tuple[Run | None, list[Run]]:
    """The run that this one is a copy of, and its own copies, newest first, at most 20
    (2 queries)."""
    runs = Run.objects.of(run.workspace).only("uid", "display_name", "status", "workspace_id")
    of_this = {"key": FROM, "value": run.uid, "workspace": run.workspace_id}
    copies = runs.filter(pk__in=Property.objects.filter(**of_this).values("run")).order_by("-id")
    both = runs.filter(uid__in=run.properties.filter(key=FROM).values("value"))
    found = list(both[:1])
    return found[0] if found else None, list(copies[:20])

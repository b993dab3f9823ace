"""Making runs, reading them, ending and resuming them, and their tags, one by one."""

from datetime import datetime
from typing import Any

from django.db import transaction

from studio.accounts.permissions import Actor
from studio.mlflow_api.asked import Asked, labels_in
from studio.mlflow_api.errors import MlflowError, wrong
from studio.mlflow_api.finding import experiment_of, refuse_if_cancelled, run_id_of, run_of
from studio.mlflow_api.keys import check_keys
from studio.mlflow_api.moments import moment_of
from studio.mlflow_api.runs_json import (
    NOTE,
    PARENT,
    RUN_NAME,
    new_run_as_json,
    run_as_json,
)
from studio.mlflow_api.runs_read import USER_ID
from studio.mlflow_api.tags import MAX_TAG_VALUE, drop_tag, put_tags, stored_tags
from studio.runs.actions import (
    NewRun,
    complete_run,
    confirm_canceled,
    create_run,
    describe_run,
    fail_run,
    keeping,
    rename_run,
    resume_run,
    start_run,
)
from studio.runs.actions.beats import note_heard, note_program_ended
from studio.runs.models import Experiment, Run
from studio.runs.status import Status
from studio.runs.turn import in_turn

ENDS = {
    "FINISHED": Status.COMPLETED,
    "FAILED": Status.FAILED,
    "KILLED": Status.CANCELED,
}
# What clients send that know of nobody.
NOBODY = {"", "unknown"}


def create(asked: Asked) -> dict[str, Any]:
    """POST runs/create: a run that is Running."""
    experiment = experiment_of(asked, asked.text("experiment_id"), deleted=False)
    tags = _tags_of(asked)
    check_keys(tags, "tag")
    name = _name_of(asked.text_or("run_name"), tags)
    user_id = asked.text_or("user_id")
    new = NewRun(
        display_name=name,
        tags=stored_tags(tags),
        properties={} if user_id in NOBODY else {USER_ID: user_id},
        start=True,
        started_at=moment_of(asked.whole_or("start_time", None) or None, "start_time"),
        has_heartbeat=False,
        longest_value=MAX_TAG_VALUE,
    )
    parent = _parent_of(asked, experiment, tags.get(PARENT, ""))
    if not tags.get(NOTE):
        run = create_run(experiment, new, by=asked.actor, parent=parent)
        return {"run": new_run_as_json(run, new)}
    with in_turn():
        run = create_run(experiment, new, by=asked.actor, parent=parent)
        describe_run(run, tags[NOTE], by=asked.actor)
    return {"run": run_as_json(run)}


def _tags_of(asked: Asked) -> dict[str, str]:
    sent = list(labels_in(asked.objects("tags"), "tags"))
    if len(dict(sent)) < len(sent):
        raise MlflowError("BAD_REQUEST", "A tag was sent twice. Send each key once.")
    return dict(sent)


def _name_of(given: str, tags: dict[str, str]) -> str:
    by_tag = tags.get(RUN_NAME, "")
    if given and by_tag and given != by_tag:
        raise wrong(
            "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different "
            f"values (run_name='{given[:100]}', mlflow.runName='{by_tag[:100]}')."
        )
    return given or by_tag


def _parent_of(asked: Asked, experiment: Experiment, uid: str) -> Run | None:
    """The run in whose list of children the new one belongs: the one that its tag names, if that is
    of the same experiment; for a submitted script, which may make nothing else, its own."""
    uid = uid or asked.actor.run_uid
    if not uid:
        return None
    alike = Run.objects.of(asked.workspace).filter(experiment=experiment, uid=uid)
    return alike.select_related("workspace", "experiment", "root").order_by().first()


def get(asked: Asked) -> dict[str, Any]:
    """GET runs/get: deleted ones too."""
    run = run_of(asked, run_id_of(asked), deleted=True)
    return {"run": run_as_json(run)}


def update(asked: Asked) -> dict[str, Any]:
    """POST runs/update: another status or name. A status that there is not changes nothing."""
    run, by = run_of(asked, run_id_of(asked)), asked.actor
    end_time = moment_of(asked.whole_or("end_time", None), "end_time")
    status, name = asked.arguments.get("status"), asked.text_or("run_name")
    with transaction.atomic():
        if status == "RUNNING":
            run = _go_on(run, by=by)
        elif status in ENDS:
            run = _end(run, ENDS[status], end_time, by=by)
        if name:
            run = rename_run(run, name, by=by)
        note_heard(run, by=by)
    return {"run_info": run_as_json(run)["info"]}


def _go_on(run: Run, *, by: Actor) -> Run:
    """-> Running. The script of a submitted run says so when it begins to log: its worker knows."""
    if run.is_terminal:
        return resume_run(run, by=by, has_heartbeat=False)
    return start_run(run, by=by) if run.status == Status.NOT_STARTED else run


def _end(run: Run, to: Status, at: datetime | None, *, by: Actor) -> Run:
    """The end that the program reports. One that was cancelled in the studio is Canceled, unless it
    had completed; what is reported after that tells that its program ended, no more."""
    was_asked = run.cancel_requested_at is not None
    if run.is_terminal:
        if run.status == to or run.job_id is not None:
            return run
        if was_asked:
            return note_program_ended(run, by=by)
        run = resume_run(run, by=by, has_heartbeat=run.has_heartbeat)
    if to == Status.COMPLETED:
        return complete_run(run, by=by, ended_at=at)
    if was_asked or to == Status.CANCELED:
        return confirm_canceled(run, by=by, ended_at=at)
    return fail_run(run, by=by, ended_at=at)


def set_tag(asked: Asked) -> dict[str, Any]:
    """POST runs/set-tag."""
    run = run_of(asked, run_id_of(asked))
    refuse_if_cancelled(run)
    put_tags(run, {asked.text("key"): asked.text_or("value")}, by=asked.actor)
    note_heard(run, by=asked.actor)
    return {}


def delete_tag(asked: Asked) -> dict[str, Any]:
    """POST runs/delete-tag."""
    drop_tag(run_of(asked, run_id_of(asked)), asked.text("key"), by=asked.actor)
    return {}


def delete(asked: Asked) -> dict[str, Any]:
    """POST runs/delete: into the trash; what is not finished is cancelled."""
    run = run_of(asked, run_id_of(asked), deleted=True)
    keeping.delete_run(run, by=asked.actor, cancel=True)
    return {}


def restore(asked: Asked) -> dict[str, Any]:
    """POST runs/restore: out of the trash."""
    keeping.restore_run(run_of(asked, run_id_of(asked), deleted=True), by=asked.actor)
    return {}

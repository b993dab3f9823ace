"""The run that points, parameters and tags go to, found with one question."""

from typing import Any

from django.db import connection
from django.http import HttpRequest

from studio.accounts.models import Workspace
from studio.accounts.permissions import Actor
from studio.accounts.rooms import let_in
from studio.mlflow_api.access import HEADER, USUAL, room_of
from studio.mlflow_api.asked import Asked, arguments_of
from studio.mlflow_api.errors import missing, wrong
from studio.mlflow_api.finding import refuse_if_cancelled, run_id_of
from studio.queries.reading import read
from studio.runs.models import Run

RUN = (
    *("id", "workspace_id", "uid", "parent_id", "job_id", "status", "last_beat_at"),
    *("cancel_requested_at", "deleted_at"),
)
RUN_AND_ROLE = f"""
SELECT {", ".join(f"r.{name}" for name in RUN)}, w.name, m.role, e.archived_at
FROM runs_run r
JOIN runs_experiment e ON e.id = r.experiment_id
JOIN accounts_workspace w ON w.id = r.workspace_id
LEFT JOIN accounts_membership m ON m.workspace_id = w.id AND m.user_id = %s
WHERE w.closed_at IS NULL AND r.uid = %s AND
"""  # noqa: S608


def run_to_write_to(request: HttpRequest, actor: Actor) -> tuple[Asked, Run]:
    """What is asked, by an actor who knows its role, and the run it names, lean: columns that no
    write needs are loaded when somebody asks for them.

    Refused are runs in the trash, those of archived experiments and those that were cancelled.
    Raises MlflowError. Queries: 1; 3 or 4 for one who names no workspace and is not in “default”.
    """
    asked = Asked(request, actor, Workspace(), arguments_of(request))
    uid = run_id_of(asked)
    named = request.headers.get(HEADER, "").strip()
    where: tuple[str, Any] = ("w.name", named or USUAL)
    if not named and actor.workspace_id is not None:
        where = ("w.id", actor.workspace_id)
    found = _run_in(where, uid, actor)
    if found is None:
        # Says what is wrong with the workspace, or finds the only one there is to see.
        room, actor = room_of(request, actor)
        found = None if where == ("w.name", room.name) else _run_in(("w.id", room.pk), uid, actor)
    if found is None:
        raise missing(f"Run with id={uid[:300]} not found")
    run, actor, is_deleted = found
    if is_deleted:
        raise wrong(f"The run {uid} must be in the 'active' state. Current state is deleted.")
    refuse_if_cancelled(run)
    return Asked(request, actor, run.workspace, asked.arguments), run


def _run_in(where: tuple[str, Any], uid: str, actor: Actor) -> tuple[Run, Actor, bool] | None:
    """The run, the actor with its role, whether the run takes nothing any more (1 query)."""
    column, value = where
    asked = [actor.user.pk if actor.user else None, uid, value]
    for run, (name, role, archived_at) in read(Run, RUN, f"{RUN_AND_ROLE} {column} = %s", asked):
        known = let_in(actor, run.workspace_id, role)
        if known is not None:
            run.workspace = Workspace.from_db(
                connection.alias, ["id", "name", "closed_at"], [run.workspace_id, name, None]
            )
            return run, known, run.deleted_at is not None or archived_at is not None
    return None

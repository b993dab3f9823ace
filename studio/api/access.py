"""Who asks, and what they may look at. Outsiders and unknown names get the same 404."""

from dataclasses import replace

from django.db import connection
from django.http import HttpRequest
from ninja.security import HttpBearer

from studio.accounts.actions import find_token
from studio.accounts.models import Workspace
from studio.accounts.permissions import Actor
from studio.runs.models import Experiment, Run
from studio.runs.querysets import RunQuerySet


class NotFound(Exception):
    """Nothing of that name, or nothing this person may know of."""


class TokenAuth(HttpBearer):
    """`Authorization: Bearer <token>`; the request's `auth` becomes the Actor."""

    def authenticate(self, request: HttpRequest, token: str) -> Actor | None:
        found = find_token(token.strip())
        return Actor.of_token(found) if found else None


def actor_of(request: HttpRequest) -> Actor:
    actor = getattr(request, "auth", None)
    if not isinstance(actor, Actor):
        raise TypeError("this address must be called with a token")
    return actor


# This query and RUN_AND_ROLE are written out because most requests of programs pass here: built by
# the ORM they take ten times longer (0.7 ms) than they run.
WORKSPACE_AND_ROLE = """
SELECT w.*, m.role AS role FROM accounts_workspace w
LEFT JOIN accounts_membership m ON m.workspace_id = w.id AND m.user_id = %s
WHERE w.name = %s
"""


def workspace_of(request: HttpRequest, name: str) -> Workspace:
    """The workspace called `name` if the token may see it; the request's actor then knows its role
    there (1 query for both)."""
    user = actor_of(request).user
    for found in Workspace.objects.raw(WORKSPACE_AND_ROLE, [user.pk if user else None, name]):
        if _lets_in(request, found.pk, vars(found)["role"]):
            return found
    raise NotFound(f"There is no workspace “{name[:80]}” that you can see.")


def _lets_in(request: HttpRequest, workspace_id: int, role: str | None) -> bool:
    """Whether the token may see the workspace; notes the role for the rest of this request."""
    actor = actor_of(request)
    if actor.workspace_id not in (None, workspace_id):
        return False
    if role is None:
        return actor.user is None or actor.user.is_superuser
    if not (actor.user and actor.user.is_superuser):
        setattr(request, "auth", replace(actor, seen_role=(workspace_id, role)))  # noqa: B010
    return True


def visible_runs(request: HttpRequest, workspace: str) -> RunQuerySet:
    """Every run of the workspace called so that the token may see; none for an outsider."""
    actor = actor_of(request)
    runs = Run.objects.filter(workspace__name=workspace, deleted_at=None)
    if actor.user is not None:
        runs = runs.visible_to(actor.user)
    if actor.workspace_id is not None:
        runs = runs.filter(workspace=actor.workspace_id)
    return runs


def run_of(request: HttpRequest, workspace: str, uid: str) -> Run:
    """The run with its workspace (1 query)."""
    runs = visible_runs(request, workspace).select_related("workspace")
    run = runs.filter(uid=uid).order_by().first()
    if run is None:
        raise no_such_run(workspace, uid)
    return run


# Columns not named are loaded when somebody asks for them.
RUN_AND_ROLE = """
SELECT r.id, r.uid, r.workspace_id, r.parent_id, r.status, r.last_beat_at,
       w.name AS workspace_name, m.role AS role
FROM runs_run r
JOIN accounts_workspace w ON w.id = r.workspace_id
LEFT JOIN accounts_membership m ON m.workspace_id = w.id AND m.user_id = %s
WHERE w.name = %s AND r.uid = %s AND r.deleted_at IS NULL
"""


def run_to_log_to(request: HttpRequest, workspace: str, uid: str) -> tuple[Run, Actor]:
    """As `run_of`, lean, with the actor who knows its role there (1 query for both)."""
    user = actor_of(request).user
    for run in Run.objects.raw(RUN_AND_ROLE, [user.pk if user else None, workspace, uid]):
        facts = vars(run)
        run.workspace = Workspace.from_db(
            connection.alias, ["id", "name"], [run.workspace_id, facts["workspace_name"]]
        )
        if _lets_in(request, run.workspace_id, facts["role"]):
            return run, actor_of(request)
    raise no_such_run(workspace, uid)


def no_such_run(workspace: str, uid: str) -> NotFound:
    return NotFound(f"There is no run “{uid[:80]}” in “{workspace[:80]}” that you can see.")


def experiment_of(workspace: Workspace, name: str) -> Experiment:
    found: Experiment | None = Experiment.objects.of(workspace).filter(name=name).first()
    if found is None:
        raise NotFound(f"There is no experiment “{name[:80]}” in “{workspace.name}”.")
    return found

"""Who asks, and what they may look at. Outsiders and unknown names get the same 404."""

from django.db import connection
from django.http import HttpRequest
from ninja.security import HttpBearer

from studio.accounts.actions import find_token
from studio.accounts.limits import EXPORTS, SEARCHES, UPLOADS, WRITES, owe, spend
from studio.accounts.models import ApiToken, Workspace
from studio.accounts.permissions import Actor
from studio.accounts.rooms import enter, let_in
from studio.queries.reading import columns, read
from studio.runs.models import Experiment, Run
from studio.runs.querysets import RunQuerySet


class NotFound(Exception):
    """Nothing of that name, or nothing this person may know of."""


class TokenAuth(HttpBearer):
    """`Authorization: Bearer <token>`; the request's `auth` becomes the Actor."""

    def authenticate(self, request: HttpRequest, token: str) -> Actor | None:
        found = find_token(token.strip())
        if found is None:
            return None
        kind = kind_of(request)
        if kind:
            spend(kind, user_id=found.user_id, token_id=found.pk, run_uid=found.run_uid)
        setattr(request, "token", found)  # noqa: B010
        return Actor.of_token(found)


# What the rest of an address behind the workspace begins or ends with.
UPLOADED = ("/artifacts/", "/logs/", "/blobs/", "/attachments")
EXPORTED = ("/runs-export", "/views.yaml", "/zip", "/export.zip")
SEARCHED = ("/runs", "/experiments", "/find", "/tags", "/values", "/events")


def kind_of(request: HttpRequest) -> str:
    """Which limit a request counts against; "" for reads that cost little."""
    path = request.path
    if request.method not in ("GET", "HEAD"):
        is_upload = path.endswith("/blobs") or any(part in path for part in UPLOADED)
        return UPLOADS if is_upload else WRITES
    if path.endswith(EXPORTED):
        return EXPORTS
    return SEARCHES if path.endswith(SEARCHED) else ""


def count_uploads(request: HttpRequest, n_more: int) -> None:
    """Count files that came in a request beside its first as uploads of their own."""
    token: ApiToken = request.token  # type: ignore[attr-defined]
    owe(UPLOADS, n_more, user_id=token.user_id, token_id=token.pk, run_uid=token.run_uid)


def actor_of(request: HttpRequest) -> Actor:
    actor = getattr(request, "auth", None)
    if not isinstance(actor, Actor):
        raise TypeError("this address must be called with a token")
    return actor


def workspace_of(request: HttpRequest, name: str) -> Workspace:
    """The workspace called `name` if the token may see it; the request's actor then knows its role
    there (1 query for both)."""
    found = enter(actor_of(request), name)
    if found is None:
        raise NotFound(f"There is no workspace “{name[:80]}” that you can see.")
    workspace, actor = found
    setattr(request, "auth", actor)  # noqa: B010
    return workspace


def visible_runs(request: HttpRequest, workspace: str) -> RunQuerySet:
    """Every run of the workspace called so that the token may see; none for an outsider."""
    actor = actor_of(request)
    runs = Run.objects.filter(workspace__name=workspace, workspace__closed_at=None, deleted_at=None)
    if actor.user is not None:
        runs = runs.visible_to(actor.user)
    if actor.workspace_id is not None:
        runs = runs.filter(workspace=actor.workspace_id)
    return runs


# Written out because most requests of programs pass here: built by the ORM it takes ten times
# longer than it runs. Columns not named are loaded when somebody asks for them.
LEAN = ("id", "workspace_id", "uid", "parent_id", "status", "last_beat_at")
WHOLE, _ALL = columns(Run, table="r")
RUN_AND_ROLE = """
SELECT {}, w.name, m.role
FROM runs_run r
JOIN accounts_workspace w ON w.id = r.workspace_id
LEFT JOIN accounts_membership m ON m.workspace_id = w.id AND m.user_id = %s
WHERE w.name = %s AND r.uid = %s AND r.deleted_at IS NULL AND w.closed_at IS NULL
"""
ASK_LEAN = RUN_AND_ROLE.format(", ".join(f"r.{name}" for name in LEAN))
ASK_WHOLE = RUN_AND_ROLE.format(_ALL)


def run_of(request: HttpRequest, workspace: str, uid: str) -> Run:
    """The run with its workspace; the request's actor then knows its role there (1 query for
    both)."""
    return _run_and_actor(request, workspace, uid, WHOLE, ASK_WHOLE)[0]


def run_to_log_to(request: HttpRequest, workspace: str, uid: str) -> tuple[Run, Actor]:
    """As `run_of`, lean, with the actor who knows its role there (1 query for both)."""
    return _run_and_actor(request, workspace, uid, LEAN, ASK_LEAN)


def _run_and_actor(
    request: HttpRequest, workspace: str, uid: str, names: tuple[str, ...], sql: str
) -> tuple[Run, Actor]:
    user = actor_of(request).user
    asked = [user.pk if user else None, workspace, uid]
    for run, (name, role) in read(Run, names, sql, asked):
        run.workspace = Workspace.from_db(
            connection.alias, ["id", "name", "closed_at"], [run.workspace_id, name, None]
        )
        known = let_in(actor_of(request), run.workspace_id, role)
        if known is not None:
            setattr(request, "auth", known)  # noqa: B010
            return run, known
    raise no_such_run(workspace, uid)


def no_such_run(workspace: str, uid: str) -> NotFound:
    return NotFound(f"There is no run “{uid[:80]}” in “{workspace[:80]}” that you can see.")


def experiment_of(workspace: Workspace, name: str) -> Experiment:
    found: Experiment | None = Experiment.objects.of(workspace).filter(name=name).first()
    if found is None:
        raise NotFound(f"There is no experiment “{name[:80]}” in “{workspace.name}”.")
    return found

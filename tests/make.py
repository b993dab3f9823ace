"""Plain functions that make what tests need, through the actions where that is cheap."""

import json
from datetime import timedelta
from typing import Any

from django.test import Client
from django.utils import timezone


def user(name: str, *, admin: bool = False) -> Any:
    from studio.accounts.models import User

    if admin:
        return User.objects.create_superuser(name, f"{name}@example.org", "correct horse battery")
    return User.objects.create_user(name, f"{name}@example.org", "correct horse battery")


def workspace(name: str, *, owner: Any, contributor: Any = None, reader: Any = None) -> Any:
    """What `add_workspace` and `set_member` make (a test compares), as plain rows: nearly every
    test begins with one, and the actions take five times longer."""
    from studio.accounts.models import MemberEvent, Membership, Role, Workspace
    from studio.compute.actions import ensure_local_target

    ensure_local_target()
    made = Workspace.objects.create(name=name)
    roles = {Role.OWNER: owner, Role.CONTRIBUTOR: contributor, Role.READER: reader}
    members = [(user, role) for role, user in roles.items() if user]
    Membership.objects.bulk_create(
        Membership(user=user, workspace=made, role=role) for user, role in members
    )
    told = {"workspace": made, "actor": owner.get_username(), "actor_user": owner}
    MemberEvent.objects.bulk_create(
        MemberEvent(
            **told,
            kind="made" if role == Role.OWNER else "added",
            subject=user.username,
            after=str(role),
        )
        for user, role in members
    )
    made.contributor_of_tests = contributor
    return made


def served_target(workspace: Any) -> str:
    """The name of a target that a worker serves; another one, “spare”, is served by none."""
    from studio.compute.models import Target, Worker

    gpu = Target.objects.create(name="gpu", workspace=workspace)
    Target.objects.create(name="spare", workspace=workspace)
    # Where rows last for a module, its tests may take longer than a worker may be silent.
    seen = timezone.now() + timedelta(hours=1)
    Worker.objects.create(node="box", host="box", pid=1, target=gpu, n_slots=1, last_seen_at=seen)
    return gpu.name


def actor(of: Any) -> Any:
    from studio.accounts.permissions import Actor

    return Actor.of_user(of)


def contributor_of(workspace: Any) -> Any:
    from studio.accounts.models import Role, User

    return getattr(workspace, "contributor_of_tests", None) or User.objects.get(
        memberships__workspace=workspace, memberships__role=Role.CONTRIBUTOR
    )


def experiment(workspace: Any, name: str = "vision", *, by: Any = None) -> Any:
    from studio.runs.actions import ensure_experiment

    return ensure_experiment(workspace, name, by=actor(by or contributor_of(workspace)))[0]


def run(experiment: Any, *, by: Any = None, parent: Any = None, **facts: Any) -> Any:
    """A run born Running; any field of NewRun may be given."""
    from studio.runs.actions import NewRun, create_run

    facts.setdefault("start", True)
    who = actor(by or contributor_of(experiment.workspace))
    return create_run(experiment, NewRun(**facts), by=who, parent=parent)


def token(user: Any, *, workspace: Any = None, scope: str = "admin") -> str:
    from studio.accounts.actions import make_token
    from studio.accounts.models import Scope

    return make_token(user, name="test", scope=Scope(scope), workspace=workspace)[1]


def client(user: Any) -> Client:
    """Signed in: `force_login` leaves the same session, but asks seven questions for it."""
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

    from studio.accounts.session_store import SessionStore

    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    made = Client()
    made.cookies[settings.SESSION_COOKIE_NAME] = session.session_key
    return made


def read(answer: Any) -> Any:
    """`answer` itself, read to its end as a server would, which lets go of what it holds: the
    client of the tests leaves what streams unread and open."""
    if answer.streaming:
        answer.streaming_content = list(answer.streaming_content)
    return answer


class Api:
    """The JSON API with one user's token; paths are relative to the workspace."""

    def __init__(
        self, user: Any, workspace: Any, *, scope: str = "admin", secret: str = ""
    ) -> None:
        self.client = Client()
        self.base = f"/api/v1/workspaces/{workspace.name}"
        self.headers = {
            "Authorization": f"Bearer {secret or token(user, workspace=workspace, scope=scope)}"
        }

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(self.base + path, query, headers=self.headers)

    def post(self, path: str, body: Any = None) -> Any:
        return self._send("POST", path, json.dumps({} if body is None else body))

    def patch(self, path: str, body: Any) -> Any:
        return self._send("PATCH", path, json.dumps(body))

    def send(self, method: str, path: str, body: bytes, content_type: str) -> Any:
        return self.client.generic(
            method, self.base + path, body, content_type=content_type, headers=self.headers
        )

    def _send(self, method: str, path: str, body: str) -> Any:
        return self.client.generic(
            method, self.base + path, body, content_type="application/json", headers=self.headers
        )

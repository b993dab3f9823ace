"""Plain functions that make what tests need, through the actions where that is cheap."""

import json
from typing import Any

from django.test import Client


def user(name: str, *, admin: bool = False) -> Any:
    from studio.accounts.models import User

    if admin:
        return User.objects.create_superuser(name, f"{name}@example.org", "correct horse battery")
    return User.objects.create_user(name, f"{name}@example.org", "correct horse battery")


def workspace(name: str, *, owner: Any, contributor: Any = None, reader: Any = None) -> Any:
    from studio.accounts import actions
    from studio.accounts.models import Role
    from studio.accounts.permissions import Actor
    from studio.compute.actions import ensure_local_target

    ensure_local_target()
    made = actions.add_workspace(name, owner=owner)
    by = Actor.of_user(owner)
    if contributor:
        actions.set_member(made, contributor, Role.CONTRIBUTOR, by=by)
    if reader:
        actions.set_member(made, reader, Role.READER, by=by)
    return made


def served_target(workspace: Any) -> str:
    """The name of a target that a worker serves; another one, “spare”, is served by none."""
    from studio.compute.models import Target, Worker

    gpu = Target.objects.create(name="gpu", workspace=workspace)
    Target.objects.create(name="spare", workspace=workspace)
    Worker.objects.create(node="box", host="box", pid=1, target=gpu, n_slots=1)
    return gpu.name


def actor(of: Any) -> Any:
    from studio.accounts.permissions import Actor

    return Actor.of_user(of)


def contributor_of(workspace: Any) -> Any:
    from studio.accounts.models import Role, User

    return User.objects.filter(
        memberships__workspace=workspace, memberships__role=Role.CONTRIBUTOR
    ).get()


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
    made = Client()
    made.force_login(user)
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

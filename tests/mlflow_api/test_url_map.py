"""Every address of MLflow's protocol, asked by everybody: 401, 404, 403, and no change.

Whoever adds an address gives it a row in `ROWS`.
"""

import json
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import get_resolver

from studio.accounts.permissions import Actor
from studio.mlflow_api.gate import TOKEN
from studio.operations.closing import close_workspace
from tests import make
from tests.architecture.test_policies import mlflow_policy_of, patterns
from tests.mlflow_api.door import Door
from tests.rows import all_rows, changed_tables

A, B, F = "api/2.0/mlflow/", "api/3.0/mlflow/", "api/2.0/mlflow-artifacts/"
POINT = {"key": "loss", "value": 1.0, "timestamp": 1_700_000_000_000, "step": 0}
MADE = '{"artifact_path": "m", "flavors": {}, "utc_time_created": "2026-11-21", "run_id": "x"}'
MODEL = f"{A}logged-models/{{model}}"
FILE = "artifacts/{experiment}/{run}/artifacts"
# (method, address, what is sent besides run_id and experiment_id), by whether it writes.
READS: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", f"{A}runs/get", {}),
    ("POST", f"{A}runs/search", {"experiment_ids": ["{experiment}"]}),
    ("GET", f"{A}metrics/get-history", {"metric_key": "loss"}),
    ("GET", f"{A}experiments/get", {}),
    ("GET", f"{A}experiments/get-by-name", {"experiment_name": "vision"}),
    ("POST", f"{A}experiments/search", {"max_results": 10}),
    ("GET", f"{A}experiments/search", {"max_results": 10}),
    ("GET", f"{A}artifacts/list", {}),
    ("GET", "get-artifact", {"path": "a.txt"}),
    ("GET", f"{F}artifacts", {"path": "{experiment}/{run}/artifacts"}),
    ("GET", f"{F}{FILE}/a.txt", {}),
    ("POST", f"{A}logged-models/search", {"experiment_ids": ["{experiment}"]}),
    ("GET", MODEL, {}),
]
WRITES: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", f"{A}runs/create", {"start_time": 1_700_000_000_000}),
    ("POST", f"{A}runs/update", {"status": "FINISHED"}),
    ("POST", f"{A}runs/set-tag", {"key": "a", "value": "1"}),
    ("POST", f"{A}runs/delete-tag", {"key": "quality"}),
    ("POST", f"{A}runs/delete", {}),
    ("POST", f"{A}runs/restore", {}),
    ("POST", f"{A}runs/log-metric", POINT),
    ("POST", f"{A}runs/log-batch", {"metrics": [POINT]}),
    ("POST", f"{A}runs/log-parameter", {"key": "lr", "value": "1"}),
    ("POST", f"{A}runs/log-model", {"model_json": MADE}),
    (
        "POST",
        f"{A}runs/log-inputs",
        {
            "datasets": [
                {"dataset": {"name": "d", "digest": "1", "source_type": "x", "source": "y"}}
            ]
        },
    ),
    ("POST", f"{A}runs/outputs", {"models": [{"model_id": "{model}", "step": 0}]}),
    ("POST", f"{A}experiments/create", {"name": "another one"}),
    ("POST", f"{A}experiments/update", {"new_name": "another name"}),
    ("POST", f"{A}experiments/delete", {}),
    ("POST", f"{A}experiments/set-experiment-tag", {"key": "a", "value": "1"}),
    ("POST", f"{A}experiments/delete-experiment-tag", {"key": "team"}),
    ("PUT", f"{F}{FILE}/b.txt", {}),
    ("DELETE", f"{F}{FILE}/a.txt", {}),
    ("POST", f"{A}logged-models", {"name": "m"}),
    ("PATCH", MODEL, {"status": "LOGGED_MODEL_READY"}),
    ("POST", f"{MODEL}/params", {"params": [{"key": "a", "value": "1"}]}),
    ("PATCH", f"{MODEL}/tags", {"tags": [{"key": "a", "value": "1"}]}),
    ("DELETE", f"{MODEL}/tags/seen", {}),
    ("DELETE", MODEL, {}),
]
# Restoring what is active is refused, to those who may write too.
REFUSED = [("POST", f"{A}experiments/restore", {})]
# What answers to nobody in particular, or only says that there is nothing.
ELSEWHERE = {"workspaces", "workspaces/<str:name>", "mpu", "presigned"}


class World:
    """A run with a tag, a file and a model, and everybody's credentials."""

    def __init__(self, people: Any, workspace: Any, run: Any) -> None:
        self.workspace, door = workspace, Door(people.bob, workspace)
        number = str(run.experiment_id)
        door.made("runs/set-tag", run_id=run.uid, key="quality", value="1")
        door.made("experiments/set-experiment-tag", experiment_id=number, key="team", value="1")
        made = door.made(
            "logged-models", experiment_id=number, name="m", tags=[{"key": "seen", "value": "1"}]
        )
        self.values = {"run": run.uid, "experiment": number}
        self.values["model"] = made["model"]["info"]["model_id"]
        put = self.ask("PUT", f"{F}{FILE}/a.txt", {}, make.token(people.bob))
        assert put.status_code == 200, put.content

    def ask(self, method: str, address: str, more: dict[str, Any], secret: str | None) -> Any:
        headers = {"X-MLFLOW-WORKSPACE": self.workspace.name}
        if secret:
            headers["Authorization"] = f"Bearer {secret}"
        path = "/" + self._filled(address)
        ids = {"run_id": self.values["run"], "experiment_id": self.values["experiment"]}
        sent = {} if "search" in path else ids
        sent = {**sent, **json.loads(self._filled(json.dumps(more)))}
        if method == "GET":
            return Client().get(path, sent, headers=headers)
        body, kind = json.dumps(sent), "application/json"
        return Client().generic(method, path, body, content_type=kind, headers=headers)

    def _filled(self, text: str) -> str:
        for name, value in self.values.items():
            text = text.replace(f"{{{name}}}", value)
        return text


@pytest.fixture
def world(people: Any, workspace: Any, run: Any) -> World:
    return World(people, workspace, run)


def test_every_address_has_a_row() -> None:
    rows = [address for _, address, _ in READS + WRITES + REFUSED]
    resolver = get_resolver("studio.mlflow_api.urls")
    asked = {
        str(resolver.resolve("/" + one.replace("{", "").replace("}", "")).route) for one in rows
    }
    known = {
        route
        for route, pattern in patterns(resolver)
        if mlflow_policy_of(pattern) == TOKEN and not any(part in route for part in ELSEWHERE)
    }

    assert known <= asked


def test_nobody_without_a_good_token_and_no_outsider_gets_in(world: World, people: Any) -> None:
    before = all_rows()
    for row in READS + WRITES + REFUSED:
        for secret in (None, "studio_wrong"):
            answer = world.ask(*row, secret)
            assert answer.status_code == 401, row
            assert answer.json()["error_code"] == "UNAUTHENTICATED"
    assert not changed_tables(before)

    dave = make.token(people.dave)
    before = all_rows()
    for row in READS + WRITES + REFUSED:
        answer = world.ask(*row, dave)
        assert answer.status_code == 404, (row, answer.content)
    assert set(changed_tables(before)) <= {"accounts.apitoken"}


def test_in_a_closed_workspace_everybody_gets_404(world: World, people: Any) -> None:
    secrets = [
        make.token(people.alice),
        make.token(people.bob, workspace=world.workspace),
        make.token(make.user("root", admin=True)),
    ]
    close_workspace(world.workspace, by=Actor(name="command line"))
    before = all_rows()
    for secret in secrets:
        for row in READS + WRITES + REFUSED:
            answer = world.ask(*row, secret)
            assert answer.status_code == 404, (row, answer.content)
    assert set(changed_tables(before)) <= {"accounts.apitoken"}


def test_readers_and_reading_tokens_read_and_change_nothing(world: World, people: Any) -> None:
    tokens = [
        make.token(people.carol),
        make.token(people.carol, scope="read"),
        make.token(people.bob, workspace=world.workspace, scope="read"),
    ]
    before = all_rows()
    for secret in tokens:
        for row in READS:
            answer = world.ask(*row, secret)
            assert answer.status_code == 200, (row, answer.content)
        for row in WRITES:
            answer = world.ask(*row, secret)
            assert answer.status_code == 403, (row, answer.content)
    assert set(changed_tables(before)) <= {"accounts.apitoken"}


def test_contributors_and_owners_may_write(world: World, people: Any) -> None:
    for person in (people.bob, people.alice):
        secret = make.token(person)
        for row in READS + WRITES:
            with transaction.atomic():
                answer = world.ask(*row, secret)
                assert answer.status_code == 200, (row, answer.content)
                transaction.set_rollback(True)
        for row in REFUSED:
            assert world.ask(*row, secret).status_code == 404


def test_what_tells_of_the_server_is_for_everybody_and_workspaces_for_their_members(
    world: World, people: Any
) -> None:
    for path in ("/health", "/version", f"/{B}server-info"):
        assert Client().get(path).status_code == 200
    for person, names in ((people.carol, ["lab"]), (people.dave, [])):
        headers = {"Authorization": f"Bearer {make.token(person)}"}
        listed = Client().get(f"/{B}workspaces", headers=headers).json()["workspaces"]
        assert [one["name"] for one in listed] == names
        one = Client().get(f"/{B}workspaces/lab", headers=headers)
        assert one.status_code == (200 if names else 404)
    assert Client().get(f"/{B}workspaces").status_code == 401
    for path in (f"/{A}registered-models/search", f"/{B}traces", "/v1/traces"):
        assert Client().post(path).status_code == 501
    assert Client().get(f"/{A}no/such").json()["error_code"] == "ENDPOINT_NOT_FOUND"

"""An MLflow client as its requests look: `mlflow` as bob, `mlflow_of` for anybody."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from tests import make
from tests.mlflow_api.door import Door

FILES = "/api/2.0/mlflow-artifacts/artifacts"


class Mlflow:
    """Requests with one user's token, in one workspace. Paths begin with a slash."""

    def __init__(self, user: Any, workspace: Any) -> None:
        self.client = Client()
        self.headers = {"X-MLFLOW-WORKSPACE": workspace.name}
        if user is not None:
            self.headers["Authorization"] = f"Bearer {make.token(user)}"

    def get(self, path: str, /, **query: Any) -> Any:
        return self.client.get(path, query, headers=self.headers)

    def send(self, method: str, path: str, body: Any = None) -> Any:
        data = json.dumps({} if body is None else body)
        return self.client.generic(
            method, path, data, content_type="application/json", headers=self.headers
        )

    def post(self, path: str, body: Any = None) -> Any:
        return self.send("POST", path, body)

    def put_file(self, path: str, body: bytes, kind: str = "application/octet-stream") -> Any:
        address = f"{FILES}/{quote(path)}"
        return self.client.generic("PUT", address, body, content_type=kind, headers=self.headers)

    def get_file(self, path: str, **headers: str) -> Any:
        return self.client.get(f"{FILES}/{quote(path)}", headers={**self.headers, **headers})

    def files(self, path: str) -> dict[str, int | None]:
        """Base name -> bytes, None for a folder."""
        answer = self.get(FILES, path=path)
        assert answer.status_code == 200, answer.content
        found = answer.json().get("files", [])
        return {one["path"]: None if one["is_dir"] else one["file_size"] for one in found}


@pytest.fixture
def mlflow_of(workspace: Any) -> Callable[[Any], Mlflow]:
    return lambda user: Mlflow(user, workspace)


@pytest.fixture
def mlflow(people: Any, workspace: Any) -> Mlflow:
    return Mlflow(people.bob, workspace)


@pytest.fixture
def door(people: Any, workspace: Any) -> Door:
    return Door(people.bob, workspace)

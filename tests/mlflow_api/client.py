"""Requests as an MLflow client sends them, in one workspace."""

import json
from typing import Any

from django.test import Client

from tests import make

A = "/api/2.0/mlflow/"


class Mlflow:
    """Calls with the token of one person; paths are relative to `/api/2.0/mlflow/`."""

    def __init__(self, user: Any, workspace: Any, *, scope: str = "write") -> None:
        self.client = Client()
        secret = make.token(user, scope=scope)
        self.headers = {
            "Authorization": f"Bearer {secret}",
            "X-MLFLOW-WORKSPACE": workspace.name,
        }

    def post(self, path: str, **body: Any) -> Any:
        return self.send(path, json.dumps(body).encode())

    def send(self, path: str, body: bytes) -> Any:
        """POST bytes that should be JSON."""
        return self.client.generic(
            "POST", A + path, body, content_type="application/json", headers=self.headers
        )

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(A + path, query, headers=self.headers)

    def history(self, run: Any, key: str = "loss", **query: Any) -> list[tuple[Any, ...]]:
        """(timestamp, step, value) of all points, page after page."""
        found, token = [], None
        while True:
            more = {"page_token": token} if token else {}
            asked = {"run_id": run.uid, "run_uuid": run.uid, "metric_key": key, **query, **more}
            answer = self.get("metrics/get-history", **asked)
            assert answer.status_code == 200, answer.content
            page = json.loads(answer.content, parse_constant=refuse)
            for one in page.get("metrics", ()):
                assert one["key"] == key
                found.append((one["timestamp"], one["step"], one["value"]))
            token = page.get("next_page_token")
            if token is None:
                return found


def refuse(word: str) -> None:
    raise AssertionError(f"{word} is not JSON")


def point(value: Any = 0.5, step: Any = 0, at: Any = 1_700_000_000_123, **more: Any) -> Any:
    """One metric of a batch."""
    return {"key": "loss", "value": value, "timestamp": at, "step": step, **more}


def fault(answer: Any) -> tuple[int, str, str]:
    """(status, code, message) of a refusal."""
    told = answer.json()
    assert set(told) == {"error_code", "message"}
    return answer.status_code, told["error_code"], told["message"]

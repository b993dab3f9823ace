"""Calls of the API of custom views, for tests."""

from typing import Any

from tests import make


def made(api: make.Api, name: str = "Failures", **facts: Any) -> dict[str, Any]:
    facts.setdefault("state", {"q": "status:failed"})
    answer = api.post("/views", {"name": name, **facts})
    assert answer.status_code == 201, answer.content
    found: dict[str, Any] = answer.json()
    return found


def delete(api: make.Api, path: str) -> Any:
    return api.send("DELETE", path, b"", "application/json")


def shared(api: make.Api, view: dict[str, Any], **how: Any) -> None:
    answer = api.post(f"/views/{view['uid']}/share", {"everyone": "", **how})
    assert answer.status_code == 200, answer.content


def names(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [item["name"] for item in answer.json()["items"]]


def error(answer: Any) -> tuple[int, str, str]:
    body = answer.json()["error"]
    return answer.status_code, body["code"], body.get("field", "")

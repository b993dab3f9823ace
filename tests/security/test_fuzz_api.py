"""Requests made from the OpenAPI document: never a 5xx, and answers of the documented shape.

A fixed seed and few examples in `make test`; `make fuzz` (STUDIO_FUZZ=long) makes many more.
"""

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core import signals
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
)

from studio.wsgi import application
from tests import make

IS_LONG = os.environ.get("STUDIO_FUZZ") == "long"
N_EXAMPLES = 60 if IS_LONG else 2
SHAPES = [content_type_conformance, response_schema_conformance]


@pytest.fixture
def real(run: Any, people: Any, workspace: Any) -> dict[str, str]:
    """A value that is there for each part of an address."""
    api = make.Api(people.bob, workspace)
    raw = "application/octet-stream"
    kept = api.send("PUT", f"/runs/{run.uid}/artifacts/a.txt", b"abc", raw)
    api.send("POST", f"/runs/{run.uid}/logs/logs/output.txt?offset=0", b"abc\n", raw)
    api.post(f"/runs/{run.uid}/tags", {"set": {"seen": "once"}})
    view = api.post("/views", {"name": "mine"})
    rule = api.post("/alert-rules", {"name": "all", "statuses": ["Failed"]})
    assert {kept.status_code, view.status_code, rule.status_code} == {201}
    return {
        "workspace": "lab",
        "uid": run.uid,
        "name": run.experiment.name,
        "path": "a.txt",
        "target": make.served_target(workspace),
        "view": view.json()["uid"],
        "rule": rule.json()["uid"],
    }


@pytest.fixture
def one_connection(real: dict[str, str]) -> Iterator[None]:
    """Requests through WSGI end with the connection; here it holds the test's transaction.

    After all that uses a test client, which connects what it has disconnected itself.
    """
    for signal in (signals.request_started, signals.request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (signals.request_started, signals.request_finished):
        signal.connect(close_old_connections)


def test_no_documented_request_is_a_fault_of_the_studio(
    one_connection: None, people: Any, workspace: Any, real: dict[str, str]
) -> None:
    document = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", application)
    headers = {"Authorization": f"Bearer {make.token(people.bob, workspace=workspace)}"}
    seen: Counter[int] = Counter()
    faults: dict[str, str] = {}

    def fuzz(operation: Any) -> None:
        @seed(53)
        @settings(
            max_examples=N_EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            parts = case.path_parameters or {}
            case.path_parameters = {key: real.get(key, value) for key, value in parts.items()}
            answer = case.call(headers=headers)
            seen[answer.status_code] += 1
            fault = told(case, answer)
            if fault:
                faults.setdefault(operation.label, fault)

        ask()

    for result in document.get_all_operations():
        fuzz(result.ok())

    assert not faults, "\n".join(f"{name}: {fault}" for name, fault in faults.items())
    assert {200, 404, 422} <= set(seen), seen


def told(case: Any, answer: Any) -> str:
    """What is wrong with the answer, with the request that asked for it; "" when nothing is."""
    if answer.status_code >= 500:
        return f"{answer.status_code} to {case.as_curl_command()[:2000]}"
    try:
        case.validate_response(answer, checks=SHAPES)
    # Several failures come as a group, which is no Exception.
    except BaseExceptionGroup as group:
        return str(group.exceptions[0])[:500]
    except AssertionError as failure:
        return str(failure)[:500]
    return ""

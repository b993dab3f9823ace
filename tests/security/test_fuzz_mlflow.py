"""The MLflow door under JSON of the right and wrong types: never a 5xx, always the error shape.

A grammar by hand: each address gets its own field names, filled with plausible values, real ids and
rubbish. `STUDIO_FUZZ=long` asks many times more.
"""

import json
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from django.urls import get_resolver
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from studio.mlflow_api.gate import TOKEN
from tests import make
from tests.architecture.test_policies import mlflow_policy_of, patterns

N_REQUESTS = 6000 if os.environ.get("STUDIO_FUZZ") == "long" else 400
A = "/api/2.0/mlflow/"
FIELDS = (
    *("run_id", "run_uuid", "experiment_id", "experiment_ids", "experiment_name", "name", "key"),
    *("value", "timestamp", "step", "metrics", "params", "tags", "status", "start_time"),
    *("end_time", "run_name", "filter", "order_by", "max_results", "page_token", "view_type"),
    *("run_view_type", "metric_key", "path", "new_name", "artifact_location", "user_id"),
    *("model_id", "model_ids", "model_type", "source_run_id", "model_json", "models", "datasets"),
    *("dataset", "inputs", "outputs", "start_step", "end_step", "digest", "schema", "profile"),
    *("__proto__", "__class__", "owner", "workspace"),
)
HARD = (
    *("", " ", "\0", "a\0b", "\ud800", "\u202edlrow", "x" * 6000, "../../etc/passwd", "%2e%2e%2f"),
    *("' OR 1=1 --", "metrics.`a", "attributes.status = 'RUNNING'", "params.x LIKE '%'"),
    *("tags.`a.b` ILIKE '_'", "metrics.loss > 1e999", "name IN ('a', 'b')", "a AND", "(", ")"),
    *("metrics.loss DESC", "start_time ASC", "attributes.`x` sideways", "9" * 30, "-1", "1e5"),
    *("NaN", "Infinity", "true", "RUNNING", "FINISHED", "deleted_only", "ALL", "{}", "[]", "null"),
    *("=", "bG9s", "mlflow.user", "mlflow.note.content", "m-" + "0" * 32, "runs:/x/y", "\r\nX: 1"),
)


def rows(ids: list[str]) -> st.SearchStrategy[Any]:
    """JSON of any shape that is made of plausible pieces."""
    plain: st.SearchStrategy[Any] = st.one_of(
        st.sampled_from(ids),
        st.sampled_from(HARD),
        st.sampled_from([None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63) - 1]),
        st.floats(),
        st.text(max_size=8),
    )
    keys = st.sampled_from(FIELDS)
    return st.recursive(
        plain,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
        max_leaves=8,
    )


@pytest.fixture
def world(run: Any, people: Any, workspace: Any) -> dict[str, str]:
    """Ids that are there, by the field that may hold them."""
    api = make.Api(people.bob, workspace)
    api.send("PUT", f"/runs/{run.uid}/artifacts/a.txt", b"abc", "application/octet-stream")
    headers = {"Authorization": f"Bearer {make.token(people.bob)}", "X-MLFLOW-WORKSPACE": "lab"}
    made = Client().post(
        f"{A}logged-models",
        {"experiment_id": str(run.experiment_id), "name": "m", "source_run_id": run.uid},
        content_type="application/json",
        headers=headers,
    )
    assert made.status_code == 200, made.content
    return {
        "run_id": run.uid,
        "experiment_id": str(run.experiment_id),
        "model_id": made.json()["model"]["info"]["model_id"],
        "path": "a.txt",
    }


def addresses(ids: Mapping[str, str]) -> list[str]:
    """Every address of the protocol that asks for a token, with ids put in."""
    found = []
    for route, pattern in patterns(get_resolver("studio.mlflow_api.urls")):
        if mlflow_policy_of(pattern) != TOKEN:
            continue
        text = str(route).replace("^", "").replace("$", "").replace(r"(?P<path>[\s\S]*)", "{path}")
        for name, value in (
            ("<str:model_id>", ids["model_id"]),
            ("<path:key>", "some tag"),
            ("<str:name>", "lab"),
            ("<path:rest>", "create"),
            ("{path}", f"{ids['experiment_id']}/{ids['run_id']}/artifacts/a.txt"),
        ):
            text = text.replace(name, value)
        found.append("/" + text.replace("<", "").replace(">", ""))
    return found


@pytest.mark.data
def test_no_request_of_a_client_is_a_fault_of_the_studio(
    people: Any, world: dict[str, str]
) -> None:
    ids = list(world.values())
    body = st.dictionaries(st.sampled_from(FIELDS), rows(ids), max_size=6)
    client = Client()
    headers = {"Authorization": f"Bearer {make.token(people.bob)}", "X-MLFLOW-WORKSPACE": "lab"}
    seen: dict[int, int] = {}

    @seed(53)
    @settings(
        max_examples=N_REQUESTS,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        address=st.sampled_from(addresses(world)),
        method=st.sampled_from(["POST", "POST", "GET", "PATCH", "DELETE", "PUT"]),
        asked=body,
        is_real=st.sets(st.sampled_from(sorted(world))),
    )
    def ask(address: str, method: str, asked: dict[str, Any], is_real: set[str]) -> None:
        asked = {**asked, **{name: world[name] for name in is_real}}
        if method == "GET":
            query = "&".join(f"{quote(k)}={quote(as_text(v))}" for k, v in asked.items())
            answer = client.get(f"{address}?{query}", headers=headers)
        else:
            raw = json.dumps(asked, ensure_ascii=True).encode()
            answer = client.generic(
                method, address, raw, content_type="application/json", headers=headers
            )
        seen[answer.status_code] = seen.get(answer.status_code, 0) + 1
        assert answer.status_code < 500 or answer.status_code == 501, (method, address, asked)
        if answer.status_code >= 400:
            assert set(answer.json()) == {"error_code", "message"}

    ask()

    assert {200, 400, 404} <= set(seen), seen


def as_text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode("utf-8", "replace").decode()

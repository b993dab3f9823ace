"""Every way to one object, asked alike: pages, the API, MLflow's protocol, downloads.

Each test asks all doors, so that a new one that forgets a rule stands beside those that keep it.
"""

import json
import logging
from typing import Any

import pytest
from django.test import Client

from studio.operations.requests import WATCHED
from tests import make

HTML = b"<script>alert(1)</script>"
NAME = "page.html"
CANARY = "canary-of-the-lab"
A = "/api/2.0/mlflow/"
RANGES = (
    *("bytes=0-", "bytes=-1", "bytes=5-1", "bytes=99-", "bytes=-0", "bytes=0-0,-1", "items=0-1"),
    *("bytes=" + "9" * 400 + "-", "bytes=0-1," * 1000, "bytes=\u0660-\u0661", "", "bytes=0x1-2"),
)


@pytest.fixture
def file_doors(run: Any, people: Any, workspace: Any) -> list[str]:
    """Every address that gives the bytes of one uploaded page."""
    api = make.Api(people.bob, workspace)
    stored = api.send("PUT", f"/runs/{run.uid}/artifacts/{NAME}", HTML, "text/html")
    assert stored.status_code == 201
    inside = f"{run.experiment_id}/{run.uid}/artifacts/{NAME}"
    return [
        f"{run.page_path}/files/{NAME}",
        f"{run.page_path}/zip",
        f"/api/v1/workspaces/lab/runs/{run.uid}/artifacts/{NAME}",
        f"/api/2.0/mlflow-artifacts/artifacts/{inside}",
        f"/get-artifact?run_id={run.uid}&path={NAME}",
        "/api/v1/workspaces/lab/export.zip",
    ]


def doors_of(run: Any) -> list[str]:
    """One address of each kind of answer: pages, parts, JSON, refusals, redirects, plain text."""
    return [
        *("/", "/healthz", "/health", "/version", "/nowhere", "/account/tokens"),
        *(run.page_path, "/w/lab/runs", f"{run.page_path}/status.json"),
        *("/api/v1/openapi.json", "/api/v1/workspaces/lab/runs", "/api/v1/nowhere"),
        *(f"{A}runs/get?run_id={run.uid}", f"{A}nowhere", f"{A}registered-models/list"),
        *(f"/api/v1/workspaces/lab/runs/{run.uid}", "/ajax-api/2.0/mlflow/runs/search"),
    ]


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}", "X-MLFLOW-WORKSPACE": "lab"}


def body(answer: Any) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def as_person(user: Any, address: str, **headers: str) -> Any:
    """The address as this person: with the session for pages and a token for programs."""
    client = make.client(user)
    return client.get(address, headers={**bearer(make.token(user)), **headers})


def test_every_door_to_a_file_obeys_the_same_roles(
    file_doors: list[str], run: Any, people: Any
) -> None:
    other = make.workspace("elsewhere", owner=people.bob)
    of_other = bearer(make.token(people.bob, workspace=other))
    for address in file_doors:
        inside = as_person(people.carol, address)
        assert (inside.status_code, address) == (200, address)
        assert body(inside)
        for name, answer in {
            "outsider": as_person(people.dave, address),
            "anonymous": Client().get(address),
            "token of another workspace": Client().get(address, headers=of_other),
        }.items():
            assert answer.status_code in {302, 401, 404}, (name, address)
            assert b"alert(1)" not in body(answer), (name, address)


def test_every_door_to_a_deleted_run_is_closed_to_writes(run: Any, people: Any) -> None:
    api = make.Api(people.bob, run.workspace)
    headers = bearer(make.token(people.bob))
    gone = Client().post(
        f"{A}runs/delete", {"run_id": run.uid}, content_type="application/json", headers=headers
    )
    assert gone.status_code == 200, gone.content
    raw = "application/octet-stream"
    inside = f"{run.experiment_id}/{run.uid}/artifacts/a"
    logged = {"run_id": run.uid, "key": "k", "value": "v"}
    answers = {
        "api": api.get(f"/runs/{run.uid}"),
        "api tags": api.post(f"/runs/{run.uid}/tags", {"set": {"a": "b"}}),
        "api file": api.send("PUT", f"/runs/{run.uid}/artifacts/a", b"x", raw),
        "mlflow tag": Client().post(
            f"{A}runs/set-tag", logged, content_type="application/json", headers=headers
        ),
        "mlflow file": Client().put(
            f"/api/2.0/mlflow-artifacts/artifacts/{inside}", b"x", raw, headers=headers
        ),
    }
    assert {k: v.status_code for k, v in answers.items() if not 400 <= v.status_code < 500} == {}


def test_uploaded_bytes_are_inert_at_every_door(file_doors: list[str], people: Any) -> None:
    for address in file_doors:
        answer = as_person(people.carol, address)
        policy = answer["Content-Security-Policy"]
        if (
            address.endswith(NAME)
            and "/files/" in address
            and "text/html" in answer["Content-Type"]
        ):
            # The page about the file, ours: the bytes are text in it.
            assert HTML not in body(answer)
            continue
        assert answer["Content-Disposition"].startswith("attachment"), address
        assert "html" not in answer["Content-Type"], address
        assert {"default-src 'none'", "sandbox"} <= set(policy.split("; ")), address
        assert answer["X-Content-Type-Options"] == "nosniff", address


def test_no_range_is_a_fault_at_any_door(file_doors: list[str], people: Any) -> None:
    client = make.client(people.carol)
    headers = bearer(make.token(people.carol))
    for address in file_doors[2:5]:
        for wanted in RANGES:
            answer = client.get(address, headers={**headers, "Range": wanted})
            assert answer.status_code in {200, 206, 416}, (address, wanted[:40])
            assert len(body(answer)) <= len(HTML)


def test_every_answer_carries_the_headers_that_protect_it(run: Any, people: Any) -> None:
    for address in doors_of(run):
        for user in (people.carol, people.dave):
            answer = as_person(user, address, Origin="https://evil.example")
            assert answer.status_code < 500 or answer.status_code == 501, address
            policy = answer["Content-Security-Policy"]
            assert "unsafe" not in policy, address
            if "default-src 'none'" not in policy:
                for part in ("object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"):
                    assert part in policy, address
            assert answer["X-Content-Type-Options"] == "nosniff", address
            assert answer["X-Frame-Options"] == "DENY", address
            assert answer["Referrer-Policy"] == "same-origin", address
            assert "no-store" in answer["Cache-Control"], address
            told = [name for name in answer.headers if name.lower().startswith("access-control")]
            assert told == [], address


def test_a_foreign_host_and_trace_get_nowhere_and_are_not_repeated(run: Any, people: Any) -> None:
    client = make.client(people.carol)
    headers = bearer(make.token(people.carol))
    for address in doors_of(run):
        foreign = client.get(address, headers={**headers, "Host": "evil.example"})
        # What watches a machine asks it by its own name, and is told no address.
        assert (foreign.status_code == 400) == (address not in WATCHED), address
        assert b"evil.example" not in foreign.content, address
        traced = client.generic("TRACE", address, headers={**headers, "X-Canary": CANARY})
        assert traced.status_code < 500 or traced.status_code == 501, address
        assert CANARY.encode() not in traced.content, address


def test_no_repository_settings_or_listing_is_served(run: Any, people: Any) -> None:
    client = make.client(people.alice)
    files = ("/.git/config", "/.git/", "/.env", "/manage.py", "/var/secret_key", "/blobs/")
    static = ("/static/", "/static/js/", "/static/../manage.py", "/static/%2e%2e/manage.py")
    for address in (*files, *static):
        assert client.get(address).status_code == 404, address


def test_a_token_in_an_address_opens_nothing(run: Any, people: Any) -> None:
    secret = make.token(people.carol)
    for name in ("token", "access_token", "api_key", "authorization"):
        assert Client().get(f"/api/v1/whoami?{name}={secret}").status_code == 401, name
        opened = Client().get(f"{run.page_path}?{name}={secret}")
        assert (opened.status_code, opened["Location"].split("?")[0]) == (302, "/sign-in"), name


def test_errors_repeat_no_markup_whatever_was_sent(run: Any, people: Any) -> None:
    client = make.client(people.carol)
    headers = bearer(make.token(people.carol))
    evil = "<img src=x onerror=alert(1)>"
    sent = {**headers, "Content-Type": f"text/html; {evil}", "X-MLFLOW-WORKSPACE": evil}
    for address in (
        *doors_of(run),
        f"/{evil}",
        f"/w/{evil}/runs",
        f"/w/lab/runs?q={evil}&pg={evil}",
    ):
        for method in ("GET", "POST"):
            answer = client.generic(method, address, evil.encode(), headers=sent)
            assert answer.status_code < 500 or answer.status_code == 501, (method, address)
            if "html" in answer.get("Content-Type", ""):
                assert evil.encode() not in answer.content, (method, address)


def test_a_cookie_opens_no_door_of_programs_and_simple_requests_change_nothing(
    run: Any, people: Any, bob_client: Client
) -> None:
    text = json.dumps({"run_id": run.uid, "key": "k", "value": "v"})
    for kind in ("text/plain", "application/json", "application/x-www-form-urlencoded"):
        for address in (f"{A}runs/set-tag", f"/api/v1/workspaces/lab/runs/{run.uid}/tags"):
            answer = bob_client.generic("POST", address, text, content_type=kind)
            assert answer.status_code == 401, (kind, address)
    assert not run.tags.exists()


def test_nobody_writes_what_is_not_theirs_to_write(run: Any, people: Any, api: Any) -> None:
    """Mass assignment: owner, state and times are the studio's own."""
    for name, value in {
        **{"submitter": "alice", "status": "Completed", "created_at": "2001-01-01T00:00:00Z"},
        **{"workspace": "elsewhere", "number": 1, "id": 1, "role": "owner"},
    }.items():
        made = api.post("/runs", {"uid": f"new-{name}", "experiment": "vision", name: value})
        assert made.status_code == 422, name
        changed = api.patch(f"/runs/{run.uid}", {name: value})
        assert changed.status_code == 422, name
    asked = {
        **{"experiment_id": str(run.experiment_id), "user_id": "alice", "status": "FINISHED"},
        **{"submitter": "alice", "workspace": "elsewhere", "run_id": run.uid, "owner": "alice"},
    }
    answer = Client().post(
        f"{A}runs/create",
        asked,
        content_type="application/json",
        headers=bearer(make.token(people.bob)),
    )
    assert answer.status_code == 200
    made_uid = answer.json()["run"]["info"]["run_id"]
    assert made_uid != run.uid
    item = api.get(f"/runs/{made_uid}").json()
    assert (item["submitter"], item["status"], item["workspace"]) == ("bob", "Running", "lab")


def test_odd_parameters_and_view_settings_are_harmless(run: Any, people: Any, api: Any) -> None:
    client = make.client(people.carol)
    for query in ("q=a&q=b", "pg=1&pg=2&pg[]=3", "__proto__=1&__proto__[x]=2", "limit=1&limit=x"):
        assert client.get(f"/w/lab/runs?{query}").status_code == 200, query
        assert api.client.get(f"{api.base}/runs?{query}", headers=api.headers).status_code in {
            *(200, 422),
        }
    for state in (
        {"__proto__": {"polluted": True}},
        {"constructor": {"prototype": {"polluted": True}}},
        {"charts": [{"kind": "line", "__proto__": {"x": 1}}]},
    ):
        answer = api.post("/views", {"name": "odd", "state": state})
        assert answer.status_code == 422, answer.content


def test_a_failure_writes_no_secret_into_the_log_and_none_into_the_answer(
    run: Any, people: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client = make.client(people.carol)
    client.raise_request_exception = False
    secret = make.token(people.carol)
    cookie = client.cookies["studio_session"].value

    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("the disk is on fire")

    monkeypatch.setattr("studio.accounts.models.WorkspaceQuerySet.visible_to", fail)
    monkeypatch.setattr("studio.api.workspaces.workspace_of", fail)
    monkeypatch.setattr("studio.mlflow_api.gate.room_of", fail)
    caplog.set_level(logging.DEBUG)
    asked = ["/", f"{A}runs/get?run_id={run.uid}", "/api/v1/workspaces/lab"]
    failed = [client.get(address, headers=bearer(secret)) for address in asked]

    assert [answer.status_code for answer in failed] == [500, 500, 500]
    assert caplog.text.count("the disk is on fire") >= 3
    for hidden in (secret, cookie, "correct horse"):
        assert hidden not in caplog.text
    for answer in failed:
        assert b"fire" not in answer.content
        assert b"Traceback" not in answer.content

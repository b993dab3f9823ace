"""Every operation of the API's own document, asked by everybody: 401, 404, 403, and no change."""

import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from studio.accounts.models import Scope, new_token
from studio.accounts.permissions import Actor
from studio.compute.models import Target, Worker
from studio.operations.closing import close_workspace
from studio.wire.bundles import entry
from studio.work.models import Work
from studio.work.running import run_work
from tests import make
from tests.architecture.test_policies import operations
from tests.conftest import People
from tests.rows import all_rows, changed_tables

pytestmark = pytest.mark.usefixtures("lasting_people", "lasting_workspace")

OPERATIONS = [name for name, _ in operations()]
IN_WORKSPACE = [name for name in OPERATIONS if "{workspace}" in name]
BYTES, PNG = b"some bytes", b"\x89PNG\r\n\x1a\n" + b"\0" * 60
DIGEST, IMAGE = hashlib.sha256(BYTES).hexdigest(), hashlib.sha256(PNG).hexdigest()[:40]
BUNDLE = entry(hashlib.sha256(b"another").hexdigest(), b"another")
SOURCES = {"files": [{"path": "train.py", "digest": DIGEST, "size": len(BYTES)}]}
# A body that would do something, by the end of the operation's path; the rest send {}.
BODIES: dict[str, Any] = {
    "POST /workspaces": {"name": "another"},
    "/experiments": {"name": "another"},
    "/log-searches": {"selection": {"query": "log~x"}},
    "/runs": {"uid": "another", "experiment": "vision", "start": True},
    "PATCH /runs/{uid}": {"display_name": "another name", "description": "another text"},
    "/fail": {"reason": "wrong data"},
    "/tags": {"set": {"quality": "great"}},
    "/properties": {"set": {"commit": "abc"}},
    "/parameters": {"set": {"lr": "0.1"}},
    "/star": {"starred": True},
    "/children": {"children": [{"uid": "child"}]},
    "/batches": {
        "batch": "6f1ed002-ab55-4a33-9d2b-1c1f0a4a4c11",
        "metrics": [
            {"name": "acc", "kind": "scalar", "steps": [1], "times": [1e9], "values": [0.5]}
        ],
    },
    "/snapshots": SOURCES,
    "/missing": {"digests": [DIGEST]},
    "/delete": {"cancel": True},
    "PATCH /experiments/{name}": {"name": "renamed"},
    "/bulk": {
        "action": "tags",
        "selection": {"query": ""},
        "arguments": {"set": {"quality": "great"}},
    },
    "/tags/rewrite": {"action": "rename", "key": "seen", "to": "noticed"},
    "POST /views": {"name": "another view"},
    "PATCH /views/{view}": {"name": "renamed", "version": 1},
    "POST /targets": {"name": "another"},
    "PATCH /targets/{target}": {"description": "another text"},
    "/targets/{target}/drain": {"node": "box"},
    "POST /members": {"name": "another", "new": True, "role": "reader"},
    "PATCH /members/{user}": {"role": "contributor"},
    "POST /alert-rules": {"name": "another", "statuses": ["Failed"]},
    "PATCH /alert-rules/{rule}": {"name": "renamed"},
    "/alert-rules/{rule}/mute": {"seconds": 60},
    "/alert-rules/{rule}/enable": {"on": False},
    "/notify": {"on": True},
    "/views/{view}/subscribe": {"edge": "enter"},
    "/views/{view}/share": {"everyone": ""},
    "/description/restore": {"version": 1},
    "/views/{view}/restore": {"version": 1},
    "/views/{view}/pin": {"pinned": True},
    "/views/{view}/default": {"on": True},
}
TEXT = {"description": "a text"}
YAML = b"version: 1\nviews:\n- name: as code\n"
FILE, LOG = "outputs/model.bin", "logs/output.txt"
QUERIES = {
    "/metrics/points": "?name=loss",
    "/tags/values": "?key=seen",
    "/find": "?find=x",
    "/log-lines": f"?path={LOG}",
    "POST /logs/{path}": "?offset=0",
}
# Writes that a reader with a full token may do, and why.
OWN_TO_A_READER = {
    "/log-searches": "a search shows nothing that the reader could not read",
    "/star": "a star is the reader's own bookmark",
    "/views/{view}/pin": "a pin is in the reader's own sidebar",
    "/views/{view}/default": "a default is the reader's own way to open a list",
    "POST /alert-rules": "a rule of one's own tells the reader alone",
    "/notify": "and so does this",
    "/views/{view}/subscribe": "and this",
}
# A contributor may not do this either.
OWNERS_ONLY = {"/targets", "/targets/{target}", "/targets/{target}/drain"}
OWNERS_ONLY |= {f"/members{end}" for end in ("", "/{user}", "/{user}/link")}
# The rule asked for is one of the workspace.
ENDS = ("", "/mute", "/enable", "/test", "/deliveries/{delivery}/retry")
OWNERS_ONLY |= {f"/alert-rules/{{rule}}{end}" for end in ENDS}
THEIR_TABLES = {
    *("runs.star", "runs.experimentstar", "work.work", "artifacts.logsearch"),
    *("custom_views.viewpin", "custom_views.defaultview"),
    *("alerts.alertrule", "alerts.destination", "alerts.ruleevent"),
}


def of(table: dict[str, Any], name: str, default: Any) -> Any:
    """The entry for this operation: the longest key that its name ends with."""
    method, path = name.split(" ", 1)
    found = [key for key in table if f"{method} {path}".endswith(key.removeprefix(f"{method} "))]
    found = [key for key in found if key.startswith("/") or key.startswith(f"{method} ")]
    return table[max(found, key=len)] if found else default


def send(name: str, values: dict[str, str], secret: str | None) -> Any:
    """Call the operation as a program with this token would."""
    method, path = name.split(" ", 1)
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    own = {"digest": DIGEST} if "/blobs/" in path else {"path": LOG} if "/logs/" in path else {}
    own |= {"target": "spare"} if method == "DELETE" and "{target}" in path else {}
    own |= {"digest": IMAGE} if "/attachments/" in path else {}
    own |= {"view": values["deleted"]} if path.endswith("/undelete") else {}
    if path.endswith("/resubmit"):
        own = {"uid": values["submitted"]}
    address = path.format_map({**values, **own}) + of(QUERIES, name, "")
    if method == "GET":
        return make.read(Client().get(address, headers=headers))
    if "{path}" in path or "/blobs/" in path:
        body, kind = BYTES, "application/octet-stream"
    elif path.endswith("/blobs"):
        body, kind = BUNDLE, "application/octet-stream"
    elif path.endswith("/images"):
        body, kind = PNG, "application/octet-stream"
    elif path.endswith("/views/import"):
        body, kind = YAML, "application/yaml"
    else:
        body, kind = json.dumps(of(BODIES, name, {})).encode(), "application/json"
    return Client().generic(method, address, body, content_type=kind, headers=headers)


def writes(name: str) -> bool:
    return not name.startswith("GET ")


def deleted_view(api: make.Api) -> str:
    """The id of one that everybody saw."""
    uid = str(api.post("/views", {"name": "deleted"}).json()["uid"])
    assert api.post(f"/views/{uid}/share", {"everyone": "see"}).status_code == 200
    assert api.send("DELETE", f"/views/{uid}", b"", "application/json").status_code == 200
    return uid


@pytest.fixture(scope="module")
def all_values(lasting_lab: Any, everybody: People) -> dict[str, str]:
    """A value for every path parameter; the run has one metric to ask for."""
    experiment = make.experiment(lasting_lab, "vision")
    run = make.run(experiment)
    api = make.Api(run.submitter, run.workspace)
    point = {"name": "loss", "kind": "scalar", "steps": [0], "times": [1e9], "values": [0.3]}
    batch = {"batch": "11111111-ab55-4a33-9d2b-1c1f0a4a4c11", "metrics": [point]}
    raw = "application/octet-stream"
    made = [
        api.post(f"/runs/{run.uid}/batches", batch),
        api.send("PUT", f"/runs/{run.uid}/artifacts/{FILE}", BYTES, raw),
        api.send("POST", f"/runs/{run.uid}/logs/{LOG}?offset=0", BYTES, raw),
        api.send("PUT", f"/blobs/{DIGEST}", BYTES, raw),
        api.send("POST", f"/runs/{run.uid}/images?file=plot.png", PNG, raw),
        *(api.patch(one, TEXT) for one in (f"/runs/{run.uid}", "/experiments/vision")),
        api.post("/snapshots", SOURCES),
    ]
    assert all(answer.status_code in {200, 201} for answer in made), made
    assert api.post(f"/runs/{run.uid}/tags", {"set": {"seen": "once"}}).status_code == 200
    work = api.post("/bulk", BODIES["/bulk"]).json()["id"]
    run_work(Work.objects.get(uid=work).pk)
    view = api.post("/views", {"name": "mine"}).json()["uid"]
    assert api.post(f"/views/{view}/share", {"everyone": "see"}).status_code == 200
    owner = make.Api(everybody.alice, lasting_lab)
    shared = {"name": "all", "statuses": ["Failed"], "shared": True}
    rule = owner.post("/alert-rules", shared).json()["uid"]
    (told,) = owner.post(f"/alert-rules/{rule}/test").json()["items"]
    assert owner.post("/members", {"name": "erin", "new": True}).status_code == 201
    Target.objects.create(name="spare", workspace=run.workspace)
    gpu = Target.objects.create(name="gpu", workspace=run.workspace)
    # Tests of this module may take longer than a worker may be silent.
    seen = timezone.now() + timedelta(hours=1)
    Worker.objects.create(node="box", host="box", pid=1, target=gpu, n_slots=1, last_seen_at=seen)
    submit = {"snapshot": made[-1].json()["id"], "script": "train.py"}
    api.post("/runs", {"uid": "submitted", "experiment": "vision", "submit": submit})
    return {
        "workspace": run.workspace.name,
        "uid": run.uid,
        "submitted": "submitted",
        "name": experiment.name,
        "path": FILE,
        "digest": made[-1].json()["id"],
        "work": work,
        "view": view,
        "target": "gpu",
        "rule": rule,
        "delivery": str(told["id"]),
        "deleted": deleted_view(api),
        "user": "erin",
    }


@pytest.fixture
def values(all_values: dict[str, str], put_back: None) -> dict[str, str]:
    return all_values


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("secret", [None, "studio_wrong"])
def test_without_a_good_token_it_is_401(
    secret: str | None, name: str, values: dict[str, str]
) -> None:
    before = all_rows()

    answer = send(name, values, secret)

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "unauthenticated"
    assert not changed_tables(before)


@pytest.mark.parametrize("name", IN_WORKSPACE)
def test_an_outsider_gets_404(name: str, values: dict[str, str], people: Any) -> None:
    secret = make.token(people.dave)
    before = all_rows()

    answer = send(name, values, secret)

    assert answer.status_code == 404, answer.content
    assert not changed_tables(before)


@pytest.mark.parametrize("name", IN_WORKSPACE)
def test_a_token_of_another_workspace_gets_404(
    name: str, values: dict[str, str], people: Any
) -> None:
    """Even the token of a person who is a member of both."""
    other = make.workspace("elsewhere", owner=people.bob)
    secret = make.token(people.bob, workspace=other)
    before = all_rows()

    assert send(name, values, secret).status_code == 404
    if "{uid}" in name or "{view}" in name:
        through = {**values, "workspace": "elsewhere"}
        assert send(name, through, secret).status_code == 404
    assert not changed_tables(before)


@pytest.mark.parametrize("name", IN_WORKSPACE)
def test_in_a_closed_workspace_everybody_gets_404(
    name: str, values: dict[str, str], people: Any, workspace: Any
) -> None:
    run = {"workspace": workspace, "run_uid": values["uid"], "scope": Scope.WRITE}
    secrets = [
        make.token(people.alice),
        make.token(people.bob, workspace=workspace),
        make.token(make.user("root", admin=True)),
        new_token(people.bob, name="run", **run)[1],
    ]
    close_workspace(workspace, by=Actor(name="command line"))
    before = all_rows()

    for secret in secrets:
        answer = send(name, values, secret)
        assert answer.status_code == 404, answer.content
    assert not changed_tables(before)


@pytest.mark.parametrize("name", IN_WORKSPACE)
@pytest.mark.parametrize(("who", "scope"), [("carol", "write"), ("carol", "read"), ("bob", "read")])
def test_a_reader_and_a_reading_token_read_and_change_nothing(
    who: str, scope: str, name: str, values: dict[str, str], people: Any, workspace: Any
) -> None:
    secret = make.token(getattr(people, who), workspace=workspace, scope=scope)
    before = all_rows()

    answer = send(name, values, secret)

    is_own = scope == "write" and bool(of(OWN_TO_A_READER, name, ""))
    if writes(name) and not is_own:
        assert answer.status_code == 403, answer.content
    else:
        assert answer.status_code in {200, 201}, answer.content
    assert set(changed_tables(before)) <= (THEIR_TABLES if is_own else set())


@pytest.mark.parametrize("name", IN_WORKSPACE)
def test_a_contributor_is_let_in_and_an_owner_where_he_is_not(
    name: str, values: dict[str, str], people: Any, workspace: Any
) -> None:
    secret = make.token(people.bob, workspace=workspace)

    answer = send(name, values, secret)

    if writes(name) and of(dict.fromkeys(OWNERS_ONLY, True), name, False):
        assert answer.status_code == 403, answer.content
        answer = send(name, values, make.token(people.alice, workspace=workspace))
    assert answer.status_code in {200, 201}, answer.content

"""What docs/api.md says of lists, of each in the OpenAPI document: `next` sent back as `cursor`
leads on, and the pages together are the whole."""

from typing import Any

import pytest

from studio.api.api import api as studio_api
from studio.compute.models import Target
from studio.lineage.model_actions import NewModel, create_model
from studio.runs.actions.keeping import delete_run
from studio.work.models import Work
from studio.work.running import run_work
from tests import make
from tests.api.calls import batch
from tests.architecture.test_policies import operations

LAB = "/api/v1/workspaces/{workspace}"
TAG_ALL = {
    "action": "tags",
    "selection": {"query": ""},
    "arguments": {"set": {"quality": "great"}},
}
# What a list can't do without; and a run in which each metric fits into one page.
ASKED: dict[str, dict[str, str]] = {
    "/runs/{uid}/metrics/points": {"name": "loss"},
    "/tags/values": {"key": "seen"},
}
# Any name may be the last that was seen.
BY_NAME = {"/runs/{uid}/metrics", "/runs/{uid}/artifacts", "/members"}
FITTING = "/runs/{uid}/metrics/values"


def lists() -> dict[str, list[str]]:
    """The operations that answer `next`, with the names of their query parameters."""
    parts = studio_api.get_openapi_schema()["components"]["schemas"]
    found = {}
    for name, operation in operations():
        content = operation["responses"].get(200, {}).get("content", {})
        reference = content.get("application/json", {}).get("schema", {}).get("$ref", "")
        fields = parts.get(reference.rpartition("/")[2], {}).get("properties", ())
        if name.startswith("GET ") and "next" in fields:
            asked = [one["name"] for one in operation["parameters"] if one["in"] == "query"]
            found[name.removeprefix(f"GET {LAB}")] = asked
    return found


LISTS = lists()


@pytest.fixture
def lab(people: Any, workspace: Any) -> dict[str, str]:
    """Two and more of everything that is listed; values for the parameters of paths."""
    owner, by = make.Api(people.alice, workspace), make.actor(people.bob)
    make.experiment(workspace, "speech")
    runs = [make.run(make.experiment(workspace, "vision")) for _ in range(6)]
    for run in runs[:2]:
        delete_run(run, by=by, cancel=True)
    run, other = runs[2:4]
    view = owner.post("/views", {"name": "one"}).json()["uid"]
    rule = owner.post("/alert-rules", {"name": "one", "statuses": ["Failed"]}).json()["uid"]
    raw = "application/octet-stream"
    made = [
        owner.post(f"/runs/{run.uid}/batches", batch(0.5, 0.3, 0.1)),
        *(owner.post(f"/runs/{other.uid}/batches", batch(0.5, name=name)) for name in "ab"),
        owner.post(f"/runs/{run.uid}/batches", batch(0.5, name="acc")),
        *(owner.send("PUT", f"/runs/{run.uid}/artifacts/{n}.bin", b"x", raw) for n in "ab"),
        *(owner.post(f"/runs/{one.uid}/tags", {"set": {"seen": one.uid}}) for one in (run, other)),
        *(owner.post("/bulk", TAG_ALL) for _ in range(2)),
        *(owner.patch(f"/runs/{run.uid}", {"description": text}) for text in "ab"),
        *(owner.patch("/experiments/vision", {"description": text}) for text in "ab"),
        owner.post("/targets", {"name": "gpu"}),
        owner.post("/views", {"name": "two"}),
        owner.patch(f"/views/{view}", {"name": "first", "version": 1}),
        owner.post("/alert-rules", {"name": "two", "statuses": ["Failed"]}),
        *(owner.post(f"/alert-rules/{rule}/test") for _ in range(2)),
        *(owner.post(f"/experiments/vision/{change}") for change in ("archive", "reactivate")),
    ]
    refused = [answer.content for answer in made if answer.status_code not in {200, 201}]
    assert not refused
    # Made at the same moment, one for all may have the name of one of a workspace.
    Target.objects.create(name="local", workspace=workspace)
    for work in Work.objects.all():
        run_work(work.pk)
    for name in ("net", "tree"):
        create_model(run.experiment, NewModel(name), source=run, by=by)
    for each in runs[2:]:
        assert owner.post(f"/runs/{each.uid}/complete").status_code == 200
    named = {"uid": run.uid, "other": other.uid, "name": "vision", "view": view, "rule": rule}
    return {**named, "workspace": workspace.name}


def joined(pages: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Whatever is listed in the pages, end to end."""
    fields = {name for page in pages for name, value in page.items() if isinstance(value, list)}
    return {name: [one for page in pages for one in page[name]] for name in fields}


@pytest.mark.parametrize("path", LISTS)
def test_a_list_is_walked_by_its_cursor(path: str, people: Any, lab: dict[str, str]) -> None:
    workspace = make.Api(people.alice, people.alice.memberships.get().workspace)
    values = {**lab, "uid": lab["other"]} if path == FITTING else lab
    address, asked = path.format_map(values), ASKED.get(path, {})
    whole = workspace.get(address, **asked).json()

    pages = [workspace.get(address, **asked, limit=1).json()]
    while pages[-1]["next"] is not None and len(pages) < 100:
        pages.append(workspace.get(address, **asked, limit=1, cursor=pages[-1]["next"]).json())

    assert len(pages) > 1
    assert whole["next"] is None
    assert joined(pages) == joined([whole])


@pytest.mark.parametrize("path", sorted(LISTS.keys() - BY_NAME))
def test_a_list_refuses_a_cursor_of_no_list(path: str, people: Any, lab: dict[str, str]) -> None:
    workspace = make.Api(people.alice, people.alice.memberships.get().workspace)

    answer = workspace.get(path.format_map(lab), **ASKED.get(path, {}), cursor="made up")

    assert (answer.status_code, answer.json()["error"]["field"]) == (422, "cursor")


def test_every_list_takes_a_cursor_and_a_limit() -> None:
    assert len(LISTS) > 15
    assert [path for path, asked in LISTS.items() if not {"cursor", "limit"} <= set(asked)] == []

"""The OpenAPI document: complete, and true of real answers."""

import pytest
from django.test import Client

from tests.api.calls import CALLS, PREFIX, batch

OURS = {"runs", "metrics", "experiments", "workspace"}
SHAPED = OURS | {"views", "tags", "members"}


@pytest.fixture
def document(db):
    answer = Client().get("/api/v1/openapi.json")
    assert answer.status_code == 200
    return answer.json()


def operations(document):
    return {
        (method.upper(), path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def test_it_is_version_3_1_and_needs_a_bearer_token(document):
    assert document["openapi"].startswith("3.1")
    (scheme,) = document["components"]["securitySchemes"].values()
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")


def test_the_access_tests_call_every_operation(document):
    ours = {key for key, op in operations(document).items() if OURS & set(op["tags"])}
    called = {(call.method, f"/api/v1/workspaces/{{workspace}}{call.path}") for call in CALLS}
    called = {
        (method, path.split("?")[0].replace("/experiments/{name}", "/experiments/{name}"))
        for method, path in called
    }
    # Those in no workspace have tests of their own.
    outside = {("GET", "/api/v1/whoami"), ("POST", "/api/v1/workspaces")}
    assert ours == called | outside
    assert PREFIX in {path for _, path in called}


def test_every_operation_says_what_it_does_and_how_it_refuses(document):
    for key, operation in operations(document).items():
        assert operation.get("description"), key
        if SHAPED & set(operation["tags"]):
            assert {"401", "404"} <= set(operation["responses"]), key


def test_every_body_is_described_and_closed(document):
    for (method, path), operation in operations(document).items():
        body = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if method in ("POST", "PATCH") and SHAPED & set(operation["tags"]):
            bare = path.rsplit("/", 1)[-1] in ("start", "complete", "kill", "canceled", "import")
            assert bare or body["schema"]["additionalProperties"] is False, path


def test_references_lead_somewhere(document):
    def walk(node):
        if isinstance(node, dict):
            if "$ref" in node:
                found = document
                for part in node["$ref"].removeprefix("#/").split("/"):
                    found = found[part]
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(document)


def test_answers_have_the_documented_shape(api, run):
    from studio.api import schemas, targets
    from studio.api.metric_values import ValuesPage

    api.post(f"/runs/{run.uid}/cancel", {"reason": "test"})
    api.post(f"/runs/{run.uid}/batches", batch("NaN", 1.0))
    for path, schema in (
        ("", schemas.WorkspaceItem),
        ("/targets", targets.TargetPage),
        ("/targets/local", targets.TargetDetail),
        ("/experiments", schemas.ExperimentPage),
        ("/experiments/vision", schemas.ExperimentItem),
        ("/runs", schemas.RunPage),
        (f"/runs/{run.uid}", schemas.RunItem),
        (f"/runs/{run.uid}/events", schemas.EventPage),
        (f"/runs/{run.uid}/metrics", schemas.MetricPage),
        (f"/runs/{run.uid}/metrics/points?name=loss", schemas.PointsPage),
        (f"/runs/{run.uid}/metrics/values", ValuesPage),
    ):
        schema.model_validate(api.get(path).json(), strict=True)
    beat = api.post(f"/runs/{run.uid}/heartbeat").json()
    schemas.Beat.model_validate(beat, strict=True)
    schemas.BatchAnswer.model_validate(
        api.post(f"/runs/{run.uid}/batches", batch(1.0)).json(), strict=True
    )


def test_the_browsable_page_loads_nothing_from_elsewhere(db):
    page = Client().get("/api/v1/docs")
    assert page.status_code == 200
    assert b"https://" not in page.content

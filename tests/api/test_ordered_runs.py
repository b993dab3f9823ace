"""The list of runs in any order and with any columns."""

import pytest

from studio.api.listing import ListedRunPage
from tests import make
from tests.api.calls import batch


def uids(answer):
    return [item["uid"] for item in answer.json()["items"]]


@pytest.fixture
def runs(api, experiment):
    """Three runs with a loss and one without."""
    for uid, loss in (("b", 0.5), ("a", 0.25), ("c", 0.5)):
        run = make.run(experiment, uid=uid, tags={"t": uid}, parameters={"lr": 0.1})
        assert api.post(f"/runs/{run.uid}/batches", batch(9.0, loss)).status_code == 200
    make.run(experiment, uid="none")


def test_runs_come_in_the_order_asked_for(api, runs):
    assert uids(api.get("/runs", order="newest")) == ["none", "c", "a", "b"]
    assert uids(api.get("/runs", order="metric.loss")) == ["a", "c", "b", "none"]
    assert uids(api.get("/runs", order="-metric.loss:min")) == ["b", "c", "a", "none"]
    assert uids(api.get("/runs", order="metric.loss, -tag.t")) == ["a", "c", "b", "none"]
    assert uids(api.get("/runs", order="metric.loss,tag.t")) == ["a", "b", "c", "none"]
    assert uids(api.get("/runs", order="-uid", q="has:metric.loss")) == ["c", "b", "a"]


def test_pages_in_an_order_are_the_whole_list(api, runs):
    seen, cursor = [], ""
    while cursor is not None:
        page = api.get("/runs", order="-metric.loss", limit=1, cursor=cursor).json()
        seen += [item["uid"] for item in page["items"]]
        cursor = page["next"]
    assert seen == ["b", "c", "a", "none"]


def test_a_cursor_of_another_order_is_refused(api, runs):
    cursor = api.get("/runs", order="metric.loss", limit=1).json()["next"]
    answer = api.get("/runs", order="-metric.loss", limit=1, cursor=cursor)
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, "cursor")


def test_items_hold_the_columns_asked_for(api, runs):
    columns = 'metric.loss:max, tag.t,param."lr",metric.loss:at-max(loss),children,tags,submitted'
    answer = api.get("/runs", columns=columns, order="-metric.loss:min")
    ListedRunPage.model_validate(answer.json(), strict=True)
    first, *_, last = answer.json()["items"]
    assert first["columns"] == {
        "metric.loss:max": 9.0,
        "tag.t": "b",
        "param.lr": "0.1",
        "metric.loss:at-max(loss)": 9.0,
        "children": None,
        "tags": {"t": "b"},
        "submitted": first["created_at"],
    }
    assert last["columns"]["metric.loss:max"] is None
    assert "columns" not in api.get("/runs").json()["items"][0]


@pytest.mark.parametrize(
    ("query", "field", "position"),
    [
        ({"order": "metric.loss,colour"}, "order", 12),
        ({"order": "-"}, "order", 1),
        ({"order": "metric.loss:at-min(acc)"}, "order", 0),
        ({"columns": "name,tag."}, "columns", 5),
        ({"columns": "metric.loss:best"}, "columns", 11),
        ({"q": "status:"}, "q", 7),
    ],
)
def test_a_wrong_key_is_422_with_its_place_and_an_example(api, runs, query, field, position):
    answer = api.get("/runs", **query)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (422, "invalid")
    assert (error["field"], error["position"]) == (field, position)
    assert api.get("/runs", **{field: error["example"]}).status_code == 200


def test_the_openapi_document_tells_of_order_and_columns(api):
    document = api.client.get("/api/v1/openapi.json").json()
    told = document["paths"]["/api/v1/workspaces/{workspace}/runs"]["get"]["parameters"]
    by_name = {parameter["name"]: str(parameter) for parameter in told}
    assert "-metric.loss:min" in by_name["order"]
    assert "at-min" in by_name["columns"]


def test_columns_and_order_cost_a_fixed_number_of_queries(api, experiment, count_queries):
    path = "/runs?order=-tag.t,metric.loss&columns=tag.t,param.lr,metric.loss,name,submitter"
    make.run(experiment, tags={"t": "1"})
    few = count_queries(lambda: api.get(path))
    for i in range(12):
        make.run(experiment, tags={"t": str(i)}, parameters={"lr": i})
    assert count_queries(lambda: api.get(path)) <= few + 1

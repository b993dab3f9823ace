"""logged-models/…, runs/log-inputs, runs/outputs, and what a run tells of them."""

from typing import Any

import pytest

from studio.lineage.actions import ModelPoint, note_model_points
from studio.lineage.models import LoggedModel
from studio.mlflow_api.lineage_json import inputs_and_outputs
from studio.runs.actions import complete_run
from studio.runs.actions.keeping import delete_run
from studio.runs.models import Run
from tests import make

pytestmark = pytest.mark.data
A = "/api/2.0/mlflow"
MODELS = f"{A}/logged-models"


def made(mlflow: Any, run: Any, name: str = "net", **facts: Any) -> dict[str, Any]:
    body = {"experiment_id": str(run.experiment_id), "name": name, "source_run_id": run.uid}
    answer = mlflow.post(MODELS, {**body, **facts})
    assert answer.status_code == 200, answer.content
    return answer.json()["model"]


def pair(key: str, value: str) -> dict[str, str]:
    return {"key": key, "value": value}


def test_a_model_is_made_labelled_finished_read_and_deleted(mlflow: Any, run: Any) -> None:
    model = made(
        mlflow, run, model_type="torch", params=[pair("lr", "0.1")], tags=[pair("stage", "a")]
    )
    uid = model["info"]["model_id"]
    assert len(uid) == 34
    assert model["info"]["artifact_uri"] == (
        f"mlflow-artifacts:/{run.experiment_id}/models/{uid}/artifacts"
    )
    assert model["info"]["status"] == "LOGGED_MODEL_PENDING"
    place = f"{MODELS}/{uid}"
    more = {"model_id": uid, "params": [pair("depth", "3"), pair("lr", "0.1")]}
    assert mlflow.post(f"{place}/params", more).json() == {}
    mlflow.send("PATCH", f"{place}/tags", {"tags": [pair("stage", "b"), pair("a/b", "")]})
    assert mlflow.send("DELETE", f"{place}/tags/a/b").json() == {}
    assert mlflow.send("DELETE", f"{place}/tags/a/b").status_code == 404
    ready = mlflow.send("PATCH", place, {"model_id": uid, "status": "LOGGED_MODEL_READY"}).json()

    assert ready == mlflow.get(place).json()
    info, data = ready["model"]["info"], ready["model"]["data"]
    assert (info["status"], info["source_run_id"]) == ("LOGGED_MODEL_READY", run.uid)
    assert (info["name"], info["model_type"]) == ("net", "torch")
    assert info["tags"] == [pair("stage", "b")]
    assert data == {"params": [pair("depth", "3"), pair("lr", "0.1")]}
    assert info["last_updated_timestamp_ms"] >= info["creation_timestamp_ms"] > 1_700_000_000_000

    assert mlflow.send("DELETE", place, {"model_id": uid}).json() == {}
    gone = mlflow.get(place)
    assert (gone.status_code, gone.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert mlflow.get(place, allow_deleted="true").status_code == 200
    assert mlflow.send("PATCH", f"{place}/tags", {"tags": [pair("a", "b")]}).status_code == 404


def test_a_model_of_no_run_is_carried_by_one_of_its_own(mlflow: Any, experiment: Any) -> None:
    model = mlflow.post(MODELS, {"experiment_id": str(experiment.pk), "name": "alone"}).json()
    info = model["model"]["info"]
    place = info["artifact_uri"].removeprefix("mlflow-artifacts:/")

    assert "source_run_id" not in info
    assert mlflow.put_file(f"{place}/MLmodel", b"flavors").status_code == 200
    assert mlflow.files(place) == {"MLmodel": 7}
    run = Run.objects.get(display_name="alone")
    assert run.status == "Completed"
    assert mlflow.files(f"{experiment.pk}/{run.uid}/artifacts") == {}


def test_a_run_tells_what_it_used_and_made(mlflow: Any, run: Any) -> None:
    uid = made(mlflow, run)["info"]["model_id"]
    dataset = {
        "name": "iris",
        "digest": "ab",
        "source_type": "local",
        "source": "x",
        "schema": "{}",
    }
    inputs = {"dataset": dataset, "tags": [pair("mlflow.data.context", "train")]}
    body = {"run_id": run.uid, "datasets": [inputs], "models": [{"model_id": uid}]}
    for _ in range(2):
        assert mlflow.post(f"{A}/runs/log-inputs", body).json() == {}
    outputs = {"run_id": run.uid, "models": [{"model_id": uid, "step": "9007199254740993"}]}
    assert mlflow.post(f"{A}/runs/outputs", outputs).json() == {}

    assert inputs_and_outputs([run])[run.pk] == {
        "inputs": {"dataset_inputs": [inputs], "model_inputs": [{"model_id": uid}]},
        "outputs": {"model_outputs": [{"model_id": uid, "step": 9007199254740993}]},
    }
    other = make.run(run.experiment)
    assert inputs_and_outputs([other]) == {other.pk: {}}


@pytest.fixture
def zoo(mlflow: Any, run: Any) -> dict[str, str]:
    """name -> id of four models, oldest first, three of them measured."""
    found = {}
    for i, name in enumerate(("ant", "bee", "cat", "Dog")):
        kind = {"model_type": "insect"} if i < 2 else {}
        facts = {"params": [pair("legs", "6" if i < 2 else "4")], "tags": [pair("n", name)]}
        found[name] = made(mlflow, run, name, **kind, **facts)["info"]["model_id"]
        if i:
            by = make.actor(run.submitter)
            points = [ModelPoint(found[name], "acc", i / 4, 0, i, "iris", f"d{i}")]
            note_model_points(run, points, by=by)
    mlflow.send("PATCH", f"{MODELS}/{found['cat']}", {"status": "LOGGED_MODEL_READY"})
    return found


def test_models_are_found_by_filters_in_orders_and_pages(
    mlflow: Any, run: Any, zoo: dict[str, str], django_assert_num_queries: Any
) -> None:
    def names(**asked: Any) -> list[str]:
        body = {"experiment_ids": [str(run.experiment_id)], **asked}
        answer = mlflow.post(f"{MODELS}/search", body)
        assert answer.status_code == 200, answer.content
        return [model["info"]["name"] for model in answer.json().get("models", [])]

    assert names() == ["Dog", "cat", "bee", "ant"]
    moment = LoggedModel.objects.get(name="bee").created_at
    for text, expected in {
        "name = 'cat'": ["cat"],
        "name != 'cat'": ["Dog", "bee", "ant"],
        "name LIKE '%a%'": ["cat", "ant"],
        "name ILIKE 'd%'": ["Dog"],
        "name IN ('ant', 'bee')": ["bee", "ant"],
        f"source_run_id = '{run.uid}' AND model_type = 'insect'": ["bee", "ant"],
        "status = 'READY'": ["cat"],
        "status = 'LOGGED_MODEL_PENDING'": ["Dog", "bee", "ant"],
        "params.legs = '6'": ["bee", "ant"],
        "tags.n = 'Dog'": ["Dog"],
        "metrics.acc > 0.3": ["Dog", "cat"],
        "metrics.acc != 0.25": ["Dog", "cat"],
        "metrics.none = 0": [],
        f"model_id = '{zoo['bee']}'": ["bee"],
        f"creation_timestamp >= {int(moment.timestamp() * 1000)}": ["Dog", "cat", "bee"],
    }.items():
        found = names(filter=text)
        if text.startswith("creation"):
            found = [name for name in found if name != "ant"]
        assert found == expected, text
    assert names(datasets=[{"dataset_name": "iris", "dataset_digest": "d2"}]) == ["cat"]
    on = [{"dataset_name": "iris"}]
    assert names(datasets=on, filter="metrics.acc < 0.6") == ["cat", "bee"]
    by_metric = [{"field_name": "metrics.acc", "ascending": False}]
    assert names(order_by=by_metric) == ["Dog", "cat", "bee", "ant"]
    assert names(order_by=[{"field_name": "metrics.acc"}]) == ["bee", "cat", "Dog", "ant"]
    assert names(order_by=[{"field_name": "name"}]) == ["Dog", "ant", "bee", "cat"]

    for order_by in ([], by_metric, [{"field_name": "model_type"}]):
        seen, token = [], ""
        while token is not None:
            body = {"experiment_ids": [str(run.experiment_id)], "max_results": 1}
            body |= {"order_by": order_by, "page_token": token}
            with django_assert_num_queries(7):
                page = mlflow.post(f"{MODELS}/search", body).json()
            seen += [model["info"]["name"] for model in page["models"]]
            token = page.get("next_page_token")
        assert seen == names(order_by=order_by)


def test_points_come_with_the_model(mlflow: Any, zoo: dict[str, str], run: Any) -> None:
    by = make.actor(run.submitter)
    note_model_points(run, [ModelPoint(zoo["ant"], "acc", float("nan"), 2**60, 5)], by=by)

    (point,) = mlflow.get(f"{MODELS}/{zoo['ant']}").json()["model"]["data"]["metrics"]

    assert point == {
        "key": "acc",
        "value": "NaN",
        "timestamp": 5,
        "step": 2**60,
        "model_id": zoo["ant"],
        "run_id": run.uid,
    }


def test_what_is_wrong_is_refused_by_name(mlflow: Any, run: Any, zoo: dict[str, str]) -> None:
    experiment, ant = str(run.experiment_id), f"{MODELS}/{zoo['ant']}"
    search, inputs, outputs = f"{MODELS}/search", f"{A}/runs/log-inputs", f"{A}/runs/outputs"
    ids = {"experiment_ids": [experiment]}
    big = {"dataset": {"name": "a", "digest": "b", "profile": "x" * 1_100_000}}
    for method, path, body, status in (
        ("POST", MODELS, {}, 400),
        ("POST", MODELS, {"experiment_id": "99999"}, 404),
        ("POST", MODELS, {"experiment_id": experiment, "source_run_id": "nope"}, 404),
        ("POST", MODELS, {"experiment_id": experiment, "name": "a:b"}, 400),
        ("POST", MODELS, {"experiment_id": experiment, "name": "x" * 300}, 400),
        ("POST", MODELS, {"experiment_id": experiment, "params": "x"}, 400),
        ("POST", f"{ant}/params", {"params": [pair("legs", "8")]}, 400),
        ("POST", f"{ant}/params", {"params": [pair("a", "1"), pair("a", "2")]}, 400),
        ("PATCH", ant, {"status": "LOGGED_MODEL_PENDING"}, 400),
        ("PATCH", ant, {"status": "x"}, 400),
        ("PATCH", f"{MODELS}/m-{'0' * 32}", {"status": "LOGGED_MODEL_READY"}, 404),
        ("GET", f"{MODELS}/nope", None, 404),
        ("POST", search, {}, 400),
        ("POST", search, {"experiment_ids": ["x"]}, 400),
        ("POST", search, {**ids, "filter": "nope = 'x'"}, 400),
        ("POST", search, {**ids, "filter": "creation_timestamp > 1.5"}, 400),
        ("POST", search, {**ids, "page_token": "made up"}, 400),
        ("POST", search, {**ids, "max_results": 50_001}, 400),
        ("POST", search, {**ids, "order_by": [{"field_name": "nope"}]}, 400),
        ("POST", search, {**ids, "order_by": [{}]}, 400),
        ("POST", search, {**ids, "datasets": [{}]}, 400),
        ("POST", inputs, {"run_id": "nope"}, 404),
        ("POST", inputs, {"run_id": run.uid, "datasets": [{}]}, 400),
        ("POST", inputs, {"run_id": run.uid, "datasets": [{"dataset": {"name": 3}}]}, 400),
        ("POST", inputs, {"run_id": run.uid, "datasets": [big]}, 400),
        ("POST", inputs, {"run_id": run.uid, "models": [{"model_id": "m-0"}]}, 404),
        ("POST", outputs, {"run_id": run.uid, "models": [{}]}, 400),
        ("POST", outputs, {"run_id": run.uid, "models": [{"model_id": "x", "step": 1.5}]}, 400),
    ):
        answer = mlflow.get(path) if method == "GET" else mlflow.send(method, path, body)
        assert answer.status_code == status, (method, path, str(body)[:80], answer.content)
        assert answer.json()["error_code"], path


def test_models_of_a_deleted_run_are_gone_with_it(
    mlflow: Any, run: Any, zoo: dict[str, str]
) -> None:
    by = make.actor(run.submitter)
    delete_run(complete_run(run, by=by), by=by)

    assert mlflow.get(f"{MODELS}/{zoo['ant']}").status_code == 404
    ids = {"experiment_ids": [str(run.experiment_id)]}
    assert mlflow.post(f"{MODELS}/search", ids).json() == {}
    refused = mlflow.post(f"{A}/runs/log-inputs", {"run_id": run.uid})
    assert (refused.status_code, refused.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_who_may_do_what_with_models(
    mlflow: Any, mlflow_of: Any, people: Any, run: Any, zoo: dict[str, str]
) -> None:
    ids = {"experiment_ids": [str(run.experiment_id)]}
    new = {"experiment_id": str(run.experiment_id), "source_run_id": run.uid}
    wanted = {people.alice: (200, 200), people.bob: (200, 200), people.carol: (200, 403)}
    wanted |= {people.dave: (404, 404), None: (401, 401)}
    for user, (reading, writing) in wanted.items():
        them = mlflow_of(user)
        uid = made(mlflow, run)["info"]["model_id"]
        place = f"{MODELS}/{uid}"
        reads = (them.get(place), them.post(f"{MODELS}/search", ids))
        writes = (
            them.post(MODELS, new),
            them.post(f"{place}/params", {"params": [pair("a", "b")]}),
            them.send("PATCH", f"{place}/tags", {"tags": [pair("a", "b")]}),
            them.send("DELETE", f"{place}/tags/a"),
            them.send("PATCH", place, {"status": "LOGGED_MODEL_READY"}),
            them.post(f"{A}/runs/log-inputs", {"run_id": run.uid}),
            them.post(f"{A}/runs/outputs", {"run_id": run.uid}),
            them.send("DELETE", place),
        )
        assert {answer.status_code for answer in reads} == {reading}, user
        assert [answer.status_code for answer in writes] == [writing] * len(writes), user

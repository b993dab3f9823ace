"""POST runs/log-parameter, runs/log-model, and the parameters and tags of runs/log-batch."""

import json
from typing import Any

import pytest

from studio.runs.models import Parameter, Tag
from tests.mlflow_api.client import Mlflow, fault, point
from tests.rows import all_rows, changed_tables

pytestmark = pytest.mark.data


@pytest.fixture
def mlflow(people: Any, workspace: Any) -> Mlflow:
    return Mlflow(people.bob, workspace)


def params_of(run: Any) -> dict[str, str]:
    return {row.key: row.whole_value for row in Parameter.objects.filter(run=run)}


def test_a_parameter_keeps_its_first_value(mlflow: Mlflow, run: Any) -> None:
    def log(key: str, value: Any) -> Any:
        return mlflow.post("runs/log-parameter", run_id=run.uid, key=key, value=value)

    long = "é" * 6_001
    sent = {"lr": "0.1", "empty": "", "größe: a/b": " as it is\n", "long": long}
    for _ in range(2):
        assert [log(key, value).json() for key, value in sent.items()] == [{}] * 4
    assert params_of(run) == {**sent, "long": long[:6_000]}
    assert Parameter.objects.get(key="lr").number == 0.1

    before = all_rows()
    status, code, message = fault(log("lr", "0.2"))
    assert (status, code) == (400, "INVALID_PARAMETER_VALUE")
    assert "'lr'" in message
    assert "'0.1'" in message
    assert log("long", long[:5_999]).status_code == 400
    for key, value in (("a\n", "x"), ("..", "x"), ("k" * 251, "x"), ("", "x"), ("n", 3)):
        assert fault(log(key, value))[1] == "INVALID_PARAMETER_VALUE"
    assert changed_tables(before) == []


def test_a_refused_batch_keeps_nothing(mlflow: Mlflow, run: Any) -> None:
    def log(*params: tuple[str, str]) -> Any:
        labels = [{"key": key, "value": value} for key, value in params]
        tags = [{"key": "stage", "value": "x"}]
        return mlflow.post(
            "runs/log-batch", run_id=run.uid, metrics=[point()], params=labels, tags=tags
        )

    mlflow.post("runs/log-parameter", run_id=run.uid, key="lr", value="0.1")
    before = all_rows()
    assert "0.1" in fault(log(("new", "1"), ("lr", "0.2")))[2]
    for value in ("1", "2"):
        assert "Duplicate" in fault(log(("twice", "1"), ("twice", value)))[2]
    assert changed_tables(before) == []

    assert log(("new", "1"), ("lr", "0.1")).json() == {}
    assert params_of(run) == {"lr": "0.1", "new": "1"}
    assert dict(Tag.objects.filter(run=run).values_list("key", "value")) == {"stage": "x"}


def test_models_of_older_clients_are_listed_in_their_tag(mlflow: Mlflow, run: Any) -> None:
    def log(model: Any) -> Any:
        text = model if isinstance(model, str) else json.dumps(model)
        return mlflow.post("runs/log-model", run_id=run.uid, model_json=text)

    first = {"run_id": run.uid, "artifact_path": "a", "flavors": {}, "utc_time_created": "now"}
    second = {**first, "artifact_path": "b"}
    for model in (first, second, first):
        assert log(model).json() == {}
    tag = Tag.objects.get(run=run, key="mlflow.log-model.history")
    assert json.loads(tag.whole_value or "") == [first, second]

    before = all_rows()
    for wrong in ("", "{", "[]", {"artifact_path": "a"}, "[" * 10_000):
        assert fault(log(wrong))[1] == "INVALID_PARAMETER_VALUE"
    assert changed_tables(before) == []

"""What clients log, as the pages of a run and its logged models show it."""

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from studio.lineage.models import ModelMetric
from studio.runs.actions import cancel_run
from tests import make
from tests.mlflow_api.client import Mlflow, fault, point
from tests.rows import all_rows, changed_tables

pytestmark = pytest.mark.data
LONGEST, LEAST = 2**63 - 1, -(2**63)


@pytest.fixture
def mlflow(people: Any, workspace: Any) -> Mlflow:
    return Mlflow(people.bob, workspace)


def log(mlflow: Mlflow, run: Any, *points: Any) -> Any:
    return mlflow.post("runs/log-batch", run_id=run.uid, metrics=list(points))


def page(client: Client, run: Any, name: str, /, **query: Any) -> Any:
    answer = client.get(reverse(name, args=["lab", run.uid]), query)
    assert answer.status_code == 200, (name, query)
    return answer


def test_pages_show_negative_and_greatest_steps_and_any_time(
    mlflow: Mlflow, run: Any, bob_client: Client, api: Any
) -> None:
    points = [point(1.5, LEAST, 0), point(0.25, -7, LONGEST), point("NaN", 0), point(2, LONGEST)]
    assert log(mlflow, run, *points).status_code == 200

    for x in ("step", "time", "relative"):
        figure = page(bob_client, run, "run-figure", m="loss", x=x).json()
        assert figure["data"], x
    zoom = {"from": str(LEAST), "to": "0"}
    assert page(bob_client, run, "run-figure", m="loss", **zoom).json()["data"]
    assert str(LEAST) in page(bob_client, run, "run-metric-table", m="loss").content.decode()
    text = b"".join(page(bob_client, run, "run-metric-csv", m="loss").streaming_content)
    assert str(LONGEST).encode() in text
    for name in ("run-detail", "run-metrics", "run-details", "run-values"):
        page(bob_client, run, name)
    assert api.get(f"/runs/{run.uid}/metrics/points", name="loss").json()["steps"] == [
        *(LEAST, -7),
        *(0, LONGEST),
    ]
    query = {"q": "metric.loss:min<0.5", "columns": "metric.loss,metric.loss:max"}
    answer = bob_client.get(reverse("run-list", args=["lab"]), query)
    assert run.display_name in answer.content.decode()


def test_samples_of_the_machine_stand_under_monitoring_in_its_units(
    mlflow: Mlflow, run: Any, bob_client: Client
) -> None:
    samples = {
        "cpu_utilization_percentage": 97.5,
        "system_memory_usage_megabytes": 7_445.4,
        "gpu_0_utilization_percentage": 88.0,
        "gpu_1_memory_usage_gigabytes": 12.5,
        "disk_usage_percentage": 25.7,
        "network_receive_megabytes": 3.25,
    }
    for host in ("", "node-7/"):
        points = [point(value, 1, key=f"system/{host}{key}") for key, value in samples.items()]
        assert log(mlflow, run, point(), *points).status_code == 200

    text = page(bob_client, run, "run-metrics").content.decode()
    assert "loss" in text
    assert "system/" not in text
    text = page(bob_client, run, "run-monitoring").content.decode()
    assert "Machine without a name" in text
    assert "node-7" in text
    figure = page(bob_client, run, "run-monitoring-figure", host="", panel="cpu_share").json()
    assert figure["badge"] == "1 sample · 100 % is all cores"
    for panel, unit, value in (
        ("cpu_share", "%", 97.5),
        ("memory", "GB", 7.4454),
        ("gpu", "%", 88.0),
        ("gpu_memory", "GB", 12.5),
        ("disk_share", "%", 25.7),
        ("network_total", "MB", 3.25),
    ):
        query = {"host": "node-7", "panel": panel}
        figure = page(bob_client, run, "run-monitoring-figure", **query).json()
        assert figure["layout"]["yaxis"]["title"]["text"] == unit
        assert figure["data"][0]["y"] == [pytest.approx(value)], panel


def test_a_point_of_a_model_belongs_to_the_run_and_to_the_model(mlflow: Mlflow, run: Any) -> None:
    model = mlflow.post(
        "logged-models", experiment_id=str(run.experiment_id), name="net", source_run_id=run.uid
    ).json()["model"]["info"]["model_id"]
    about = {"model_id": model, "dataset_name": "iris", "dataset_digest": "d1"}
    batch = [point(0.5, 1, **about), point(0.25, 2)]
    for _ in range(2):
        assert log(mlflow, run, *batch).status_code == 200
    assert mlflow.post("runs/log-metric", run_id=run.uid, **point(0.75, 3, **about)).json() == {}

    assert [value for _, _, value in mlflow.history(run)] == [0.5, 0.25, 0.75]
    rows = ModelMetric.objects.order_by("step").values_list("name", "value", "dataset_name", "step")
    assert list(rows) == [("loss", 0.5, "iris", 1), ("loss", 0.75, "iris", 3)]

    before = all_rows()
    lost = fault(log(mlflow, run, point(9, 9), point(9, 9, model_id="m-" + "0" * 32)))
    assert lost[0] in (400, 404)
    assert fault(log(mlflow, run, point(9, 9, model_id=7)))[1] == "INVALID_PARAMETER_VALUE"
    assert changed_tables(before) == []


def test_a_cancelled_run_refuses_what_its_program_goes_on_to_log(
    mlflow: Mlflow, run: Any, people: Any
) -> None:
    log(mlflow, run, point())
    cancel_run(run, by=make.actor(people.alice), reason="too slow")
    before = all_rows()
    for path, body in (
        ("runs/log-metric", point(2)),
        ("runs/log-batch", {"metrics": [point(2)]}),
        ("runs/log-parameter", {"key": "a", "value": "b"}),
        ("runs/log-model", {"model_json": json.dumps({})}),
    ):
        status, code, message = fault(mlflow.post(path, run_id=run.uid, **body))
        assert (status, code) == (400, "INVALID_PARAMETER_VALUE")
        assert "cancelled by alice" in message
        assert "too slow" in message
    assert changed_tables(before) == []

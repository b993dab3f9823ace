"""GET metrics/get-history."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from studio.metrics.models import MetricChunk
from tests import make
from tests.mlflow_api.client import Mlflow, fault, point

pytestmark = pytest.mark.data


@pytest.fixture
def mlflow(people: Any, workspace: Any) -> Mlflow:
    return Mlflow(people.bob, workspace)


def log(mlflow: Mlflow, run: Any, *points: Any) -> None:
    assert mlflow.post("runs/log-batch", run_id=run.uid, metrics=list(points)).status_code == 200


def test_points_are_in_the_order_of_time_step_and_value(mlflow: Mlflow, run: Any) -> None:
    points = [(3, 1, 1.0), (1, 9, 5.0), (2, -4, 2.0), (2, 7, "NaN"), (2, 7, -1.0), (2, 7, 8.0)]
    for at, step, value in points:
        log(mlflow, run, point(value, step, at))
    log(mlflow, run, *(point(value, step, at) for at, step, value in reversed(points)))
    for size in (1, 2, 5, 6, 100):
        assert mlflow.history(run, max_results=size) == [
            (1, 9, 5.0),
            (2, -4, 2.0),
            (2, 7, "NaN"),
            (2, 7, -1.0),
            (2, 7, 8.0),
            (3, 1, 1.0),
        ]
    asked = {"run_id": run.uid, "metric_key": "loss", "max_results": 4}
    assert len(mlflow.get("metrics/get-history", **asked).json()["metrics"]) == 4


def test_a_page_of_a_long_history_reads_only_its_own_chunks(mlflow: Mlflow, run: Any) -> None:
    for batch in range(70):
        first = batch * 1_000
        log(mlflow, run, *(point(i / 7, i, 10**12 + i) for i in range(first, first + 1_000)))
    # The last request again in part: equal points lie on both sides of a page's edge.
    log(mlflow, run, *(point(i / 7, i, 10**12 + i) for i in (69_999,)))
    assert MetricChunk.objects.count() > 8

    asked = {"run_id": run.uid, "metric_key": "loss"}
    with CaptureQueriesContext(
        connection,
    ) as first_page:
        page = mlflow.get("metrics/get-history", **asked).json()
    assert len(page["metrics"]) == 25_000
    with CaptureQueriesContext(connection) as second_page:
        page = mlflow.get("metrics/get-history", **asked, page_token=page["next_page_token"]).json()
    assert [one["step"] for one in page["metrics"]] == list(range(25_000, 50_000))
    reads = [sql["sql"] for sql in second_page if "data" in sql["sql"] and "chunk" in sql["sql"]]
    assert len(reads) == 1
    assert reads[0].count(",") < 8, "the chunks of one page"
    assert len(first_page) == len(second_page) + 1

    for size in (25_000, 9_999, 69_999, 70_000):
        found = mlflow.history(run, max_results=size)
        assert [step for _, step, _ in found] == list(range(70_000)), size
    assert found[7] == (10**12 + 7, 7, 1.0)


def test_what_there_is_not_is_empty_and_what_is_wrong_is_refused(
    mlflow: Mlflow, run: Any, people: Any, workspace: Any
) -> None:
    log(mlflow, run, point())
    path, asked = "metrics/get-history", {"run_id": run.uid, "metric_key": "loss"}
    assert mlflow.get(path, **{**asked, "metric_key": "acc"}).json() == {}
    assert mlflow.get(path, **asked, page_token="a500").json() == {}
    for change in (
        *({"page_token": token} for token in ("x", "a-1", "s1.5", "a" + "9" * 40, "A1")),
        *({"max_results": size} for size in ("0", "-3", "x", "1.5")),
        {"metric_key": ""},
    ):
        assert fault(mlflow.get(path, **{**asked, **change}))[:2] == (
            400,
            "INVALID_PARAMETER_VALUE",
        ), change
    missing = (404, "RESOURCE_DOES_NOT_EXIST")
    assert fault(mlflow.get(path, **{**asked, "run_id": "0" * 32}))[:2] == missing
    for who, status in ((people.alice, 200), (people.carol, 200), (people.dave, 404)):
        assert Mlflow(who, workspace).get(path, **asked).status_code == status
    other = make.workspace("hers", owner=people.alice)
    assert fault(Mlflow(people.alice, other).get(path, **asked))[:2] == missing

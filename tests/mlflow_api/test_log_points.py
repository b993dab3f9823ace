"""POST runs/log-metric and the metrics of runs/log-batch."""

import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from studio.accounts.models import ApiToken
from studio.metrics.models import Metric
from studio.runs.actions import complete_run
from studio.runs.models import Experiment, Run
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


def test_numbers_come_back_as_they_were_sent(mlflow: Mlflow, run: Any) -> None:
    sent = [
        (0, 0, 0.0),
        (1, -5, -1.5),
        (1_700_000_000_123, LEAST, 1e-300),
        (1_700_000_000_124, LONGEST, "NaN"),
        (4_102_444_800_001, 3, "Infinity"),
        (4_102_444_800_002, 3, "-Infinity"),
        (253_402_300_799_999, 2**53 + 1, 7.0),
    ]
    for at, step, value in sent:
        body = {"run_id": run.uid, "run_uuid": run.uid, **point(value, step, at)}
        answer = mlflow.post("runs/log-metric", **body)
        assert (answer.status_code, answer.json()) == (200, {})
    assert mlflow.history(run) == sent

    metric = Metric.objects.get(run=run)
    assert (metric.last_step, metric.last_text, metric.n_points) == (LONGEST, "NaN", 7)
    assert (metric.min, metric.min_step, metric.max, metric.max_step) == (-1.5, -5, 7.0, 2**53 + 1)


def test_one_batch_takes_every_spelling_of_a_number(mlflow: Mlflow, run: Any) -> None:
    body = json.dumps(
        {
            "run_uuid": run.uid,
            "metrics": [
                {**point(at="5", step="-7", value=3), "unknown": {"x": []}},
                {"key": "loss", "value": 1e3, "timestamp": 6},
                {"key": "loss", "value": "2.5", "timestamp": 7, "step": None},
                {"key": "loss", "value": "BIG", "timestamp": 8, "step": 2.0},
            ],
            "params": None,
            "tags": [],
        }
    ).replace('"BIG"', "1e400")
    assert mlflow.send("runs/log-batch", body.encode()).status_code == 200
    assert mlflow.history(run) == [(5, -7, 3.0), (6, 0, 1e3), (7, 0, 2.5), (8, 2, "Infinity")]


def test_a_batch_of_many_keys_is_one_request_of_nine_queries(
    mlflow: Mlflow, run: Any, django_assert_num_queries: Any
) -> None:
    wide = [point(i, i, key=f"m{i % 50}") for i in range(1000)]
    assert log(mlflow, run, *wide).status_code == 200
    ApiToken.objects.update(last_used_at=timezone.now() + timedelta(hours=1))
    for sent in (
        [point(1, 1)],
        [point(2, i) for i in range(1000)],
        [{**p, "step": 7} for p in wide],
    ):
        log(mlflow, run, point(0.25, len(sent) + 1))
        # Token, run with role, the transaction's two, run row, batch, names, chunks, summaries.
        with django_assert_num_queries(9):
            assert log(mlflow, run, *sent).status_code == 200
    assert Metric.objects.filter(run=run).count() == 51


def test_the_latest_is_that_of_the_greatest_step_then_time_then_value(
    mlflow: Mlflow, run: Any
) -> None:
    for points, latest in (
        ([point(1, 5, 100)], (1, 5)),
        ([point(9, 4, 900)], (1, 5)),
        ([point(2, 5, 99)], (1, 5)),
        ([point(0.5, 5, 100), point(3, 5, 100), point(2, 5, 100)], (3, 5)),
        ([point(2.5, 5, 100)], (3, 5)),
        ([point("NaN", 5, 100)], (3, 5)),
        ([point(-4, 5, 101)], (-4, 5)),
    ):
        assert log(mlflow, run, *points).status_code == 200
        metric = Metric.objects.get(run=run)
        assert (metric.last, metric.last_step) == latest, points


def test_a_request_sent_again_changes_nothing(mlflow: Mlflow, run: Any) -> None:
    batch = [point(1, 1), point(1, 1), point("NaN", 2), point("NaN", 2), point(3, 3, key="acc")]
    assert log(mlflow, run, *batch).status_code == 200
    single = {"run_id": run.uid, **point(4, 4)}
    assert mlflow.post("runs/log-metric", **single).status_code == 200
    before = all_rows()

    # The same in another spelling: run_uuid, numbers as text.
    again = [{**one, "step": str(one["step"])} for one in batch]
    assert mlflow.post("runs/log-batch", run_uuid=run.uid, metrics=again).status_code == 200
    assert mlflow.post("runs/log-metric", **single).status_code == 200
    assert changed_tables(before) == []
    assert Metric.objects.get(run=run, name="loss").n_points == 3

    # What belongs to another request is stored, though its points are there already.
    answer = mlflow.post(
        "runs/log-batch", run_id=run.uid, metrics=batch, params=[{"key": "a", "value": "1"}]
    )
    assert answer.status_code == 200
    assert changed_tables(before) == ["runs.parameter", "runs.runevent"]


def test_equal_points_of_different_requests_are_shown_once(mlflow: Mlflow, run: Any) -> None:
    log(mlflow, run, point(1, 1), point(2, 2))
    log(mlflow, run, point(2, 2), point(3, 3))
    assert [step for _, step, _ in mlflow.history(run)] == [1, 2, 3]


def test_finished_runs_take_points_and_deleted_ones_do_not(
    mlflow: Mlflow, run: Any, people: Any
) -> None:
    complete_run(run, by=make.actor(people.bob))
    assert log(mlflow, run, point(1)).status_code == 200

    runs, experiments = Run.objects.filter(pk=run.pk), Experiment.objects.filter(runs=run)
    for rows, column in ((experiments, "archived_at"), (runs, "deleted_at")):
        rows.update(**{column: timezone.now()})
        before = all_rows()
        for path, body in (
            ("runs/log-metric", point(2)),
            ("runs/log-batch", {"metrics": [point(2)]}),
            ("runs/log-parameter", {"key": "a", "value": "b"}),
        ):
            status, code, message = fault(mlflow.post(path, run_id=run.uid, **body))
            assert (status, code) == (400, "INVALID_PARAMETER_VALUE")
            assert "'active'" in message
        assert changed_tables(before) == []
        assert len(mlflow.history(run)) == 1, "what there is can be read"
        rows.update(**{column: None})


WRONG: list[tuple[str, Any]] = [
    ("value", {"value": True}),
    ("value", {"value": "many"}),
    ("value", {"value": None}),
    ("value", {"value": []}),
    ("timestamp", {"timestamp": None}),
    ("timestamp", {"timestamp": 1.5}),
    ("timestamp", {"timestamp": -1}),
    ("timestamp", {"timestamp": 2**63}),
    ("timestamp", {"timestamp": True}),
    ("step", {"step": 0.5}),
    ("step", {"step": LEAST - 1}),
    ("step", {"step": "1e3"}),
    ("step", {"step": False}),
    ("key", {"key": ""}),
    ("key", {"key": 7}),
    ("../up", {"key": "../up"}),
    ("/abs", {"key": "/abs"}),
    ("a/./b", {"key": "a/./b"}),
    ("a//b", {"key": "a//b"}),
    ("loss\\n", {"key": "loss\n"}),
    ("<b>", {"key": "<b>"}),
    ("251 characters", {"key": "k" * 251}),
    ("can't be stored", {"key": "a\0b"}),
    ("can't be stored", {"key": "a\ud800b"}),
]


def test_what_is_wrong_is_refused_by_name_and_nothing_is_kept(mlflow: Mlflow, run: Any) -> None:
    log(mlflow, run, point(1))
    before = all_rows()
    for named, change in WRONG:
        bad = {**point(2), **change}
        for path, body in (
            ("runs/log-metric", bad),
            ("runs/log-batch", {"metrics": [point(3), bad], "tags": [{"key": "t", "value": "v"}]}),
        ):
            status, code, message = fault(mlflow.post(path, run_id=run.uid, **body))
            assert (status, code) == (400, "INVALID_PARAMETER_VALUE"), (named, message)
            assert named.encode().decode("unicode_escape") in message, (named, message)
    assert changed_tables(before) == []


def test_hostile_bodies_are_mistakes_of_the_client(mlflow: Mlflow, run: Any) -> None:
    before = all_rows()
    head = f'{{"run_id": "{run.uid}", '.encode()
    for body in (
        b"",
        b"[]",
        b"{",
        b'"x"',
        b"\xff\xfe",
        b'{"run_id": ["x"]}',
        b'{"run_id": "no such run", "metrics": []}',
        head + b'"metrics": ' + b"[" * 100_000,
        head + b'"metrics": ' + b'{"a":' * 100_000,
        head + b'"metrics": {"key": "loss"}}',
        head + b'"metrics": [1, 2]}',
        head + b'"metrics": [{}]}',
        head + b'"metrics": [{"key": "loss", "value": NaN, "timestamp": 1}]}',
        head + b'"metrics": [[{}]]}',
        head + b'"metrics": [{"key": "l", "value": ' + b"9" * 5_000 + b', "timestamp": 1}]}',
        head + b'"metrics": [{"key": {"a": 1}, "value": 1, "timestamp": 1, "step": {}}]}',
        head + b'"params": [{"key": "a", "value": 3}]}',
        head + b'"tags": [{"key": "a", "value": ["b"]}]}',
        head + b'"tags": [{"key": "' + b"x" * 10_000_000 + b'", "value": ""}]}',
    ):
        answer = mlflow.send("runs/log-batch", body)
        assert fault(answer)[0] in (400, 404), body[:80]
    huge = b'{"run_id": "x", "value": 1' + b" " * 10_000_000 + b"}"
    assert fault(mlflow.send("runs/log-metric", huge))[0] in (400, 404)
    assert changed_tables(before) == []


def test_limits_of_a_batch_are_told(mlflow: Mlflow, run: Any) -> None:
    def labels(n: int) -> list[dict[str, str]]:
        return [{"key": f"k{i}", "value": "v"} for i in range(n)]

    before = all_rows()
    for told, batch in (
        ("at most 1000 metrics", {"metrics": [point(1, i) for i in range(1001)]}),
        ("at most 100 params", {"params": labels(101)}),
        ("at most 100 tags", {"tags": labels(101)}),
        ("1000", {"metrics": [point(1, i) for i in range(950)], "params": labels(51)}),
        ("1000000 bytes", {"tags": [{"key": "k", "value": "v" * 1_000_000}]}),
    ):
        status, code, message = fault(mlflow.post("runs/log-batch", run_id=run.uid, **batch))
        assert (status, code) == (400, "INVALID_PARAMETER_VALUE")
        assert told in message
    assert changed_tables(before) == []
    full = {"metrics": [point(1, i) for i in range(800)], "params": labels(100)}
    assert mlflow.post("runs/log-batch", run_id=run.uid, **full, tags=labels(100)).json() == {}


def test_who_may_not_log_is_told_so_and_stores_nothing(
    people: Any, workspace: Any, run: Any
) -> None:
    alices = make.workspace("hers", owner=people.alice)
    before = all_rows()
    for who, room, expected in (
        (people.carol, workspace, (403, "PERMISSION_DENIED")),
        (people.dave, workspace, (404, "RESOURCE_DOES_NOT_EXIST")),
        (people.alice, alices, (404, "RESOURCE_DOES_NOT_EXIST")),
    ):
        caller = Mlflow(who, room)
        for path, body in (
            ("runs/log-metric", point()),
            ("runs/log-batch", {"metrics": [point()]}),
            ("runs/log-parameter", {"key": "a", "value": "b"}),
        ):
            assert fault(caller.post(path, run_id=run.uid, **body))[:2] == expected
    assert changed_tables(before) == ["accounts.apitoken"]


def test_a_metric_of_another_kind_refuses_the_whole_batch(
    mlflow: Mlflow, api: Any, run: Any
) -> None:
    text = {"name": "loss", "kind": "text", "times": [1.7e9], "values": ["high"]}
    batch_id = "6f1c1a52-7a7b-4b5e-8a53-7a0a5d3f2c11"
    api.post(f"/runs/{run.uid}/batches", {"batch": batch_id, "metrics": [text]})
    status, code, message = fault(log(mlflow, run, point(1, key="acc"), point(2)))
    assert (status, code) == (400, "INVALID_PARAMETER_VALUE")
    assert "“loss”" in message
    assert not Metric.objects.filter(name="acc").exists()


@pytest.mark.django_db(transaction=True)
def test_sixteen_threads_lose_and_double_nothing(mlflow: Mlflow, run: Any, people: Any) -> None:
    n_threads, n_each = 16, 6
    at_once, statuses = threading.Barrier(n_threads), []

    def send(number: int) -> None:
        caller = Mlflow.__new__(Mlflow)
        caller.client, caller.headers = type(mlflow.client)(), mlflow.headers
        try:
            at_once.wait()
            for i in range(n_each):
                # Two threads send each of these requests, as after an answer that was lost.
                step = (number // 2) * n_each + i
                statuses.append(log(caller, run, point(step, step), point(1, 0)).status_code)
                body = {"run_id": run.uid, "key": "seed", "value": str(number)}
                statuses.append(caller.post("runs/log-parameter", **body).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=send, args=(i,)) for i in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    n_steps = n_threads // 2 * n_each
    assert statuses.count(200) == n_threads * n_each + n_each, "points all, the parameter by one"
    assert statuses.count(400) == (n_threads - 1) * n_each
    points = {(step, value) for _, step, value in mlflow.history(run)}
    assert points == {(0, 1.0), *((step, float(step)) for step in range(n_steps))}
    assert len(mlflow.history(run)) == len(points)
    assert Metric.objects.get(run=run).n_points == 2 * n_steps
    assert run.parameters.count() == 1

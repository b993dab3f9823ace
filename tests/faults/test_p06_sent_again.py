"""P6: a batch that comes again, whenever and in whatever order, is stored once, and costs no more
than a new one, however much was stored before."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from studio.metrics.models import Metric
from tests.amount import dice, form
from tests.api.calls import batch
from tests.faults.conftest import Promise
from tests.mlflow_api.client import Mlflow, point

pytestmark = [pytest.mark.data, pytest.mark.faults, pytest.mark.django_db]

N_BATCHES = form(30, 1_000)
Send = Callable[[int], Any]


def by_api(api: Any, mlflow: Mlflow, run: Any) -> Send:
    batches: dict[int, Any] = {}

    def send(i: int) -> Any:
        sent = batches.setdefault(
            i, batch(float(2 * i), float(2 * i + 1), steps=[2 * i, 2 * i + 1])
        )
        return api.post(f"/runs/{run.uid}/batches", sent)

    return send


def by_mlflow(api: Any, mlflow: Mlflow, run: Any) -> Send:
    def send(i: int) -> Any:
        points = [point(float(n), n, 1_700_000_000_000 + n) for n in (2 * i, 2 * i + 1)]
        return mlflow.post("runs/log-batch", run_id=run.uid, metrics=points)

    return send


def n_queries(call: Callable[[], Any]) -> int:
    with CaptureQueriesContext(connection) as caught:
        answer = call()
    assert answer.status_code == 200, answer.content
    return sum("SAVEPOINT" not in query["sql"] for query in caught.captured_queries)


def values_of(api: Any, run: Any) -> list[float]:
    found, after = [], None
    while True:
        more = {} if after is None else {"cursor": after}
        page = api.get(f"/runs/{run.uid}/metrics/points", name="loss", **more).json()
        found += page["values"]
        if not (after := page["next"]):
            return found


@pytest.mark.parametrize("door", [by_api, by_mlflow])
def test_batches_sent_often_in_any_order_are_stored_once_at_the_cost_of_one(
    door: Any, api: Any, people: Any, workspace: Any, run: Any, promise: Promise
) -> None:
    promise("P6", f"batches sent 1 to 5 times {door.__name__}", n=N_BATCHES)
    send, chance = door(api, Mlflow(people.bob, workspace), run), dice(door.__name__)
    send(0)
    new, again = n_queries(lambda: send(1)), n_queries(lambda: send(1))
    assert again <= 2 * new
    sends = [i for i in range(N_BATCHES) for _ in range(chance.randint(1, 5))]
    random.Random(chance.random()).shuffle(sends)
    for i in sends:
        assert send(i).status_code == 200
    assert sorted(values_of(api, run)) == [float(i) for i in range(2 * N_BATCHES)]
    assert Metric.objects.get(run=run).n_points == 2 * N_BATCHES
    # The first one, after all the others.
    assert n_queries(lambda: send(0)) == again
    promise(queries_new=new, queries_again=again)

"""Numbers at the edges: what is not finite, steps of 64 bits, the last value, history in pages."""

import math
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric

NUMBERS = {
    "nan": math.nan,
    "plus": math.inf,
    "minus": -math.inf,
    "most": 1.7976931348623157e308,
    "least": 5e-324,
    "zero": -0.0,
    "tenth": 0.1,
    "odd": float(2**53 - 1),
}
STEPS = [0, -1, 1, 2**53 + 1, 2**63 - 1, -(2**63)]


def main(experiment: str) -> dict[str, Any]:
    client = MlflowClient()
    run_id = client.create_run(client.create_experiment(experiment)).info.run_id
    for name, value in NUMBERS.items():
        client.log_metric(run_id, name, value, timestamp=1, step=0)
    client.log_batch(run_id, [Metric(f"{k} b", v, 1, 0) for k, v in NUMBERS.items()])
    for step in STEPS:
        client.log_metric(run_id, "steps", 1.0, timestamp=5, step=step)
    return {
        "numbers": {k: v.hex() for k, v in client.get_run(run_id).data.metrics.items()},
        "history": {
            name: [point.value.hex() for point in client.get_metric_history(run_id, name)]
            for name in NUMBERS
        },
        "steps": [p.step for p in client.get_metric_history(run_id, "steps")],
        "last": last(client, run_id),
        "pages": pages(client, run_id),
    }


def last(client: MlflowClient, run_id: str) -> dict[str, Any]:
    """The highest step wins, then the time, then the value; one point sent twice is one."""
    points = [(9.0, 10, 5), (1.0, 30, 5), (2.0, 30, 5), (7.0, 99, 4), (2.0, 30, 5)]
    for value, time, step in points:
        client.log_metric(run_id, "last", value, timestamp=time, step=step)
    history = client.get_metric_history(run_id, "last")
    return {
        "value": client.get_run(run_id).data.metrics["last"],
        "history": [[p.timestamp, p.step, p.value] for p in history],
    }


def pages(client: MlflowClient, run_id: str) -> dict[str, Any]:
    """1,000 points in one batch and one more, read 400 at a time."""
    client.log_batch(run_id, [Metric("long", float(i), 1000 + i, i) for i in range(1000)])
    client.log_metric(run_id, "long", -1.0, timestamp=5000, step=1000)
    store = client._tracking_client.store
    sizes, steps, token = [], [], None
    while True:
        page = store.get_metric_history(run_id, "long", max_results=400, page_token=token)
        sizes.append(len(page))
        steps += [point.step for point in page]
        token = page.token
        if not token:
            return {"sizes": sizes, "in order": steps == list(range(1001))}

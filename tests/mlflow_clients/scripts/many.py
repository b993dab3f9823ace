"""Many at once: points that wait in the client's own queue, and threads side by side."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric

THREADS, POINTS = 16, 50


def main(experiment: str) -> dict[str, Any]:
    client = MlflowClient()
    own = mlflow.set_experiment(experiment).experiment_id
    return {
        "queued": queued(client),
        "one run": one_run(client, own),
        "own runs": own_runs(client, own),
        "one experiment": one_experiment(client, f"{experiment} raced"),
    }


def queued(client: MlflowClient) -> dict[str, Any]:
    mlflow.config.enable_async_logging()
    with mlflow.start_run(run_name="queued") as active:
        for step in range(300):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)
            if step % 50 == 0:
                mlflow.log_param(f"p{step}", step)
                mlflow.set_tag(f"t{step}", step)
    mlflow.flush_async_logging()
    mlflow.config.enable_async_logging(False)
    run = client.get_run(active.info.run_id)
    history = client.get_metric_history(run.info.run_id, "loss")
    return {
        "steps": sorted(p.step for p in history) == list(range(300)),
        "params": len(run.data.params),
        "tags": sum(key.startswith("t") for key in run.data.tags),
        "status": run.info.status,
    }


def one_run(client: MlflowClient, own: str) -> dict[str, Any]:
    run_id = client.create_run(own, run_name="shared").info.run_id

    def log(number: int) -> None:
        for step in range(POINTS // 10):
            points = [Metric("shared", number, 0, step * 10 + i) for i in range(10)]
            client.log_batch(run_id, points)
        client.log_param(run_id, f"p{number}", number)
        client.log_param(run_id, "same", "value")
        client.set_tag(run_id, "raced", str(number))

    side_by_side(log)
    history = client.get_metric_history(run_id, "shared")
    run = client.get_run(run_id)
    client.set_terminated(run_id)
    return {
        "points": len({(p.value, p.step) for p in history}),
        "doubles": len(history) - len({(p.value, p.step) for p in history}),
        "params": len(run.data.params),
        "last": run.data.metrics["shared"],
        "raced": run.data.tags["raced"] in {str(n) for n in range(THREADS)},
    }


def own_runs(client: MlflowClient, own: str) -> dict[str, Any]:
    def log(number: int) -> None:
        run_id = client.create_run(own, run_name=f"thread {number}").info.run_id
        for step in range(5):
            client.log_metric(run_id, "loss", number, step=step)
        client.log_text(run_id, str(number), "number.txt")
        client.set_terminated(run_id)

    side_by_side(log)
    found = client.search_runs([own], "attributes.run_name LIKE 'thread %'")
    return {
        "names": sorted(r.info.run_name for r in found)
        == sorted(f"thread {n}" for n in range(THREADS)),
        "statuses": sorted({r.info.status for r in found}),
        "values": all(r.data.metrics["loss"] == float(r.info.run_name[7:]) for r in found),
    }


def one_experiment(client: MlflowClient, name: str) -> dict[str, Any]:
    """All make one experiment: one of them does, and the others are told so."""

    def make(_: int) -> str:
        try:
            client.create_experiment(name)
        except mlflow.MlflowException as error:
            return str(error.error_code)
        return "made"

    answers = side_by_side(make)
    return {answer: answers.count(answer) for answer in set(answers)}


def side_by_side(call: Any) -> list[Any]:
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(call, range(THREADS)))

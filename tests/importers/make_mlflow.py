"""Run by the real MLflow: python make_mlflow.py URI ARTIFACTS.

Writes a history with MLflow's client into the store at URI, and prints what the client reads of it.
"""

import json
import sys
from typing import Any

import mlflow
from mlflow.data.http_dataset_source import HTTPDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import LoggedModelStatus, Metric, ViewType
from mlflow.tracking import MlflowClient

START = 1_700_000_000_000


def write(client: MlflowClient, artifacts: str) -> str:
    """The id of an experiment: two runs below another, a failed, a deleted and an open one."""
    experiment = client.create_experiment("Vision: sweep", artifact_location=artifacts or None)
    mlflow.set_experiment(experiment_id=experiment)
    with mlflow.start_run(run_name="sweep", description="The *whole* sweep") as parent:
        for i in range(2):
            with mlflow.start_run(run_name=f"child {i}", nested=True) as child:
                mlflow.log_params({"lr": 10.0**-i, "optimizer": "adam", "long": "x" * 5_000})
                mlflow.set_tags({"stage": "final", "empty": ""})
                points = [Metric("val/loss", 1 / (k + 1), START + k, k) for k in range(300)]
                odd = [Metric("odd", v, START, k) for k, v in enumerate((1e308, -2.5, 0.0))]
                client.log_batch(child.info.run_id, metrics=points + odd)
                mlflow.log_metric("late", float("nan"), step=2**40)
                mlflow.log_metric("late", float("inf"), step=2**40 + 1)
                mlflow.log_text(f"notes of {i}\n", "notes/a b.txt")
                source = HTTPDatasetSource("https://example.org/data.csv")
                mlflow.log_input(MetaDataset(source, name="digits", digest="abc123"), "training")
                model = mlflow.initialize_logged_model(f"net-{i}", tags={"kind": "cnn"})
                mlflow.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
        mlflow.log_metric("best", 0.25)
        client.set_terminated(
            client.create_run(experiment, run_name="broken").info.run_id, "FAILED"
        )
        client.delete_run(client.create_run(experiment, run_name="gone").info.run_id)
        # Left going on: the process ends without telling.
        open_run = client.create_run(experiment, run_name="going on")
        client.log_metric(open_run.info.run_id, "loss", 0.5)
    assert parent.info.run_id
    return experiment


def told(client: MlflowClient, experiment: str) -> list[dict[str, Any]]:
    """What the client reads, in plain values."""
    found = []
    for run in client.search_runs([experiment], run_view_type=ViewType.ACTIVE_ONLY):
        uid = run.info.run_id
        history = {name: client.get_metric_history(uid, name) for name in run.data.metrics}
        files = [one.path for one in client.list_artifacts(uid, "notes")]
        inputs = [[one.dataset.name, one.dataset.digest] for one in run.inputs.dataset_inputs]
        found.append(
            {
                **{"uid": uid, "name": run.info.run_name, "status": run.info.status},
                **{"start": run.info.start_time, "end": run.info.end_time},
                **{"params": run.data.params, "tags": run.data.tags},
                "metrics": {
                    name: [[one.step, one.timestamp, repr(one.value)] for one in points]
                    for name, points in history.items()
                },
                **{"files": files, "inputs": inputs},
            }
        )
    return found


if __name__ == "__main__":
    mlflow.set_tracking_uri(sys.argv[1])
    one = MlflowClient()
    made = write(one, sys.argv[2])
    models = one.search_logged_models(experiment_ids=[made])
    names = {model.model_id: model.name for model in models}
    print(json.dumps({"runs": told(one, made), "models": names}))

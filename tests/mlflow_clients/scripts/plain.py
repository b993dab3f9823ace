"""What a training script does without thinking, and what a person does afterwards with a client."""

from pathlib import Path
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException


def main(experiment: str) -> dict[str, Any]:
    client = MlflowClient()
    return {
        "experiments": experiments(client, experiment),
        "logged": logged(client, experiment),
        "resumed": resumed(client, experiment),
        "families": families(client, experiment),
        "trash": trash(client, experiment),
        "unnamed": unnamed(client),
    }


def experiments(client: MlflowClient, name: str) -> dict[str, Any]:
    made = client.create_experiment(f"{name} first", tags={"team": "vision"})
    client.set_experiment_tag(made, "stage", "early")
    client.set_experiment_tag(made, "mlflow.note.content", "What **this** is for")
    client.rename_experiment(made, f"{name} renamed")
    found = client.get_experiment_by_name(f"{name} renamed")
    client.delete_experiment(made)
    deleted = client.get_experiment(made).lifecycle_stage
    listed = [
        [e.name for e in client.search_experiments(view, filter_string=f"name LIKE '{name} %'")]
        for view in (ViewType.ACTIVE_ONLY, ViewType.DELETED_ONLY, ViewType.ALL)
    ]
    client.restore_experiment(made)
    return {
        "is_same": found.experiment_id == made,
        "tags": found.tags,
        "stages": [found.lifecycle_stage, deleted, client.get_experiment(made).lifecycle_stage],
        "has_times": 0 < found.creation_time <= found.last_update_time,
        "listed": listed,
        "absent": client.get_experiment_by_name("no such experiment"),
        "taken": refused(client.create_experiment, f"{name} renamed"),
        "nameless": refused(client.create_experiment, ""),
    }


def logged(client: MlflowClient, experiment: str) -> dict[str, Any]:
    mlflow.set_experiment(experiment)
    Path("notes.txt").write_text("read me")
    with mlflow.start_run(run_name="first steps", description="Learns **slowly**") as active:
        mlflow.log_param("optimizer", "adam")
        mlflow.log_params({"lr": 0.1, "layers/0": 64, "größe": "groß"})
        mlflow.log_param("lr", 0.1)
        changed = refused(client.log_param, active.info.run_id, "lr", 0.2)
        for step in range(4):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)
        mlflow.log_metrics({"accuracy": 0.75, "f1 score": 0.5}, step=3)
        mlflow.set_tag("quality", "fantastic")
        mlflow.set_tags({"quality": "good", "short-lived": 1})
        mlflow.delete_tag("short-lived")
        client.log_batch(
            active.info.run_id,
            metrics=[Metric("loss", 0.125, 1_700_000_000_000, 4)],
            params=[Param("batch", "32")],
            tags=[RunTag("batched", "yes")],
        )
        mlflow.log_artifact("notes.txt", "texts")
    run = client.get_run(active.info.run_id)
    history = client.get_metric_history(run.info.run_id, "loss")
    return {
        "name": run.info.run_name,
        "status": run.info.status,
        "is_dated": run.info.start_time <= run.info.end_time,
        "params": run.data.params,
        "metrics": run.data.metrics,
        "tags": {k: v for k, v in run.data.tags.items() if not k.startswith("mlflow.")},
        "note": run.data.tags["mlflow.note.content"],
        "named": run.data.tags["mlflow.runName"],
        "history": [[point.step, point.value] for point in history],
        "batched at": history[0].timestamp,
        "no history": len(client.get_metric_history(run.info.run_id, "never logged")),
        "changed": changed,
        "files": [file.path for file in client.list_artifacts(run.info.run_id, "texts")],
        "text": Path(client.download_artifacts(run.info.run_id, "texts/notes.txt")).read_text(),
        "found": [r.info.run_name for r in client.search_runs([run.info.experiment_id])],
    }


def resumed(client: MlflowClient, experiment: str) -> dict[str, Any]:
    """A run that ends by an error, goes on, and is ended from outside."""
    run_id, seen = "", []
    try:
        with mlflow.start_run(run_name="interrupted") as active:
            run_id = active.info.run_id
            mlflow.log_metric("loss", 2.0, step=0)
            raise KeyError("no data")
    except KeyError:
        seen.append(client.get_run(run_id).info.status)
    with mlflow.start_run(run_id=run_id):
        seen.append(client.get_run(run_id).info.status)
        mlflow.log_metric("loss", 1.0, step=1)
    seen.append(client.get_run(run_id).info.status)
    client.log_param(run_id, "late", "yes")
    client.set_terminated(run_id, "KILLED")
    client.update_run(run_id, name="went on")
    run = client.get_run(run_id)
    return {
        "statuses": [*seen, run.info.status],
        "params": run.data.params,
        "loss": [point.value for point in client.get_metric_history(run_id, "loss")],
        "names": [run.info.run_name, run.data.tags["mlflow.runName"]],
    }


def families(client: MlflowClient, experiment: str) -> dict[str, Any]:
    with mlflow.start_run(run_name="parent") as parent:
        for number in range(3):
            with mlflow.start_run(run_name=f"child {number}", nested=True):
                mlflow.log_metric("loss", float(number))
    own = [parent.info.experiment_id]
    key = "tags.mlflow.parentRunId"
    wanted = f"{key} = '{parent.info.run_id}'"
    quoted = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}' and metrics.loss >= 1"
    return {
        "children": sorted(r.info.run_name for r in client.search_runs(own, wanted)),
        "some": sorted(r.info.run_name for r in client.search_runs(own, quoted)),
        "by loss": [
            r.info.run_name for r in client.search_runs(own, wanted, order_by=["metrics.loss DESC"])
        ],
        "pages": pages(client, own, wanted),
    }


def pages(client: MlflowClient, experiments: list[str], wanted: str) -> list[list[str]]:
    found, token = [], None
    while True:
        page = client.search_runs(
            experiments, wanted, max_results=2, order_by=["metrics.loss"], page_token=token
        )
        found.append([run.info.run_name for run in page])
        token = page.token
        if not token:
            return found


def trash(client: MlflowClient, experiment: str) -> dict[str, Any]:
    with mlflow.start_run(run_name="unwanted") as run:
        pass
    run_id, own = run.info.run_id, [run.info.experiment_id]
    client.delete_run(run_id)
    by_name = "attributes.run_name = 'unwanted'"
    found = [
        [r.info.lifecycle_stage for r in client.search_runs(own, by_name, run_view_type=view)]
        for view in (ViewType.ACTIVE_ONLY, ViewType.DELETED_ONLY, ViewType.ALL)
    ]
    closed = refused(client.log_metric, run_id, "loss", 1.0)
    stage = client.get_run(run_id).info.lifecycle_stage
    client.restore_run(run_id)
    client.log_metric(run_id, "loss", 1.0)
    return {
        "found": found,
        "closed": closed,
        "stages": [stage, client.get_run(run_id).info.lifecycle_stage],
        "unknown run": refused(client.get_run, "0" * 32),
        "unknown experiment": refused(client.get_experiment, "987654321"),
        "bad filter": refused(client.search_runs, own, "metrics.loss ~ 3"),
        "bad page": refused(client.search_runs, own, page_token="no token"),
    }


def unnamed(client: MlflowClient) -> dict[str, Any]:
    """No experiment is set: the run goes to the one with the number 0."""
    made = client.create_run("0")
    client.set_terminated(made.info.run_id)
    return {
        "experiment": made.info.experiment_id,
        "has a name": bool(made.info.run_name),
        "default": client.get_experiment("0").name,
    }


def refused(call: Any, *arguments: Any, **options: Any) -> str:
    """The code of the error; the client's own checks have one too."""
    try:
        call(*arguments, **options)
    except MlflowException as error:
        return str(error.error_code)
    return "nothing was refused"

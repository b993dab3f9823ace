"""Logged models, and the data sets and metrics that belong to them."""

from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException


def main(experiment: str) -> dict[str, Any]:
    import numpy
    from sklearn.linear_model import LinearRegression

    client = MlflowClient()
    own = mlflow.set_experiment(experiment).experiment_id
    x, y = numpy.arange(20.0).reshape(10, 2), numpy.arange(10.0)
    fitted = LinearRegression().fit(x, y)
    data = mlflow.data.from_numpy(x, targets=y, name="numbers")
    with mlflow.start_run(run_name="models") as active:
        run_id = active.info.run_id
        mlflow.log_input(data, context="training", tags={"half": "first"})
        info = mlflow.sklearn.log_model(
            fitted,
            name="line",
            params={"slope": 0.5},
            tags={"kind": "linear"},
            pip_requirements=["scikit-learn"],
            serialization_format="cloudpickle",
        )
        mlflow.log_metric("rmse", 0.25, step=2, model_id=info.model_id, dataset=data)
    return {
        "found": found(client, own, run_id, info.model_id),
        "loaded": [
            list(mlflow.sklearn.load_model(uri).predict(x)) == list(fitted.predict(x))
            for uri in (info.model_uri, f"runs:/{run_id}/line")
        ],
        "input": inputs(client, run_id),
        "runs by data": len(client.search_runs([own], "datasets.name = 'numbers'")),
        "changed": changed(client, own, run_id),
    }


def found(client: MlflowClient, own: str, run_id: str, model_id: str) -> dict[str, Any]:
    model = client.get_logged_model(model_id)
    by_metric = client.search_logged_models([own], "metrics.rmse < 0.5 AND name = 'line'")
    run = client.get_run(run_id)
    return {
        "is_id": model.model_id.startswith("m-") and len(model.model_id) == 34,
        "name": model.name,
        "is_from": model.source_run_id == run_id,
        "params": model.params,
        "kind": model.tags["kind"],
        "status": str(model.status),
        "metrics": [[m.key, m.value, m.step, m.dataset_name] for m in model.metrics],
        "on the run": run.data.metrics["rmse"],
        "outputs": [output.model_id == model_id for output in run.outputs.model_outputs],
        "by metric": [m.model_id == model_id for m in by_metric],
        "files": sorted(f.path for f in client.list_artifacts(run_id, "line")),
    }


def inputs(client: MlflowClient, run_id: str) -> dict[str, Any]:
    kept = client.get_run(run_id).inputs.dataset_inputs
    return {
        "names": [entry.dataset.name for entry in kept],
        "tags": [{tag.key: tag.value for tag in entry.tags} for entry in kept],
        "has": [bool(entry.dataset.digest and entry.dataset.schema) for entry in kept],
    }


def changed(client: MlflowClient, own: str, run_id: str) -> dict[str, Any]:
    """A model without files: many parameters, tags, an upload that failed, deleted."""
    params = {f"p{n}": str(n) for n in range(150)}
    made = client.create_logged_model(own, name="bare", source_run_id=run_id, params=params)
    client.set_logged_model_tags(made.model_id, {"a": "1", "b": "2"})
    client.delete_logged_model_tag(made.model_id, "a")
    ended = client.finalize_logged_model(made.model_id, "FAILED")
    kept = client.get_logged_model(made.model_id)
    client.delete_logged_model(made.model_id)
    try:
        client.get_logged_model(made.model_id)
        gone = "still there"
    except MlflowException as error:
        gone = str(error.error_code)
    names = [m.name for m in client.search_logged_models([own])]
    return {
        "first": str(made.status),
        "then": str(ended.status),
        "params": kept.params == params,
        "tags": {k: v for k, v in kept.tags.items() if not k.startswith("mlflow.")},
        "gone": gone,
        "names": names,
    }

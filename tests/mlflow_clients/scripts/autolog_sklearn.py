"""A grid search, logged by the library's own callbacks: nothing here names a metric."""

import io
import logging
from typing import Any

import mlflow
from mlflow import MlflowClient


def main(experiment: str) -> dict[str, Any]:
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV

    warnings = listen()
    infer_nothing()
    client = MlflowClient()
    own = mlflow.set_experiment(experiment).experiment_id
    mlflow.sklearn.autolog(max_tuning_runs=None, log_post_training_metrics=True)
    x, y = load_iris(return_X_y=True, as_frame=True)
    with mlflow.start_run(run_name="grid") as active:
        search = GridSearchCV(LogisticRegression(max_iter=200), {"C": [0.1, 1.0, 10.0]}, cv=2)
        search.fit(x, y)
        score = search.score(x, y)
    run = client.get_run(active.info.run_id)
    children = client.search_runs(
        [own],
        f"tags.mlflow.parentRunId = '{run.info.run_id}'",
        order_by=["metrics.mean_test_score DESC"],
    )
    return {
        "params": {k: run.data.params[k] for k in ("cv", "best_C", "estimator")},
        "best": run.data.metrics["best_cv_score"] == float(search.best_score_),
        "score": run.data.metrics["GridSearchCV_score_x"] == float(score),
        "children": [c.data.params["C"] for c in children],
        "best child": children[0].data.metrics["mean_test_score"] == float(search.best_score_),
        "statuses": sorted({c.info.status for c in children}),
        "datasets": [[d.dataset.name, d.tags[0].value] for d in run.inputs.dataset_inputs],
        "files": sorted(f.path for f in client.list_artifacts(run.info.run_id)),
        "models": models(own, run.info.run_id, x, search.predict(x).tolist()),
        "outputs": len(run.outputs.model_outputs),
        "warnings": told(warnings),
    }


def listen() -> io.StringIO:
    """What the autologger warns of: a server that lacks something makes it warn and go on."""
    heard = io.StringIO()
    handler = logging.StreamHandler(heard)
    handler.setLevel(logging.WARNING)
    for name in ("mlflow", "mlflow.sklearn", "mlflow.utils.autologging_utils"):
        logging.getLogger(name).addHandler(handler)
    return heard


def told(heard: io.StringIO) -> list[str]:
    """All but what the client says of this machine and of itself."""
    usual = ("Saving scikit-learn models", "Failed to resolve installed pip", "`artifact_path` is")
    return [line for line in heard.getvalue().splitlines() if not line.startswith(usual)]


def infer_nothing() -> None:
    """The libraries that a model needs are found by a process of its own, which takes seconds for
    each model: what is taken when it fails does as well here, and the server sees no difference."""
    mlflow.models.infer_pip_requirements = lambda *_, fallback=None, **__: fallback


def models(experiment: str, run_id: str, x: Any, expected: list[Any]) -> dict[str, Any]:
    """The model is found, and predicts what it did before it went up and came down."""
    found = mlflow.search_logged_models([experiment], output_format="list")
    mine = [model for model in found if model.source_run_id == run_id]
    loaded = mlflow.sklearn.load_model(f"models:/{mine[0].model_id}")
    return {
        "names": sorted({model.name for model in mine}),
        "statuses": sorted({str(model.status) for model in mine}),
        "predicts": loaded.predict(x).tolist() == expected,
    }

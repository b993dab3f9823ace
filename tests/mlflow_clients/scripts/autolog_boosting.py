"""Boosting with early stopping, logged by the library's own callbacks."""

from typing import Any

import mlflow
from autolog_sklearn import infer_nothing, listen, told
from mlflow import MlflowClient


def main(experiment: str) -> dict[str, Any]:
    import lightgbm
    from sklearn.datasets import load_breast_cancer
    from sklearn.model_selection import train_test_split

    warnings = listen()
    infer_nothing()
    client = MlflowClient()
    mlflow.set_experiment(experiment)
    mlflow.lightgbm.autolog()
    data = train_test_split(*load_breast_cancer(return_X_y=True, as_frame=True), random_state=1)
    train = lightgbm.Dataset(data[0], data[2])
    params = {"objective": "binary", "num_leaves": 7, "learning_rate": 0.3, "verbose": -1}
    with mlflow.start_run(run_name="boosted") as active:
        model = lightgbm.train(
            {**params, "num_threads": 1},
            train,
            num_boost_round=40,
            valid_sets=[train.create_valid(data[1], data[3])],
            callbacks=[lightgbm.early_stopping(5, verbose=False)],
        )
    run = client.get_run(active.info.run_id)
    history = client.get_metric_history(run.info.run_id, "valid_0-binary_logloss")
    expected = model.predict(data[1])
    loaded = mlflow.lightgbm.load_model(f"runs:/{run.info.run_id}/model")
    return {
        "params": {k: run.data.params[k] for k in ("num_leaves", "learning_rate")},
        "best": run.data.metrics["best_iteration"] == model.best_iteration,
        "steps": [p.step for p in history][: model.best_iteration]
        == list(range(model.best_iteration)),
        "files": sorted(f.path for f in client.list_artifacts(run.info.run_id)),
        "predicts": list(loaded.predict(data[1])) == list(expected),
        "datasets": sorted(d.tags[0].value for d in run.inputs.dataset_inputs),
        "warnings": told(warnings),
    }

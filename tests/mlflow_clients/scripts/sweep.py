"""A study of Optuna's: each trial is a child of the study's run."""

import logging
from typing import Any

import mlflow
from mlflow import MlflowClient


def main(experiment: str) -> dict[str, Any]:
    import optuna
    from optuna_integration.mlflow import MLflowCallback

    optuna.logging.set_verbosity(logging.WARNING)
    client = MlflowClient()
    own = mlflow.set_experiment(experiment).experiment_id
    callback = MLflowCallback(
        metric_name="error", create_experiment=False, mlflow_kwargs={"nested": True}
    )
    study = optuna.create_study(study_name="sweep", sampler=optuna.samplers.RandomSampler(seed=3))
    with mlflow.start_run(run_name="study") as parent:
        study.optimize(
            lambda trial: (trial.suggest_float("x", -1, 1) - 0.25) ** 2,
            n_trials=8,
            callbacks=[callback],
        )
    wanted = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    trials = client.search_runs([own], wanted, order_by=["metrics.error ASC"])
    return {
        "trials": len(trials),
        "best": trials[0].data.metrics["error"] == study.best_value,
        "x": float(trials[0].data.params["x"]) == study.best_params["x"],
        "in order": [t.data.metrics["error"] for t in trials]
        == sorted(t.value for t in study.trials),
        "direction": trials[0].data.tags["direction"],
    }

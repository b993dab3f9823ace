"""Libraries that log to MLflow by themselves: nothing that they log may go missing quietly."""

import pytest

from studio.sdk import Experiment
from tests.live.studio import Studio
from tests.mlflow_clients.client import MlflowClient

pytestmark = pytest.mark.live


HEAVY = "pandas", "matplotlib.pyplot", "sklearn.linear_model", "sklearn.model_selection"


@pytest.fixture(scope="module", autouse=True)
def _imported_once(today: MlflowClient) -> None:
    today.load(*HEAVY)


def test_a_grid_search_logs_itself(today: MlflowClient, shared_studio: Studio) -> None:
    facts = today.run("autolog_sklearn", shared_studio, experiment="mlflow-grid")
    assert facts == {
        "params": {"cv": "2", "best_C": "10.0", "estimator": "LogisticRegression(max_iter=200)"},
        "best": True,
        "score": True,
        "children": ["10.0", "1.0", "0.1"],
        "best child": True,
        "statuses": ["FINISHED"],
        "datasets": [["dataset", "train"]],
        "files": [
            "cv_results.csv",
            "estimator.html",
            "metric_info.json",
            "training_confusion_matrix.png",
        ],
        "models": {"names": ["best_estimator", "model"], "statuses": ["READY"], "predicts": True},
        "outputs": 2,
        "warnings": [],
    }
    found = list(Experiment(shared_studio.workspace, "mlflow-grid").get_runs())
    assert {run.get_status() for run in found} == {"Completed"}
    assert "grid" in {run.display_name for run in found}


def test_boosting_logs_itself(today: MlflowClient, shared_studio: Studio) -> None:
    facts = today.run("autolog_boosting", shared_studio, experiment="mlflow boosting")
    assert facts == {
        "params": {"num_leaves": "7", "learning_rate": "0.3"},
        "best": True,
        "steps": True,
        "files": [
            f"feature_importance_{kind}.{ending}"
            for kind in ("gain", "split")
            for ending in ("json", "png")
        ],
        "predicts": True,
        "datasets": ["eval", "train"],
        "warnings": [],
    }


def test_a_study_logs_its_trials(today: MlflowClient, shared_studio: Studio) -> None:
    facts = today.run("sweep", shared_studio, experiment="mlflow-study")
    assert facts == {
        "trials": 8,
        "best": True,
        "x": True,
        "in order": True,
        "direction": "MINIMIZE",
    }
    runs = Experiment(shared_studio.workspace, "mlflow-study").get_runs()
    (study,) = (run for run in runs if run.display_name == "study")
    assert len(list(study.get_children())) == 8


def test_models_are_kept_found_and_loaded(today: MlflowClient, shared_studio: Studio) -> None:
    facts = today.run("models", shared_studio, experiment="mlflow models")
    assert facts == {
        "found": {
            "is_id": True,
            "name": "line",
            "is_from": True,
            "params": {"slope": "0.5"},
            "kind": "linear",
            "status": "READY",
            "metrics": [["rmse", 0.25, 2, "numbers"]],
            "on the run": 0.25,
            "outputs": [True],
            "by metric": [True],
            "files": [
                f"line/{name}"
                for name in (
                    "MLmodel",
                    "conda.yaml",
                    "model.pkl",
                    "python_env.yaml",
                    "requirements.txt",
                )
            ],
        },
        "loaded": [True, True],
        "input": {
            "names": ["numbers"],
            "tags": [{"half": "first", "mlflow.data.context": "training"}],
            "has": [True],
        },
        "runs by data": 1,
        "changed": {
            "first": "PENDING",
            "then": "FAILED",
            "params": True,
            "tags": {"b": "2"},
            "gone": "RESOURCE_DOES_NOT_EXIST",
            "names": ["line"],
        },
    }

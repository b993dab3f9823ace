"""Each way to say who one is; `ways` has the environment of each. Files need it as well."""

import os
import re
from pathlib import Path
from typing import Any

import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.mlflow_artifacts_repo import MlflowArtifactsRepository

SAID = ("TRACKING_TOKEN", "TRACKING_USERNAME", "TRACKING_PASSWORD", "WORKSPACE")


def main(ways: dict[str, dict[str, str]], run_name: str) -> dict[str, Any]:
    """The first way must be one that may do everything: it finds the run."""
    say(next(iter(ways.values())))
    client = MlflowClient()
    own = [experiment.experiment_id for experiment in client.search_experiments()]
    run = client.search_runs(own, f"run_name = '{run_name}'")[0]
    return {
        name: answers(way, run.info.run_id, run.info.artifact_uri) for name, way in ways.items()
    }


def say(way: dict[str, str]) -> None:
    for name in SAID:
        os.environ.pop(f"MLFLOW_{name}", None)
    os.environ.update(way)


def answers(way: dict[str, str], run_id: str, address: str) -> dict[str, Any]:
    say(way)
    client = MlflowClient()
    # The store of files itself: the client's own way to it asks for the run first.
    files = MlflowArtifactsRepository(address)
    Path("who.txt").write_text("me")
    return {
        "search": code(lambda: bool(client.search_experiments())),
        "get": code(lambda: client.get_run(run_id).info.run_name),
        "log": code(lambda: client.log_metric(run_id, "seen", 1.0)),
        "up": code(lambda: files.log_artifact("who.txt")),
        "list": code(lambda: [file.path for file in files.list_artifacts()]),
        "down": code(lambda: Path(files.download_artifacts("who.txt")).read_text()),
    }


def code(call: Any) -> Any:
    """The answer, or what the server said instead: the code of an error, or its status."""
    try:
        return call()
    except MlflowException as error:
        # The store of files tells of what it met in words only.
        status = re.search(r"\b(40[0-9])\b", str(error))
        is_plain = error.error_code == "INTERNAL_ERROR" and status
        return f"! {status.group(1) if is_plain and status else error.error_code}"
    except requests.HTTPError as error:
        return f"! {error.response.status_code}"

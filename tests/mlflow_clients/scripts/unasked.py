"""What the studio does not keep: the client says so in words, at once, and the script goes on."""

import os
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException


def main(experiment: str) -> dict[str, Any]:
    client = MlflowClient()
    own = mlflow.set_experiment(experiment).experiment_id
    calls: dict[str, Any] = {
        "make a model": lambda: client.create_registered_model("m"),
        "find models": client.search_registered_models,
        "get a model": lambda: client.get_registered_model("m"),
        "make a version": lambda: client.create_model_version("m", "runs:/0/m"),
        "set an alias": lambda: client.set_registered_model_alias("m", "best", "1"),
        "find traces": lambda: client.search_traces(locations=[own]),
        "get a trace": lambda: client.get_trace("tr-" + "0" * 32),
    }
    return {"answers": {name: answer(call) for name, call in calls.items()}, "traced": traced()}


def answer(call: Any) -> list[str]:
    """The error's code and words."""
    try:
        return ["", str(call())]
    except MlflowException as error:
        return [str(error.error_code), str(error)]


def traced() -> int:
    """A traced function works, whatever becomes of its trace."""
    os.environ["MLFLOW_ENABLE_ASYNC_TRACE_LOGGING"] = "false"

    @mlflow.trace
    def double(number: int) -> int:
        return 2 * number

    return double(21)

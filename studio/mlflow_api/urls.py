"""Every address of the MLflow tracking protocol. None ends in a slash."""

from django.urls import URLPattern, path

from studio.mlflow_api import artifact_urls, experiments, lineage_urls, runs, server
from studio.mlflow_api.experiment_search import search_experiments
from studio.mlflow_api.gate import endpoint, hot, not_served, nothing_here, signed_in
from studio.mlflow_api.history import get_history
from studio.mlflow_api.logs import log_batch, log_metric, log_model, log_parameter
from studio.mlflow_api.run_search import search_runs

A = "api/2.0/mlflow/"
B = "api/3.0/mlflow/"
F = "api/2.0/mlflow-artifacts/"

# What MLflow has and the studio has not.
NOT_SERVED = ("registered-models", "model-versions", "traces", "scorers", "webhooks", "gateway")

# First what is called most: each address is looked for from the top.
LOGGING: list[URLPattern] = [
    path(f"{A}runs/log-metric", hot(log_metric)),
    path(f"{A}runs/log-batch", hot(log_batch)),
    path(f"{A}runs/log-parameter", hot(log_parameter)),
    path(f"{A}runs/log-model", hot(log_model)),
    path(f"{A}metrics/get-history", endpoint(GET=get_history)),
]

RUNS: list[URLPattern] = [
    path(f"{A}runs/create", endpoint(POST=runs.create)),
    path(f"{A}runs/get", endpoint(GET=runs.get)),
    path(f"{A}runs/update", endpoint(POST=runs.update)),
    path(f"{A}runs/delete", endpoint(POST=runs.delete)),
    path(f"{A}runs/restore", endpoint(POST=runs.restore)),
    path(f"{A}runs/set-tag", endpoint(POST=runs.set_tag)),
    path(f"{A}runs/delete-tag", endpoint(POST=runs.delete_tag)),
]
EXPERIMENTS: list[URLPattern] = [
    path(f"{A}experiments/create", endpoint(POST=experiments.create)),
    path(f"{A}experiments/get", endpoint(GET=experiments.get)),
    path(f"{A}experiments/get-by-name", endpoint(GET=experiments.get_by_name)),
    path(f"{A}experiments/update", endpoint(POST=experiments.update)),
    path(f"{A}experiments/delete", endpoint(POST=experiments.delete)),
    path(f"{A}experiments/restore", endpoint(POST=experiments.restore)),
    path(f"{A}experiments/set-experiment-tag", endpoint(POST=experiments.set_tag)),
    path(f"{A}experiments/delete-experiment-tag", endpoint(POST=experiments.delete_tag)),
]
SERVER: list[URLPattern] = [
    path("health", server.health),
    path("version", server.version),
    path(f"{B}server-info", server.server_info),
    path(f"{B}workspaces", signed_in(server.list_workspaces)),
    path(f"{B}workspaces/<str:name>", signed_in(server.get_workspace)),
]

urlpatterns: list[URLPattern] = [
    *LOGGING,
    *RUNS,
    *EXPERIMENTS,
    *SERVER,
    path(f"{A}runs/search", endpoint(POST=search_runs)),
    path(f"{A}experiments/search", endpoint(POST=search_experiments, GET=search_experiments)),
    *(path(f"{place}{what}", not_served) for place in (A, B) for what in NOT_SERVED),
    *(path(f"{place}{what}/<path:rest>", not_served) for place in (A, B) for what in NOT_SERVED),
    path("v1/traces", not_served),
    *artifact_urls.urlpatterns,
    *lineage_urls.urlpatterns,
    *(path(f"{place}<path:rest>", nothing_here) for place in (A, B, F)),
]

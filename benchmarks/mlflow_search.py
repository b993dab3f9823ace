"""Searches through the MLflow protocol, 100 runs a page, beside the pages of the same list."""

import json
from typing import Any

from benchmarks.client import Line
from benchmarks.measure import Sample, repeat
from benchmarks.options import Options
from benchmarks.server import Studio

PLACE = "/api/2.0/mlflow/runs/search"
NAMES = "mlflow door: search, "
# Prints a token, the id of the largest experiment, and where nine tenths of it end.
FACTS = """
from studio.accounts.actions import make_token
from studio.accounts.models import Scope, User, Workspace
from studio.mlflow_api.search_arguments import View, name_of, token_of
from studio.runs.models import Experiment, Run
from studio.search.cursors import Place
room = Workspace.objects.get(name="load")
user = User.objects.get(username="admin")
experiment = Experiment.objects.filter(workspace=room).order_by("-last_number")[0]
runs = Run.objects.filter(experiment=experiment).order_by("-started_at")
run = runs[experiment.last_number * 9 // 10]
place = Place((0, run.started_at or run.created_at, run.uid), run.pk)
name = name_of(room.pk, [str(experiment.pk)], "", [], View.ACTIVE)
print(make_token(user, name="bench", scope=Scope("write"), workspace=room)[1])
print(experiment.pk)
print(token_of(place, name))
"""


def bodies(deep: str) -> dict[str, dict[str, Any]]:
    """What is asked for, by name; `deep`: the token of a page far down."""
    many = "tags.owner = 'team-7' AND metrics.loss < 0.5 AND status = 'FINISHED'"
    return {
        "default order": {},
        "tag, metric and status": {"filter": many},
        "sort by a metric": {"order_by": ["metrics.loss ASC"]},
        "LIKE on a parameter": {"filter": "params.optimizer LIKE 'ad%'"},
        "deep page": {"page_token": deep},
    }


def samples(studio: Studio, options: Options) -> dict[str, Sample]:
    """The sample of each search by its name."""
    token, experiment, deep = studio.shell(FACTS).split()
    line = Line(studio.port)
    line.headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "X-MLFLOW-WORKSPACE": "load",
    }
    found = {}
    for name, asked in bodies(deep).items():
        body = json.dumps({"experiment_ids": [experiment], "max_results": 100, **asked}).encode()

        def call(body: bytes = body) -> None:
            line.send("POST", PLACE, body)

        found[NAMES + name] = repeat(call, n=options.n_calls, warm=5, root=studio.web)
    return found

"""Runs to search, and MLflow's search a second time: plain Python over what the answers show."""

import json
import math
import re
import unicodedata
from collections.abc import Callable
from typing import Any

from django.test import Client

from tests import make
from tests.search import world

A = "/api/2.0/mlflow/"
ATTRIBUTES = ("run_id", "run_name", "user_id", "status", "artifact_uri", "start_time", "end_time")


class Door:
    """The MLflow protocol with one person's token, in one workspace."""

    def __init__(self, user: Any, workspace: Any) -> None:
        self.client = Client()
        token = make.token(user, workspace=workspace)
        self.headers = {"Authorization": f"Bearer {token}", "X-MLFLOW-WORKSPACE": workspace.name}

    def post(self, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
        answer = self.client.post(
            A + path, json.dumps(body), content_type="application/json", headers=self.headers
        )
        return answer.status_code, json.loads(answer.getvalue())

    def get(self, path: str, **query: Any) -> tuple[int, dict[str, Any]]:
        answer = self.client.get(A + path, query, headers=self.headers)
        return answer.status_code, json.loads(answer.getvalue())

    def search(self, **body: Any) -> list[dict[str, Any]]:
        """The runs of one page, which must be all there are."""
        code, found = self.post("runs/search", **body)
        assert code == 200, (body, found)
        assert "next_page_token" not in found
        runs: list[dict[str, Any]] = found.get("runs", [])
        return runs

    def pages(self, size: int, **body: Any) -> list[str]:
        """The ids of all pages, one behind the other."""
        found: list[str] = []
        token = ""
        while True:
            code, page = self.post("runs/search", max_results=size, page_token=token, **body)
            assert code == 200, (body, page)
            found += uids(page.get("runs", []))
            token = page.get("next_page_token", "")
            if not token:
                return found
            assert len(page["runs"]) == size


def uids(runs: list[dict[str, Any]]) -> list[str]:
    return [run["info"]["run_id"] for run in runs]


def build(workspace: Any, people: Any) -> list[str]:
    """Sixty runs of the search tests, with what only foreign clients write; the ids of their
    experiments."""
    from studio.lineage.models import Dataset, RunInput
    from studio.runs.models import Experiment, Run, Tag

    world.build(workspace, people)
    runs = list(Run.objects.filter(workspace=workspace).order_by("pk"))
    by_id = {run.pk: run for run in runs}
    long = "x" * 2_000 + "end"
    for i, run in enumerate(runs):
        tags: dict[str, Any] = {}
        if i % 4 == 0:
            tags["mlflow.user"] = ("alice", "", None, "Bob")[i // 4 % 4]
        if i % 7 == 0:
            tags["mlflow.parentRunId"] = by_id[runs[3].pk].uid
        if i % 9 == 0:
            tags["long"] = long if i % 2 else long[:2_000]
        for key, value in tags.items():
            head, rest = (value[:2_000], value[2_000:] or None) if value else (value, None)
            Tag.objects.create(workspace=workspace, run=run, key=key, value=head, rest=rest)
        if i % 8 == 5:
            Run.objects.filter(pk=run.pk).update(deleted_at=world.NOW)
    experiments = list(Experiment.objects.of(workspace).order_by("pk"))
    for i, name in enumerate(("iris", "Iris", "50%")):
        data = Dataset.objects.create(
            workspace=workspace, experiment=experiments[0], name=name, digest=f"d{i}"
        )
        for run in runs[i : i + 20 : i + 2]:
            RunInput.objects.create(run=run, dataset=data, context=("train", "eval", "")[i])
    return [str(experiment.pk) for experiment in experiments]


def shown(runs: list[dict[str, Any]], kind: str, key: str) -> list[Any]:
    """What one run shows of a key, None for nothing; a run has one value of all but data sets."""
    run = runs[0]
    info, data = run["info"], run["data"]
    if kind == "attribute":
        return [info.get(key)]
    name = {"metric": "metrics", "parameter": "params", "tag": "tags"}[kind]
    found = {one["key"]: one.get("value", "") for one in data.get(name, [])}.get(key)
    return [float(found) if kind == "metric" and found is not None else found]


def matches(run: dict[str, Any], clause: tuple[str, str, str, Any]) -> bool:
    """Whether a run meets (kind, key, comparator, value)."""
    kind, key, comparator, value = clause
    (held,) = shown([run], kind, key)
    if comparator in ("IS NULL", "IS NOT NULL"):
        return (held is None) == (comparator == "IS NULL")
    if held is None:
        return False
    if comparator in ("LIKE", "ILIKE"):
        return like(held, value, folds=comparator == "ILIKE")
    tests: dict[str, Callable[[], bool]] = {
        "=": lambda: held == value,
        "!=": lambda: held != value,
        "<": lambda: held < value,
        "<=": lambda: held <= value,
        ">": lambda: held > value,
        ">=": lambda: held >= value,
        "IN": lambda: held in value,
        "NOT IN": lambda: held not in value,
    }
    return bool(tests[comparator]())


def like(text: str, pattern: str, *, folds: bool) -> bool:
    if folds:
        text, pattern = (unicodedata.normalize("NFC", one).casefold() for one in (text, pattern))
    parts = [".*" if s == "%" else "." if s == "_" else re.escape(s) for s in pattern]
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None


def in_order(runs: list[dict[str, Any]], keys: list[tuple[str, str, bool]]) -> list[str]:
    """The ids of the runs by (kind, key, whether it goes down)."""
    found = sorted(runs, key=lambda run: run["info"]["run_id"])
    if ("attribute", "start_time") not in [key[:2] for key in keys]:
        keys = [*keys, ("attribute", "start_time", True)]
    for kind, key, down in reversed(keys):

        def value(run: Any, kind: str = kind, key: str = key) -> Any:
            return shown([run], kind, key)[0]

        there = [run for run in found if value(run) is not None]
        nans = [run for run in there if isinstance(value(run), float) and math.isnan(value(run))]
        there = [run for run in there if run not in nans]
        missing = [run for run in found if value(run) is None]
        found = sorted(there, key=value, reverse=down)
        found += nans + missing
    return uids(found)

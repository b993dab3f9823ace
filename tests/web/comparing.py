"""Runs to compare, and what their page shows of them."""

import re
from typing import Any

from django.test import Client

from studio.metrics.models import Metric
from tests import make
from tests.web.pages import Read, read

PAGE = "/w/lab/compare"
HOSTILE = "<img src=x onerror=alert(1)>\"'|`*_{{7*7}}"


def three_runs(experiment: Any) -> list[Any]:
    """The parameter lr and the metric loss rise, epochs are the same."""
    made = [
        make.run(
            experiment,
            display_name=f"try-{i}",
            parameters={"lr": str(10.0 ** (i - 3)), "epochs": "10"},
            tags={"quality": "great"} if i else {},
        )
        for i in range(3)
    ]
    for i, run in enumerate(made):
        metric(run, "loss", last=0.5 + i / 4, min=0.5, max=1.0)
    return made


def metric(run: Any, name: str, **facts: Any) -> None:
    Metric.objects.create(workspace=run.workspace, run=run, name=name, **facts)


def chosen(runs: Any) -> str:
    return ",".join(run.uid for run in runs)


def page(client: Client, runs: Any, **query: str) -> Read:
    answer = client.get(PAGE, {"chosen": chosen(runs), **query})
    assert answer.status_code == 200
    return read(answer)


def names(found: Read) -> list[str]:
    """The names of the rows."""
    return [
        own["title"] for tag, own in found.elements if tag == "th" and own.get("scope") == "row"
    ]


def columns(found: Read) -> list[str]:
    """The uids of the columns, in order."""
    prefix = "compare-base-"
    return [one.removeprefix(prefix) for one in found.ids(prefix)]


def of_row(answer: Any, name: str) -> str:
    """The HTML of a row."""
    text = answer.content.decode()
    (row,) = re.findall(rf'<tr[^>]*>\s*<th[^>]* title="{re.escape(name)}">.*?</tr>', text, re.S)
    return str(row)

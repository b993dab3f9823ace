"""How many queries each page costs; pinned, so that a page that starts to cost more is noticed.

STUDIO_RECORD_QUERIES=1 writes tests/query_counts.json anew.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from studio.runs.actions import Submission
from tests import make
from tests.web.pages import HTMX, read

FILE = Path(__file__).parent.parent / "query_counts.json"
RUN = "/w/lab/runs/{uid}"
PAGES = {
    "run-list": "/w/lab/runs",
    "run-list filtered": "/w/lab/runs?q=tag.quality:great+status:Running|Completed",
    "run-list free text": "/w/lab/runs?q=vision",
    "run-list with child runs": "/w/lab/runs?children=1&size=200",
    "experiment-runs": "/w/lab/experiments/vision",
    "experiment-list": "/w/lab/experiments",
    "compute": "/w/lab/compute",
    "run-detail": RUN,
    "run-header": RUN + "/header",
    "run-values": RUN + "/values",
    "run-children": RUN + "/children",
    "run-logs": RUN + "/logs",
    "run-tree": RUN + "/tree",
    "run-history": RUN + "/history",
    "run-description-edit": RUN + "/description/edit",
}


def many(workspace: Any, n: int) -> Any:
    """`n` runs in two experiments, each with tags and a child run; the newest."""
    run = None
    for i in range(n):
        experiment = make.experiment(workspace, f"vision{i % 2 or ''}")
        run = make.run(
            experiment,
            tags={"quality": "great", "n": str(i)},
            parameters={"lr": "1"},
            start=False,
            submit=Submission(target="local", snapshot="", script="train.py"),
        )
        make.run(experiment, parent=run)
    return run


def cost(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as seen:
        answer = client.get(address)
    assert answer.status_code == 200
    return len(seen)


def test_pages_cost_what_they_did_and_not_more_with_more_runs(
    bob_client: Client, workspace: Any
) -> None:
    run = many(workspace, 3)
    few = {name: cost(bob_client, path.format(uid=run.uid)) for name, path in PAGES.items()}
    many(workspace, 30)
    lots = {name: cost(bob_client, path.format(uid=run.uid)) for name, path in PAGES.items()}

    assert lots == few
    if os.environ.get("STUDIO_RECORD_QUERIES") == "1":
        FILE.write_text(json.dumps(few, indent=2) + "\n")
    assert few == json.loads(FILE.read_text())


def test_asking_for_news_is_cheap(bob_client: Client, workspace: Any) -> None:
    many(workspace, 20)
    url = read(bob_client.get("/w/lab/runs")).one("div", id="runs-live")["hx-get"]

    with CaptureQueriesContext(connection) as seen:
        assert bob_client.get(url, headers=HTMX).status_code == 204
    assert len(seen) <= 9


@pytest.mark.parametrize("name", ["run-list", "experiment-list", "compute"])
def test_a_part_costs_no_more_than_its_page(bob_client: Client, workspace: Any, name: str) -> None:
    many(workspace, 3)
    page = cost(bob_client, PAGES[name])

    with CaptureQueriesContext(connection) as seen:
        bob_client.get(PAGES[name], headers=HTMX)
    assert len(seen) <= page


def test_asking_whether_a_run_changed_is_cheap(bob_client: Client, workspace: Any) -> None:
    run = many(workspace, 2)
    url = read(bob_client.get(RUN.format(uid=run.uid))).one("header", id="runs-header")["hx-get"]

    with CaptureQueriesContext(connection) as seen:
        assert bob_client.get(url, headers=HTMX).status_code == 204
    assert len(seen) <= 4

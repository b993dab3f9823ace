"""The head of a run's page asks whether it is out of date: every change it shows must count."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from studio.compute.models import Job, Target, Worker
from studio.runs import actions
from studio.runs.actions import Submission
from studio.runs.models import Run
from tests import make
from tests.web.pages import HTMX, read

Change = Callable[[Any, Any], object]


def ask(client: Client, url: str) -> int:
    return client.get(url, headers=HTMX).status_code


def head_url(client: Client, run: Any) -> str:
    return str(read(client.get(f"/w/lab/runs/{run.uid}")).one("header", id="runs-header")["hx-get"])


def a_child_ends(run: Any, by: Any) -> None:
    actions.complete_run(run.children.get(), by=by)


CHANGES: dict[str, Change] = {
    "name": lambda run, by: actions.rename_run(run, "another", by=by),
    "tag set": lambda run, by: actions.change_tags(run, by=by, put={"seen": None}),
    "tag value": lambda run, by: actions.change_tags(run, by=by, put={"quality": "poor"}),
    "tag removed": lambda run, by: actions.change_tags(run, by=by, remove=["quality"]),
    "child ended": a_child_ends,
    "child made": lambda run, by: make.run(run.experiment, parent=run),
    "ended": lambda run, by: actions.complete_run(run, by=by),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_that_the_head_shows_counts(
    bob_client: Client, people: Any, experiment: Any, change: str
) -> None:
    run = make.run(experiment, tags={"quality": "great"})
    make.run(experiment, parent=run)
    url = head_url(bob_client, run)
    assert ask(bob_client, url) == 204

    CHANGES[change](Run.objects.get(pk=run.pk), make.actor(people.bob))

    assert ask(bob_client, url) in {200, 286}


def test_a_step_of_the_cancel_counts(bob_client: Client, people: Any, experiment: Any) -> None:
    run = make.run(
        experiment,
        start=False,
        submit=Submission(target="local", snapshot="", script="train.py"),
    )
    url = head_url(bob_client, run)
    Job.objects.filter(run=run).update(cancel_step="terminating", cancel_step_at=timezone.now())

    assert ask(bob_client, url) == 200


def test_a_worker_that_comes_counts_for_a_run_that_waits_for_one(
    bob_client: Client, experiment: Any
) -> None:
    submit = Submission(target="local", snapshot="", script="train.py")
    run = make.run(experiment, start=False, submit=submit)
    url = head_url(bob_client, run)
    assert "No worker serves" in bob_client.get(f"/w/lab/runs/{run.uid}").content.decode()

    local = Target.objects.get(name="local")
    Worker.objects.create(node="n", host="h", pid=1, target=local, n_slots=1)

    assert ask(bob_client, url) == 200
    assert "No worker serves" not in bob_client.get(f"/w/lab/runs/{run.uid}").content.decode()

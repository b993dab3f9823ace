"""A submitted run, and a worker that may claim it."""

from typing import Any

import pytest

from studio.accounts.permissions import Actor
from studio.compute.actions import ensure_local_target
from studio.compute.models import Worker
from studio.runs import actions
from studio.runs.models import Run


@pytest.fixture
def worker(workspace: Any) -> Worker:
    return Worker.objects.create(
        node="here", host="here", pid=1, target=ensure_local_target(), n_slots=2
    )


@pytest.fixture
def queued(experiment: Any, people: Any) -> Run:
    submit = actions.Submission(target="local", snapshot="", script="train.py")
    by = Actor.of_user(people.bob)
    return actions.create_run(experiment, actions.NewRun(submit=submit), by=by)

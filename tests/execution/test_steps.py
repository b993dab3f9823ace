"""Steps of a pipeline start when what they depend on is Completed, and never otherwise."""

from typing import Any

import pytest

from studio.accounts.permissions import Actor
from studio.compute.models import Worker
from studio.execution.claims import claim_next
from studio.execution.reaper import reap
from studio.execution.steps import close_doomed
from studio.runs import actions
from studio.runs.lifecycle import transition
from studio.runs.models import Run, RunEvent
from studio.runs.status import Status
from tests import make

pytestmark = [pytest.mark.django_db, pytest.mark.data]


@pytest.fixture
def pipeline(experiment: Any) -> Run:
    return make.run(experiment, type="pipeline", uid="pipeline")


def step(pipeline: Run, name: str, *needs: str) -> Run:
    submit = actions.Submission(target="local", snapshot="", script="train.py")
    return make.run(
        pipeline.experiment,
        parent=pipeline,
        type="step",
        uid=name,
        display_name=name,
        start=False,
        submit=submit,
        depends_on=needs,
    )


def ends(run: Run, status: Status) -> None:
    for to in (Status.RUNNING, status):
        transition(run, to, by=Actor.system("test"))


def claimed(worker: Worker) -> str:
    claim = claim_next(worker)
    return claim.run.uid if claim else ""


def test_a_step_is_claimed_once_all_it_depends_on_is_completed(
    worker: Worker, pipeline: Run
) -> None:
    first, second = step(pipeline, "a"), step(pipeline, "b")
    step(pipeline, "c", "a", "b")
    assert [claimed(worker) for _ in range(3)] == ["a", "b", ""]
    ends(first, Status.COMPLETED)
    assert claimed(worker) == ""
    ends(second, Status.COMPLETED)
    assert claimed(worker) == "c"


@pytest.mark.parametrize("ending", [Status.FAILED, Status.CANCELED])
def test_what_depends_on_a_broken_step_never_starts_and_says_why(
    worker: Worker, pipeline: Run, ending: Status
) -> None:
    first = step(pipeline, "prepare")
    last = [step(pipeline, "train", "prepare"), step(pipeline, "evaluate", "train")]
    other = step(pipeline, "other")
    assert claimed(worker) == "prepare"
    ends(first, ending)
    assert reap() == 2

    for run in last:
        run.refresh_from_db()
    assert [run.status for run in last] == [Status.CANCELED] * 2
    assert last[0].status_reason == f"Never started: it depends on “prepare”, which is {ending}"
    assert "“train”, which is Canceled" in last[1].status_reason
    event = RunEvent.objects.filter(run=last[1], kind="status").latest("id")
    assert (event.actor, event.before, event.after) == ("studio (scheduler)", "Queued", "Canceled")
    assert claimed(worker) == other.uid
    assert close_doomed() == 0


def test_cancelling_a_pipeline_cancels_its_unfinished_steps(
    worker: Worker, pipeline: Run, people: Any
) -> None:
    first, second = step(pipeline, "a"), step(pipeline, "b", "a")
    actions.complete_run(pipeline, by=make.actor(people.bob))
    claimed(worker)
    actions.cancel_run(pipeline, by=make.actor(people.bob), reason="enough")

    for run in (first, second, pipeline):
        run.refresh_from_db()
    assert first.status == Status.CANCEL_REQUESTED
    assert (second.status, second.cancel_reason) == (Status.CANCELED, "enough")
    assert pipeline.status == Status.COMPLETED

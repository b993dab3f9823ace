"""No run stays unfinished for ever, and only what is silent is closed."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from studio.accounts.models import ApiToken, Scope, new_token
from studio.accounts.permissions import Actor
from studio.compute.models import Job, Worker
from studio.execution.claims import claim_next, give_back, still_held
from studio.execution.reaper import reap
from studio.runs import actions
from studio.runs.lifecycle import beat, transition
from studio.runs.models import Run, RunEvent
from studio.runs.status import Status
from tests import make

pytestmark = [pytest.mark.django_db, pytest.mark.data]


def silent_for(run: Run, seconds: float) -> Run:
    Run.objects.filter(pk=run.pk).update(last_beat_at=timezone.now() - timedelta(seconds=seconds))
    run.refresh_from_db()
    return run


def quiet_for(run: Run, seconds: float) -> None:
    """As if it had stopped responding that long ago."""
    Run.objects.filter(pk=run.pk).update(status_at=timezone.now() - timedelta(seconds=seconds))


def fresh(run: Run) -> Run:
    run.refresh_from_db()
    return run


def test_a_silent_run_is_not_responding_then_failed_with_the_evidence(run: Run) -> None:
    silent_for(run, 121)
    assert reap() == 1
    assert fresh(run).status == Status.NOT_RESPONDING
    silent_for(run, 601)
    quiet_for(run, 481)
    assert reap() == 1
    assert fresh(run).status == Status.FAILED
    assert "last heard from" in run.status_reason
    assert run.error["code"] == "Lost"


def test_after_a_long_sleep_of_the_machine_every_run_gets_time_to_speak_up(run: Run) -> None:
    silent_for(run, 100_000)
    assert reap() == 1
    assert reap() == 0
    assert fresh(run).status == Status.NOT_RESPONDING
    assert beat(run) == Status.RUNNING


def test_a_lost_run_takes_its_job_token_and_children_with_it(
    worker: Worker, queued: Run, people: Any
) -> None:
    claim = claim_next(worker)
    assert claim is not None
    transition(queued, Status.RUNNING, by=claim.actor)
    Job.objects.update(started_at=timezone.now())
    child = make.run(queued.experiment, parent=queued)
    new_token(
        people.bob, name="run", scope=Scope.WRITE, workspace=queued.workspace, run_uid=queued.uid
    )
    silent_for(queued, 601)
    assert reap() == 1
    quiet_for(queued, 481)
    reap()
    assert fresh(queued).status == Status.FAILED
    assert fresh(child).status == Status.FAILED
    assert not still_held(claim)
    assert not ApiToken.objects.filter(run_uid=queued.uid, revoked_at=None).exists()


def test_a_cancelled_job_whose_worker_died_before_it_began_is_canceled(
    worker: Worker, queued: Run, people: Any
) -> None:
    claim = claim_next(worker)
    assert claim is not None
    actions.cancel_run(queued, by=Actor.of_user(people.bob))
    assert fresh(queued).status == Status.CANCEL_REQUESTED
    Job.objects.update(beat_at=timezone.now() - timedelta(seconds=61))
    assert reap() == 1
    assert fresh(queued).status == Status.CANCELED
    assert not still_held(claim)


def test_the_job_of_a_run_finished_by_hand_is_closed_when_its_worker_is_gone(
    worker: Worker, queued: Run, people: Any
) -> None:
    claim = claim_next(worker)
    assert claim is not None
    actions.fail_run(queued, by=Actor.of_user(people.bob))
    assert still_held(claim)
    Job.objects.update(beat_at=timezone.now() - timedelta(seconds=61))
    assert reap() == 1
    assert not still_held(claim)


def test_a_second_cancel_keeps_who_asked_first(run: Run, people: Any) -> None:
    actions.cancel_run(run, by=Actor.of_user(people.bob), reason="first")
    silent_for(run, 121)
    reap()
    assert fresh(run).status == Status.NOT_RESPONDING
    actions.cancel_run(run, by=Actor.of_user(people.alice), reason="second")
    assert fresh(run).cancel_reason == "first"
    assert run.cancel_requested_by == "bob"


def test_a_submitted_script_that_says_it_was_canceled_does_not_end_before_its_process(
    worker: Worker, queued: Run, people: Any
) -> None:
    claim = claim_next(worker)
    assert claim is not None
    transition(queued, Status.RUNNING, by=claim.actor)
    own = Actor(name="bob", user=people.bob, workspace_id=queued.workspace_id, run_uid=queued.uid)
    actions.confirm_canceled(fresh(queued), by=own)
    assert fresh(queued).status == Status.RUNNING


def test_cancelling_a_parent_withdraws_its_queued_children(
    worker: Worker, run: Run, people: Any
) -> None:
    submit = actions.Submission(target="local", snapshot="", script="train.py")
    children = [make.run(run.experiment, parent=run, submit=submit, start=False) for _ in range(3)]
    actions.cancel_run(run, by=Actor.of_user(people.bob))
    assert {fresh(child).status for child in children} == {Status.CANCELED}
    assert claim_next(worker) is None


def test_a_run_that_was_heard_lately_is_left_alone(run: Run) -> None:
    silent_for(run, 119)
    assert reap() == 0
    assert fresh(run).status == Status.RUNNING


def test_a_run_that_was_never_heard_counts_from_its_start(run: Run) -> None:
    old = timezone.now() - timedelta(seconds=1000)
    Run.objects.filter(pk=run.pk).update(last_beat_at=None, started_at=old)
    reap()
    assert fresh(run).status == Status.FAILED or run.status == Status.NOT_RESPONDING


def test_a_finished_run_is_never_touched(run: Run, people: Any) -> None:
    actions.complete_run(run, by=Actor.of_user(people.bob))
    silent_for(run, 100_000)
    n = RunEvent.objects.count()
    assert reap() == 0
    assert RunEvent.objects.count() == n


def test_an_unanswered_cancel_ends_as_canceled_and_says_the_process_may_live(
    run: Run, people: Any
) -> None:
    actions.cancel_run(run, by=Actor.of_user(people.bob))
    assert reap() == 0
    Run.objects.filter(pk=run.pk).update(cancel_requested_at=timezone.now() - timedelta(seconds=31))
    assert reap() == 1
    assert fresh(run).status == Status.CANCELED
    assert "may still be running" in run.status_reason


def test_one_worker_wins_a_job(worker: Worker, queued: Run) -> None:
    claim = claim_next(worker)
    assert claim is not None
    assert fresh(queued).status == Status.STARTING
    assert claim_next(worker) is None
    assert still_held(claim)


def test_a_cancelled_job_is_never_claimed(worker: Worker, queued: Run, people: Any) -> None:
    actions.cancel_run(queued, by=Actor.of_user(people.bob))
    assert claim_next(worker) is None
    assert fresh(queued).status == Status.CANCELED


def test_a_job_whose_worker_died_before_it_began_is_queued_again(
    worker: Worker, queued: Run
) -> None:
    claim = claim_next(worker)
    assert claim is not None
    # Never beaten: the claim itself is what counts.
    old = timezone.now() - timedelta(seconds=61)
    Job.objects.filter(pk=claim.job.pk).update(beat_at=None, claimed_at=old)
    assert reap() == 1
    assert fresh(queued).status == Status.QUEUED
    assert not still_held(claim)
    again = claim_next(worker)
    assert again is not None
    assert again.lease != claim.lease


def test_a_job_that_never_begins_is_not_queued_for_ever(worker: Worker, queued: Run) -> None:
    for _ in range(2):
        claim = claim_next(worker)
        assert claim is not None
        assert give_back(claim, reason="gone")
    claim = claim_next(worker)
    assert claim is not None
    assert not give_back(claim, reason="gone")


def test_forgotten_workers_are_signed_off(worker: Worker) -> None:
    Worker.objects.filter(pk=worker.pk).update(last_seen_at=timezone.now() - timedelta(seconds=61))
    reap()
    worker.refresh_from_db()
    assert worker.stopped_at is not None
    assert not Worker.objects.live().exists()

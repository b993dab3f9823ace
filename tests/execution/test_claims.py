"""Which worker takes how many runs: disabled and full targets, draining workers, and races."""

from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from studio.accounts.permissions import Actor
from studio.compute.models import Job, Target, Worker
from studio.execution.claims import claim_next, give_back
from studio.execution.reaper import reap
from studio.runs.lifecycle import transition
from studio.runs.models import Run
from studio.runs.status import Status
from tests import make

pytestmark = pytest.mark.data
N_WORKERS, MOST = 6, 3


def submitted(experiment: Any, n: int) -> list[Run]:
    from studio.runs.actions import Submission

    submit = Submission(target="local", snapshot="", script="train.py")
    return [make.run(experiment, start=False, submit=submit) for _ in range(n)]


@pytest.mark.django_db
def test_a_disabled_target_and_a_draining_worker_take_nothing(worker: Worker, queued: Run) -> None:
    for model, off, on in (
        (Target, {"is_enabled": False}, {"is_enabled": True}),
        (Worker, {"drain_asked_at": timezone.now()}, {"drain_asked_at": None}),
    ):
        model.objects.update(**off)
        assert claim_next(worker) is None
        model.objects.update(**on)
    assert claim_next(worker) is not None


@pytest.mark.django_db
def test_a_full_target_takes_another_run_when_one_is_over(worker: Worker, experiment: Any) -> None:
    submitted(experiment, 3)
    Target.objects.update(max_runs=2)
    first, second = claim_next(worker), claim_next(worker)
    assert first is not None
    assert second is not None
    assert claim_next(worker) is None
    Job.objects.filter(pk=first.job.pk).update(closed_at=timezone.now())
    assert claim_next(worker) is not None


@pytest.mark.django_db(transaction=True)
def test_workers_that_claim_at_once_do_not_pass_the_targets_limit(experiment: Any) -> None:
    local = Target.objects.get(name="local")
    for _ in range(5):
        Job.objects.update(closed_at=timezone.now())
        Target.objects.update(max_runs=MOST)
        submitted(experiment, 2 * N_WORKERS)
        rows = [
            Worker.objects.create(node=f"n{i}", host="h", pid=i, target=local, n_slots=9)
            for i in range(N_WORKERS)
        ]
        gate = Barrier(N_WORKERS, timeout=60)

        def take(worker: Worker, gate: Barrier = gate) -> None:
            gate.wait()
            for _ in range(3):
                claim_next(worker)
            connection.close()

        threads = [Thread(target=take, args=(row,)) for row in rows]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        held = Job.objects.held()
        assert held.count() == MOST
        assert Run.objects.filter(status=Status.STARTING, job__in=held).count() == MOST


@pytest.mark.django_db
def test_a_target_says_how_often_a_run_is_begun(worker: Worker, queued: Run) -> None:
    Target.objects.update(max_attempts=1)
    claim = claim_next(worker)
    assert claim is not None
    assert not give_back(claim, reason="gone")
    Job.objects.update(beat_at=timezone.now() - timedelta(seconds=61))
    assert reap() == 1
    queued.refresh_from_db()
    assert queued.status == Status.FAILED
    assert "1 time" in queued.status_reason


@pytest.mark.django_db
@pytest.mark.parametrize(("limit_s", "silent_s", "is_lost"), [(200, 250, True), (900, 700, False)])
def test_a_target_says_when_a_silent_run_is_given_up(
    worker: Worker, queued: Run, limit_s: float, silent_s: float, is_lost: bool
) -> None:
    Target.objects.update(lost_after_s=limit_s)
    claim = claim_next(worker)
    assert claim is not None
    transition(queued, Status.RUNNING, by=Actor.system("test"), lease=claim.lease)
    Job.objects.update(started_at=timezone.now())
    then = timezone.now() - timedelta(seconds=silent_s)
    Run.objects.filter(pk=queued.pk).update(last_beat_at=then)
    assert reap() == 1
    Run.objects.filter(pk=queued.pk).update(status_at=then + timedelta(seconds=120))
    reap()
    queued.refresh_from_db()
    assert (queued.status == Status.FAILED) is is_lost
    assert (queued.status == Status.NOT_RESPONDING) is not is_lost


@pytest.mark.django_db
def test_the_planned_end_of_a_worker_is_no_attempt(worker: Worker, queued: Run) -> None:
    Target.objects.update(max_attempts=1)
    for _ in range(3):
        claim = claim_next(worker)
        assert claim is not None
        assert give_back(claim, reason="Replaced", is_planned=True)
    queued.refresh_from_db()
    assert queued.status_reason == "Attempt 1 of 1: replaced"
    claim = claim_next(worker)
    assert claim is not None
    assert not give_back(claim, reason="Gone")

"""When silence, a cancel nobody answers and a run over its time come to an end, with evidence."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from studio.artifacts import logs
from studio.artifacts.models import MAIN_LOG
from studio.compute.launcher import GuardStatus
from studio.compute.models import Job, Target, Worker
from studio.execution.claims import claim_next
from studio.execution.closing import finish
from studio.execution.ladder import ladder_of, note_steps
from studio.execution.reaper import reap
from studio.execution.shipping import LogShipper
from studio.execution.silence import closed_unheard_at, given_up_at, is_over_time
from studio.execution.verdict import Ending
from studio.metrics.actions import record_batch
from studio.runs import actions
from studio.runs.lifecycle import InvalidTransition, beat, transition
from studio.runs.models import Run, RunEvent
from studio.runs.status import Status
from studio.wire import Batch, Series
from tests import make

pytestmark = [pytest.mark.django_db, pytest.mark.data]

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def ago(seconds: float) -> datetime:
    return timezone.now() - timedelta(seconds=seconds)


def fresh(run: Run) -> Any:
    return Run.objects.select_related("job__target", "target").get(pk=run.pk)


def going(worker: Worker, queued: Run) -> Any:
    """The claim of a run whose script began."""
    claim = claim_next(worker)
    assert claim is not None
    transition(queued, Status.RUNNING, by=claim.actor)
    Job.objects.update(started_at=timezone.now())
    claim.job.refresh_from_db()
    claim.run.refresh_from_db()
    return claim


def say_something(run: Run, people: Any) -> None:
    by = make.actor(people.bob)
    record_batch(run, Batch("b" * 32, (Series("loss", "scalar", [1.0], [0.5], [7]),)), by=by)
    logs.append_log(run, MAIN_LOG, 0, b"epoch 7\nloss 0.5\n\n", by=by)


# ------------------------------------------------------------ silence
def test_a_silent_run_tells_what_is_known_and_forgets_it_when_it_is_heard(
    run: Run, people: Any
) -> None:
    say_something(run, people)
    Run.objects.filter(pk=run.pk).update(last_beat_at=ago(121))
    reap()
    silent = fresh(run)
    assert silent.status == Status.NOT_RESPONDING
    assert silent.evidence["last_metric"]["name"] == "loss"
    assert (silent.evidence["last_metric"]["value"], silent.evidence["last_metric"]["step"]) == (
        0.5,
        7,
    )
    assert silent.evidence["last_log_line"]["text"] == "loss 0.5"
    assert silent.evidence["last_log_line"]["at"] is not None
    assert beat(silent) == Status.RUNNING
    assert fresh(run).evidence is None


def test_each_target_has_its_own_limit_of_silence(
    worker: Worker, queued: Run, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    going(worker, queued)
    monkeypatch.setattr(Target, "effective_lost_after_s", lambda target: 3_600.0)
    for one in (run, queued):
        Run.objects.filter(pk=one.pk).update(last_beat_at=ago(700))
    Job.objects.update(beat_at=timezone.now())
    reap()
    Run.objects.filter(status=Status.NOT_RESPONDING).update(status_at=ago(500))
    assert given_up_at(fresh(queued)) > timezone.now() + timedelta(seconds=2_800)
    assert given_up_at(fresh(run)) < timezone.now()
    reap()
    assert fresh(run).status == Status.FAILED
    assert fresh(run).evidence["ended_by"] == {"kind": "nobody", "name": ""}
    assert fresh(queued).status == Status.NOT_RESPONDING
    Run.objects.filter(pk=queued.pk).update(last_beat_at=ago(3_700), status_at=ago(3_500))
    reap()
    assert fresh(queued).status == Status.FAILED
    assert fresh(queued).evidence["worker"] == {"node": "here", "host": "here", "target": "local"}


# ------------------------------------------------------------ a cancel without an answer
def test_a_cancelled_run_whose_worker_is_gone_is_closed_after_its_grace_period(
    worker: Worker, queued: Run, people: Any
) -> None:
    claim = going(worker, queued)
    actions.cancel_run(queued, by=make.actor(people.bob), reason="flat")
    Job.objects.update(beat_at=ago(61))
    assert closed_unheard_at(fresh(queued)) > timezone.now()
    assert reap() == 0
    Run.objects.filter(pk=queued.pk).update(cancel_requested_at=ago(31))
    assert reap() == 1
    ended = fresh(queued)
    assert ended.status == Status.CANCELED
    assert "worker here is gone; its process may still be running" in ended.status_reason
    assert ended.evidence["ended_by"] == {"kind": "person", "name": "bob"}
    assert ended.job.closed_at is not None
    with pytest.raises(InvalidTransition):
        transition(queued, Status.COMPLETED, by=claim.actor)


def test_a_cancelled_run_that_was_handed_over_is_left_to_the_next_worker(
    worker: Worker, queued: Run, people: Any
) -> None:
    going(worker, queued)
    actions.cancel_run(queued, by=make.actor(people.bob))
    Run.objects.filter(pk=queued.pk).update(cancel_requested_at=ago(250))
    # It signed off, as one does that hands its runs over, and its node has known others before.
    Worker.objects.filter(pk=worker.pk).update(stopped_at=ago(290), last_seen_at=ago(290))
    Job.objects.update(beat_at=ago(290))
    assert reap() == 0
    assert closed_unheard_at(fresh(queued)) > timezone.now()
    Job.objects.update(beat_at=ago(311))  # nobody came: the guard has ended it by now
    assert reap() == 1
    assert fresh(queued).status == Status.CANCELED


def test_a_run_without_a_worker_on_its_target_is_canceled_at_once(queued: Run, people: Any) -> None:
    assert not Worker.objects.live().exists()
    actions.cancel_run(queued, by=make.actor(people.bob))
    assert fresh(queued).status == Status.CANCELED
    assert fresh(queued).started_at is None


def test_a_late_completion_changes_nothing_and_is_told_why(run: Run, people: Any) -> None:
    by = make.actor(people.bob)
    actions.cancel_run(run, by=by, reason="flat loss")
    Run.objects.filter(pk=run.pk).update(cancel_requested_at=ago(31))
    reap()
    with pytest.raises(InvalidTransition) as refused:
        actions.complete_run(fresh(run), by=by)
    assert "Canceled" in str(refused.value)
    assert "bob" in str(refused.value)
    assert "flat loss" in str(refused.value)
    assert fresh(run).status == Status.CANCELED
    assert RunEvent.objects.filter(run=run, after="Canceled").count() == 1


# ------------------------------------------------------------ a cancel that comes too late
@pytest.mark.parametrize(("exit_code", "status"), [(0, Status.COMPLETED), (3, Status.FAILED)])
def test_a_cancel_while_finalizing_does_not_change_how_the_script_ended(
    worker: Worker, queued: Run, people: Any, tmp_path: Any, exit_code: int, status: Status
) -> None:
    claim = going(worker, queued)
    transition(queued, Status.FINALIZING, by=claim.actor)
    actions.cancel_run(queued, by=make.actor(people.bob))
    assert fresh(queued).status == Status.CANCEL_REQUESTED
    shipper = LogShipper(claim.run, tmp_path / "output.log", by=claim.actor)
    finish(claim, Ending(exit_code=exit_code), shipper=shipper, work=tmp_path / "work")
    assert fresh(queued).status == status
    assert "ended by itself before the cancel" in fresh(queued).status_reason
    assert fresh(queued).evidence is None


def test_the_steps_of_a_cancel_stay_in_the_history_once(worker: Worker, queued: Run) -> None:
    claim = going(worker, queued)
    report = GuardStatus(
        reason="cancel",
        steps=[("interrupting", NOW.timestamp(), 0.0), ("terminating", NOW.timestamp() + 30, 30.0)],
        ladder_s=30.2,
    )
    note_steps(claim, ladder_of(report).steps[:1])
    note_steps(claim, ladder_of(report).steps)
    events = RunEvent.objects.filter(run=queued, kind="cancel_step").order_by("id")
    assert [(event.after, event.at) for event in events] == [
        ("interrupting", NOW),
        ("terminating", NOW + timedelta(seconds=30)),
    ]
    assert "30 s after the first" in events[1].message


# ------------------------------------------------------------ over its time
@pytest.mark.parametrize(
    ("started_s", "longest_s", "has_worker", "is_over"),
    [
        (None, 60.0, False, False),
        (1_000, None, False, False),
        (60, 60.0, False, False),
        (60.1, 60.0, False, True),
        (64.9, 60.0, True, False),
        (65.1, 60.0, True, True),
    ],
)
def test_when_a_run_is_over_its_time(
    started_s: float | None, longest_s: float | None, has_worker: bool, is_over: bool
) -> None:
    started_at = None if started_s is None else NOW - timedelta(seconds=started_s)
    assert is_over == is_over_time(
        started_at=started_at, longest_s=longest_s, now=NOW, has_worker=has_worker
    )


def test_an_interactive_run_over_its_time_is_cancelled_by_the_system(
    experiment: Any, run: Run
) -> None:
    limited = make.run(experiment, max_duration_s=60.0)
    Run.objects.update(started_at=ago(61))
    assert reap() == 1
    asked = fresh(limited)
    assert asked.status == Status.CANCEL_REQUESTED
    assert asked.cancel_requested_by == "studio (time limit)"
    assert "longer than its limit of 60 s" in asked.cancel_reason
    assert fresh(run).status == Status.RUNNING
    assert reap() == 0
    Run.objects.filter(pk=limited.pk).update(cancel_requested_at=ago(31))
    assert reap() == 1
    assert fresh(limited).evidence["ended_by"] == {"kind": "system", "name": "time limit"}


def test_a_run_over_its_time_whose_worker_hangs_is_closed_by_another_one(
    worker: Worker, queued: Run
) -> None:
    Run.objects.update(max_duration_s=60.0)
    going(worker, queued)
    Run.objects.update(started_at=ago(66))
    Job.objects.update(beat_at=ago(61))
    assert reap() == 1
    assert fresh(queued).status == Status.CANCEL_REQUESTED
    Run.objects.update(cancel_requested_at=ago(31))
    assert reap() == 1
    ended = fresh(queued)
    assert ended.status == Status.CANCELED
    assert ended.evidence["ended_by"] == {"kind": "system", "name": "time limit"}

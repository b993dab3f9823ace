"""What a killed worker left behind is ended by what its guard reports, or queued again."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from studio.accounts.permissions import Actor
from studio.artifacts.actions import find_artifact
from studio.compute.launcher import GuardHandle, LaunchSpec, find_members, launch
from studio.compute.models import Job, Worker
from studio.execution.claims import Claim, claim_next
from studio.execution.closing import finish
from studio.execution.reaper import reap
from studio.execution.recovery import leftovers, recover_job
from studio.execution.shipping import LogShipper
from studio.execution.verdict import Ending
from studio.runs import actions
from studio.runs.lifecycle import LeaseLost, transition
from studio.runs.models import Run
from studio.runs.status import Status
from tests import make
from tests.waiting import wait_until

pytestmark = [pytest.mark.django_db, pytest.mark.data]


def fresh(run: Run) -> Run:
    run.refresh_from_db()
    return run


@pytest.fixture
def claim(worker: Worker, queued: Run) -> Claim:
    found = claim_next(worker)
    assert found is not None
    return found


class Began:
    """A claim whose script was launched by a worker that then forgot it."""

    def __init__(self, claim: Claim, folder: Path) -> None:
        self.claim, self.folder = claim, folder
        self.work = folder / "work"
        (self.work / "outputs").mkdir(parents=True)
        Job.objects.filter(pk=claim.job.pk).update(folder=str(folder))
        claim.job.refresh_from_db()
        self.guard: GuardHandle | None = None

    def launch(self, source: str) -> GuardHandle:
        spec = LaunchSpec(
            run_key="test",
            argv=[sys.executable, "-S", "-u", "-c", source],
            cwd=self.work,
            env=dict(os.environ),
            folder=self.folder,
            log_file=self.folder / "output.log",
            cookie=self.claim.cookie,
        )
        self.guard = launch(spec)
        return self.guard


@pytest.fixture
def began(claim: Claim, tmp_path: Path) -> Iterator[Began]:
    made = Began(claim, tmp_path / "run")
    yield made
    if made.guard is not None:
        made.guard.close()
        made.guard.process.wait(20)


def test_a_job_without_a_folder_is_queued_again(claim: Claim, queued: Run) -> None:
    recover_job(claim)
    assert fresh(queued).status == Status.QUEUED
    assert leftovers("here") == []


def test_a_folder_without_a_report_is_queued_again(began: Began, queued: Run) -> None:
    recover_job(began.claim)
    assert fresh(queued).status == Status.QUEUED


@pytest.mark.parametrize("by", ["its node", "the reaper"])
def test_a_silent_run_that_never_began_is_queued_again(claim: Claim, queued: Run, by: str) -> None:
    transition(fresh(queued), Status.NOT_RESPONDING, by=Actor.system("reaper"))
    if by == "its node":
        (left,) = leftovers("here")
        recover_job(left)
    else:
        Job.objects.update(beat_at=timezone.now() - timedelta(seconds=61))
        assert reap() == 1
    assert fresh(queued).status == Status.QUEUED
    assert not Job.objects.held().exists()


def test_a_death_while_the_environment_was_built_is_one_before_it_began(
    began: Began, queued: Run
) -> None:
    # The builder's guard reports in a folder of its own.
    spec = LaunchSpec(
        run_key="test",
        argv=[sys.executable, "-S", "-c", "import time; time.sleep(600)"],
        cwd=began.work,
        env=dict(os.environ),
        folder=began.folder / "environment",
        cookie=began.claim.cookie,
    )
    began.guard = launch(spec)
    wait_until(lambda: find_members(began.claim.cookie), 20)
    began.guard.close()  # what the death of a worker looks like
    recover_job(began.claim)
    assert find_members(began.claim.cookie) == set()
    assert fresh(queued).status == Status.QUEUED
    assert queued.status_reason == "Attempt 2 of 3: its worker ended before it began"
    assert not began.folder.exists()


def test_the_third_attempt_that_never_begins_fails_with_words(claim: Claim, queued: Run) -> None:
    Job.objects.update(n_attempts=3)
    claim.job.refresh_from_db()
    recover_job(claim)
    assert fresh(queued).status == Status.FAILED
    assert "before the run could begin" in queued.status_reason


def test_a_cancelled_job_that_never_began_is_canceled(
    claim: Claim, queued: Run, people: Any
) -> None:
    # The claim was read before the cancel came.
    actions.cancel_run(queued, by=Actor.of_user(people.bob))
    recover_job(claim)
    assert fresh(queued).status == Status.CANCELED
    assert not Job.objects.open().exists()


def test_a_script_that_ended_before_running_was_written_is_judged_by_its_exit(
    began: Began, queued: Run
) -> None:
    guard = began.launch("open('outputs/model', 'w').write('w'); print('trained')")
    assert guard.wait(20)
    recover_job(began.claim)
    assert fresh(queued).status == Status.COMPLETED
    assert find_artifact(queued, "outputs/model") is not None
    assert not began.folder.exists()


def test_a_script_that_was_going_is_gone_and_failed(began: Began, queued: Run) -> None:
    guard = began.launch("import time; print('on'); time.sleep(600)")
    wait_until(lambda: find_members(began.claim.cookie), 20)
    guard.close()  # what the death of a worker looks like
    recover_job(began.claim)
    assert find_members(began.claim.cookie) == set()
    assert fresh(queued).status == Status.FAILED
    assert queued.error["code"] == "Lost"
    assert queued.exit_signal == 15


def test_a_run_that_was_handed_over_is_taken_up_and_not_ended(began: Began, queued: Run) -> None:
    guard = began.launch("import time; print('on'); time.sleep(600)")
    wait_until(lambda: find_members(began.claim.cookie), 20)
    guard.hand_over(60)
    taken = recover_job(began.claim)
    assert taken is not None
    assert taken.poll() is None
    assert fresh(queued).status == Status.STARTING
    taken.close()
    assert guard.wait(20)


def test_a_run_that_was_handed_over_before_its_guard_began_is_taken_up(
    began: Began, queued: Run
) -> None:
    guard = began.launch("import time; time.sleep(600)")
    guard.process.send_signal(signal.SIGSTOP)  # as on a machine that is busy
    guard.hand_over(60)
    later = threading.Timer(1, guard.process.send_signal, [signal.SIGCONT])
    later.start()
    taken = recover_job(began.claim)
    later.join()
    assert taken is not None
    assert fresh(queued).status == Status.STARTING
    taken.close()
    assert guard.wait(20)


def test_a_run_that_nobody_took_up_in_time_is_gone_and_failed(began: Began, queued: Run) -> None:
    guard = began.launch("import time; print('on'); time.sleep(600)")
    wait_until(lambda: find_members(began.claim.cookie), 20)
    guard.hand_over(0.2)
    assert guard.wait(20)
    assert recover_job(began.claim) is None
    assert fresh(queued).status == Status.FAILED
    assert queued.error["code"] == "Lost"


def test_a_guard_that_starts_after_its_worker_died_starts_no_script(
    began: Began, queued: Run
) -> None:
    guard = began.launch("open('started', 'w')")
    guard.close()
    assert guard.wait(20)
    # Either the guard saw it in time and left no trace, or its script was ended.
    if guard.status() is None:
        assert not (began.work / "started").exists()
        recover_job(began.claim)
        assert fresh(queued).status == Status.QUEUED


def test_a_run_finished_by_hand_keeps_its_status_and_its_outputs(
    began: Began, queued: Run, people: Any
) -> None:
    guard = began.launch("open('outputs/model', 'w').write('w')")
    assert guard.wait(20)
    actions.fail_run(queued, by=Actor.of_user(people.bob), reason="wrong data")
    recover_job(began.claim)
    assert fresh(queued).status == Status.FAILED
    assert queued.status_reason == "wrong data"
    assert find_artifact(queued, "outputs/model") is not None
    assert not Job.objects.open().exists()


def test_a_worker_that_lost_its_lease_writes_nothing(began: Began, queued: Run) -> None:
    guard = began.launch("open('outputs/model', 'w').write('w'); print('late')")
    assert guard.wait(20)
    Job.objects.update(lease="another")
    shipper = LogShipper(queued, began.folder / "output.log", by=began.claim.actor)
    with pytest.raises(LeaseLost):
        finish(began.claim, Ending(exit_code=0), shipper=shipper, work=began.work)
    assert fresh(queued).status == Status.STARTING
    assert find_artifact(queued, "outputs/model") is None
    assert find_artifact(queued, "logs/output.txt") is None
    assert Job.objects.open().exists()


def test_any_bytes_in_a_traceback_can_be_stored(began: Began, queued: Run) -> None:
    guard = began.launch("raise ValueError('nul \\0 and surrogate \\udc80')")
    assert guard.wait(20)
    recover_job(began.claim)
    assert fresh(queued).status == Status.FAILED
    assert "ValueError: nul" in queued.error["message"]


def test_children_of_the_script_end_with_it_and_submitted_ones_live_on(
    began: Began, queued: Run
) -> None:
    made_here = make.run(queued.experiment, parent=queued)
    below = make.run(queued.experiment, parent=made_here)
    submit = actions.Submission(target="local", snapshot="", script="other.py")
    own_process = make.run(queued.experiment, parent=queued, submit=submit, start=False)
    its_child = make.run(queued.experiment, parent=own_process)
    guard = began.launch("")
    assert guard.wait(20)
    recover_job(began.claim)
    assert fresh(queued).status == Status.COMPLETED
    assert [fresh(run).status for run in (made_here, below)] == [Status.FAILED] * 2
    assert fresh(own_process).status == Status.QUEUED
    assert fresh(its_child).status == Status.RUNNING

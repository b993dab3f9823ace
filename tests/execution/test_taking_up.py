"""A run that a worker takes up or hands over: what it knows of it, and for how long."""

import os
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from studio.accounts.permissions import Actor
from studio.compute.launcher import GuardHandle, GuardStatus, LaunchSpec, find_members, launch
from studio.compute.models import Job, Target, Worker
from studio.execution.agent import Agent
from studio.execution.claims import Claim, claim_next
from studio.execution.clearing import end_closed
from studio.execution.reaper import reap
from studio.execution.recovery import take_up
from studio.execution.supervisor import TIME_LIMIT, Supervisor
from studio.runs import actions
from studio.runs.lifecycle import transition
from studio.runs.models import Run
from studio.runs.status import Status
from tests.waiting import wait_until

pytestmark = [pytest.mark.django_db, pytest.mark.data]


@pytest.fixture
def claim(worker: Worker, queued: Run, tmp_path: Path) -> Claim:
    found = claim_next(worker)
    assert found is not None
    found.job.folder = str(tmp_path / "run")
    found.job.save()
    return found


@pytest.fixture
def guard(claim: Claim) -> Iterator[GuardHandle]:
    """That of a script which goes on until it is ended."""
    folder = Path(claim.job.folder)
    (folder / "work").mkdir(parents=True)
    source = "open('ready', 'w').close()\nimport time; time.sleep(600)"
    spec = LaunchSpec(
        run_key="test",
        argv=[sys.executable, "-S", "-c", source],
        cwd=folder / "work",
        env=dict(os.environ),
        folder=folder,
        log_file=folder / "output.log",
        cookie=claim.cookie,
    )
    made = launch(spec)
    wait_until((folder / "work" / "ready").exists, 20)
    yield made
    made.close()
    made.process.kill()
    made.process.wait(20)
    made.sweep()


def holder(claim: Claim, guard: GuardHandle | None) -> Supervisor:
    return Supervisor(claim, on_end=lambda _: None, guard=guard)


def test_a_run_is_handed_over_for_less_than_its_targets_silence_limit(
    claim: Claim, guard: GuardHandle, settings: Any
) -> None:
    settings.HANDOVER_S = 300
    Target.objects.update(lost_after_s=0.2)
    claim.job.target.refresh_from_db()
    holder(claim, guard).leave()
    assert guard.was_handed_over
    assert guard.wait(20)
    assert Job.objects.open().exists()


def test_a_run_is_heard_from_the_moment_it_is_taken_up(
    claim: Claim, guard: GuardHandle, worker: Worker, queued: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    transition(queued, Status.RUNNING, by=claim.actor, lease=claim.lease)
    then = timezone.now() - timedelta(seconds=700)
    Job.objects.update(started_at=then, beat_at=then)
    Run.objects.update(last_beat_at=then, status_at=then, status=Status.NOT_RESPONDING)
    guard.hand_over(60)
    agent = Agent("local", n_slots=1, node=worker.node)
    taken: list[Supervisor] = []
    monkeypatch.setattr(agent, "_supervise", taken.append)
    waiting = wait_until(lambda: take_up(claim), 5)
    agent._recover_one(claim, lambda _: waiting)
    assert taken[0].guard is not None
    assert reap() == 0
    queued.refresh_from_db()
    assert queued.status == Status.RUNNING
    taken[0].guard.close()


def test_a_slot_becomes_free_though_something_can_not_be_put_away(
    claim: Claim, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ended: list[Supervisor] = []
    supervisor = Supervisor(claim, on_end=ended.append)

    def refused() -> None:
        raise PermissionError("read-only")

    monkeypatch.setattr(supervisor.build, "let_go", refused)
    monkeypatch.setattr(connection, "close", lambda: None)  # here it is the test's own
    supervisor.stop()
    supervisor.run()
    assert ended == [supervisor]
    assert "not put away" in caplog.text
    assert Run.objects.get().status == Status.QUEUED


@pytest.mark.parametrize("was_taken_up", [True, False])
def test_a_script_that_obeyed_a_cancel_before_it_was_taken_up_is_canceled(
    claim: Claim, guard: GuardHandle, queued: Run, people: Any, was_taken_up: bool
) -> None:
    # The cancel was read with the claim, or came to an earlier worker alone.
    transition(queued, Status.RUNNING, by=claim.actor, lease=claim.lease)
    actions.cancel_run(queued, by=Actor.of_user(people.bob))
    if was_taken_up:
        claim.job.refresh_from_db()
    guard.cancel()
    assert guard.wait(20)
    supervisor = holder(claim, guard)
    ending = supervisor._watch(guard)
    assert ending is not None
    supervisor._finish(ending)
    queued.refresh_from_db()
    assert queued.status == Status.CANCELED
    assert queued.status_reason.startswith("Ended when it was interrupted")


def test_a_run_over_its_time_is_told_so_by_whoever_took_it_up(
    claim: Claim, guard: GuardHandle, queued: Run
) -> None:
    claim.job.max_duration_s = 5
    transition(queued, Status.RUNNING, by=claim.actor, lease=claim.lease)
    actions.cancel_run(queued, by=TIME_LIMIT)
    guard.cancel()
    assert guard.wait(20)
    claim.run.refresh_from_db()
    ending = holder(claim, guard)._watch(guard)
    assert ending is not None
    assert ending.timed_out_after_s == 5


def test_the_countdown_of_a_cancel_goes_on_when_the_run_is_taken_up(
    claim: Claim, guard: GuardHandle
) -> None:
    since = timezone.now() - timedelta(seconds=9)
    Job.objects.update(cancel_step="interrupting", cancel_step_at=since)
    claim.job.refresh_from_db()
    holder(claim, guard)._note_step(GuardStatus(state="interrupting"))
    assert Job.objects.get().cancel_step_at == since


def test_a_handover_may_be_asked_for_while_the_asker_holds_the_list_of_runs(
    claim: Claim, worker: Worker
) -> None:
    agent = Agent("local", n_slots=1, node=worker.node)
    supervisor = agent.supervisors[claim.lease] = holder(claim, None)
    asked = threading.Thread(target=lambda: within(agent), daemon=True)
    asked.start()
    asked.join(20)
    assert not asked.is_alive()
    assert supervisor._is_handed_over


def within(agent: Agent) -> None:
    """What a signal does that comes in the midst of it."""
    with agent.lock:
        agent.begin_handover()


def test_a_silent_run_that_its_worker_did_not_begin_is_queued_again(
    claim: Claim, queued: Run
) -> None:
    transition(queued, Status.NOT_RESPONDING, by=Actor.system("reaper"))
    supervisor = holder(claim, None)
    supervisor.stop()
    assert supervisor._not_begun() is None
    queued.refresh_from_db()
    assert queued.status == Status.QUEUED


@pytest.mark.parametrize("how_left", ["closed", "open", "elsewhere", "kept"])
def test_what_is_left_of_a_run_that_was_closed_meanwhile_is_ended(
    claim: Claim, guard: GuardHandle, queued: Run, settings: Any, how_left: str
) -> None:
    folder = Path(claim.job.folder)
    settings.STUDIO_RUNS_DIR = folder.parent
    guard.hand_over(60)
    if how_left != "open":
        Job.objects.update(closed_at=timezone.now())
    if how_left == "kept":
        actions.warn_run(queued, f"Some files could not be stored; they are kept in {folder}")
    is_ended = how_left == "closed"
    assert end_closed("there" if how_left == "elsewhere" else "here") == is_ended
    assert folder.exists() is not is_ended
    assert bool(find_members(claim.cookie)) is not is_ended


def test_a_closed_run_that_is_held_here_is_left_to_its_holder(
    claim: Claim, guard: GuardHandle, settings: Any
) -> None:
    settings.STUDIO_RUNS_DIR = Path(claim.job.folder).parent
    Job.objects.update(closed_at=timezone.now())
    assert end_closed("here", held={claim.lease}) == 0
    assert guard.poll() is None

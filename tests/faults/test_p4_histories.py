"""Whatever people, programs, workers, the reaper and the clock do, in any order: each run's history
is legal, ends once, and takes its job and its tokens with it. STUDIO_FAULTS=long walks 10,000 runs.
"""

import os
from collections import defaultdict
from itertools import pairwise
from typing import Any

import pytest
from django.db import transaction

from studio.compute.actions import ensure_local_target
from studio.runs.models import Run, RunEvent
from studio.runs.status import ALLOWED, TERMINAL, Status
from tests.faults.status_world import World

pytestmark = [pytest.mark.django_db, pytest.mark.data]

LONG = os.environ.get("STUDIO_FAULTS") == "long"
N_RUNS = int(os.environ.get("N_RUNS", "0")) or (10_000 if LONG else 150)
RUNS_OF_A_WORLD = 6
N_STEPS = 45
# Nothing has begun: no process is silent, so nobody closes them.
NOT_BEGUN = {Status.NOT_STARTED, Status.QUEUED}
ASKED = {Status.CANCEL_REQUESTED, *TERMINAL}


def check_histories(world: World) -> None:
    """Each recorded move is one that the machine allows, and the last one is the run's status."""
    told: dict[int, list[Any]] = defaultdict(list)
    rows = RunEvent.objects.filter(run__uid__in=world.uids, kind="status").order_by("pk")
    for run_id, before, after, message in rows.values_list("run_id", "before", "after", "message"):
        told[run_id].append((before, after, message))
    for run in world.runs():
        moves, where = told[run.pk], f"run {world.uids.index(run.uid)}: {told[run.pk]}"
        assert moves[0][0] is None, where
        assert moves[-1][1] == run.status, where
        for (_, earlier, _), (before, after, message) in pairwise(moves):
            assert before == earlier, where
            is_mark = (before, after) == (Status.COMPLETED, Status.FAILED)
            assert is_mark or after in ALLOWED[Status(before)], where
            assert not is_mark or message, where
            assert message != "Never started" or moves[0][1] == Status.NOT_STARTED, where
        ends = [after for _, after, _ in moves if after in TERMINAL]
        assert ends in ([], *([end] for end in TERMINAL), [Status.COMPLETED, Status.FAILED]), where


def check_rows(world: World) -> None:
    """The columns of a run, its job and its tokens say the same as its status."""
    live = world.live_tokens()
    for run in world.runs():
        where = f"run {world.uids.index(run.uid)} is {run.status}"
        assert (run.ended_at is not None) == run.is_terminal, where
        assert run.duration_s is None or run.duration_s >= 0, where
        is_asked = run.status in ASKED or run.status_before_silence in ASKED
        assert run.cancel_requested_at is None or is_asked, f"{where}, its cancel was forgotten"
        if run.job is None:
            continue
        is_held = bool(run.job.lease)
        assert run.job.closed_at is None or run.is_terminal, f"{where}, its job is closed"
        assert not run.is_terminal or run.job.closed_at or run.job.cancel_requested_at, where
        assert is_held or run.job.closed_at or run.status == Status.QUEUED, f"{where}, unheld"
        assert run.uid not in live or not run.job.closed_at, f"{where}, its token lives"


def check_end(world: World) -> None:
    """Nothing that had begun is left, and no job of an ended run."""
    for run in world.runs():
        where = f"run {world.uids.index(run.uid)} stayed {run.status}"
        assert run.is_terminal or run.status in NOT_BEGUN, where
        assert run.job is None or bool(run.job.closed_at) == run.is_terminal, f"{where}: its job"


def walk(seed: int, experiment: Any, people: Any) -> None:
    world = World(seed, experiment, people, ensure_local_target())
    try:
        for _ in range(N_STEPS):
            world.step()
            check_histories(world)
            check_rows(world)
        world.drain()
        check_histories(world)
        check_rows(world)
        check_end(world)
    except Exception as error:
        trail = "\n".join(world.trail)
        raise AssertionError(f"seed {seed} after\n{trail}\n{error}") from error


def test_no_history_is_illegal(experiment: Any, people: Any) -> None:
    for seed in range(N_RUNS // RUNS_OF_A_WORLD):
        with transaction.atomic():
            walk(seed, experiment, people)
            transaction.set_rollback(True)
    assert not Run.objects.exists()

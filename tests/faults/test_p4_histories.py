"""Whatever people, programs, workers, the reaper and the clock do, in any order: each run's history
is legal, ends once, and takes its job and its tokens with it. STUDIO_FAULTS=long walks 10,000 runs.
"""

import os
from typing import Any

import pytest
from django.db import transaction

from studio.compute.actions import ensure_local_target
from studio.runs.models import Run
from tests.faults.histories import check
from tests.faults.status_world import World

pytestmark = [pytest.mark.django_db, pytest.mark.data]

N_RUNS = 10_000 if os.environ.get("STUDIO_FAULTS") == "long" else 48
RUNS_OF_A_WORLD = 6
N_STEPS = 45


def walk(seed: int, experiment: Any, people: Any) -> None:
    world = World(seed, experiment, people, ensure_local_target())
    try:
        for _ in range(N_STEPS):
            world.step()
            check(world.uids)
        world.drain()
        check(world.uids, is_over=True)
    except Exception as error:
        trail = "\n".join(world.trail)
        raise AssertionError(f"seed {seed} after\n{trail}\n{error}") from error


def test_no_history_is_illegal(experiment: Any, people: Any) -> None:
    for seed in range(N_RUNS // RUNS_OF_A_WORLD):
        with transaction.atomic():
            walk(seed, experiment, people)
            transaction.set_rollback(True)
    assert not Run.objects.exists()

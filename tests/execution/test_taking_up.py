"""A run that a worker takes up or hands over: what it knows of it, and for how long."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.compute.launcher import GuardHandle, LaunchSpec, launch
from studio.compute.models import Job, Target, Worker
from studio.execution.claims import Claim, claim_next
from studio.execution.supervisor import Supervisor
from studio.runs.models import Run
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

"""P4: of everything that ends a run at the same moment, one wins, and the others are refused."""

import os
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from studio.accounts.permissions import Actor
from studio.compute.actions import ensure_local_target
from studio.compute.models import Job, Worker
from studio.execution.claims import Claim, claim_next
from studio.execution.reaper import reap
from studio.execution.supervisor import Supervisor
from studio.execution.verdict import Ending
from studio.runs import actions
from studio.runs.actions import NewRun, keeping
from studio.runs.history import Refused
from studio.runs.lifecycle import InvalidTransition, LeaseLost
from studio.runs.models import Run
from studio.runs.status import TERMINAL
from tests import make
from tests.faults.histories import check
from tests.faults.status_world import SUBMIT

pytestmark = [pytest.mark.data, pytest.mark.django_db(transaction=True)]

N_ROUNDS = 500 if os.environ.get("STUDIO_FAULTS") == "long" else 12
PATIENCE_S = 60
REFUSALS = (InvalidTransition, LeaseLost, Refused)
Deed = Callable[[Run, Actor], object]


def told_by_worker(claim: Claim | None) -> Deed:
    """The worker that holds the run says that its process ended well; without one, a beat."""
    if claim is None:
        return lambda run, by: actions.start_run(run, by=by)
    supervisor = Supervisor(claim, on_end=lambda _: None)
    return lambda run, by: supervisor._finish(Ending(exit_code=0))


def deeds(claim: Claim | None) -> list[Deed]:
    return [
        lambda run, by: actions.complete_run(run, by=by),
        lambda run, by: actions.fail_run(run, by=by),
        lambda run, by: actions.cancel_run(run, by=by),
        lambda run, by: actions.cancel_runs(run.workspace, [run], by=by),
        lambda run, by: actions.confirm_canceled(run, by=by),
        lambda run, by: keeping.delete_run(run, by=by, cancel=True),
        lambda run, by: reap(),
        told_by_worker(claim),
    ]


def submitted(experiment: Any, by: Actor, at: int) -> tuple[Run, Claim | None]:
    """By turns a queued run, one that a worker holds, and one whose worker was lost."""
    run = actions.create_run(experiment, NewRun(submit=SUBMIT), by=by)
    actions.create_run(experiment, NewRun(start=True), by=by, parent=run)
    if at % 3 == 0:
        return run, None
    worker = Worker.objects.create(
        node=f"n{at}", host="h", pid=1, target=ensure_local_target(), n_slots=1
    )
    claim = claim_next(worker)
    if at % 3 == 2:
        Job.objects.filter(run=run).update(beat_at=timezone.now() - timedelta(seconds=90))
    return run, claim


def all_at_once(does: list[Deed], run: Run, by: Actor) -> list[Exception]:
    """Each in a thread of its own, with a copy that was read before; what went wrong beside
    refusals."""
    gate, wrong = threading.Barrier(len(does), timeout=PATIENCE_S), []

    def act(deed: Deed) -> None:
        copy = Run.objects.for_detail().get(pk=run.pk)
        gate.wait()
        try:
            deed(copy, by)
        except REFUSALS:
            pass
        except Exception as error:
            wrong.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=act, args=(deed,)) for deed in does]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    return wrong


def test_of_eight_that_end_a_run_at_once_one_wins(experiment: Any, people: Any) -> None:
    by = make.actor(people.bob)
    for at in range(N_ROUNDS):
        run, claim = submitted(experiment, by, at)
        wrong = all_at_once(deeds(claim), run, by)

        assert wrong == [], at
        family = [run.uid, run.children.get().uid]
        check(family)
        run.refresh_from_db()
        assert run.status in TERMINAL, (at, run.status)

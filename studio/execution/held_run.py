"""What a worker writes about a run that it holds, fenced by its lease."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from studio.accounts.models import Scope, new_token
from studio.compute.launcher import GuardStatus
from studio.compute.models import Job
from studio.execution.claims import Claim, still_held
from studio.execution.ladder import SIGNALS, ladder_of, note_steps
from studio.runs.lifecycle import LeaseLost, beat, transition
from studio.runs.status import Status
from studio.runs.turn import in_turn

logger = logging.getLogger(__name__)

T = TypeVar("T")


class HeldRun:
    """A run whose job is claimed. Every write fails, or changes nothing, once somebody else holds
    it."""

    claim: Claim
    _step = ""  # of a cancel, as the page shows it

    def _own_job(self) -> QuerySet[Job]:
        return Job.objects.open().filter(pk=self.claim.job.pk, lease=self.claim.lease)

    def _come_back(self) -> None:
        """Read the run anew, as it was before it went silent: its worker is here."""
        run = self.claim.run
        run.refresh_from_db()
        if run.status == Status.NOT_RESPONDING and still_held(self.claim):
            beat(run)
            run.refresh_from_db()

    def _move(self, to: Status) -> None:
        """Move the run, which may have stopped responding or, after a broken connection, may be
        there already."""
        run = self.claim.run
        self._come_back()
        if run.status != to:
            transition(run, to, by=self.claim.actor, lease=self.claim.lease)

    def _persist(self, write: Callable[[], T]) -> T:
        """Do a database write, however long the database is away (the process goes on)."""
        wait_s = 0.5
        while True:
            try:
                return write()
            except (OperationalError, InterfaceError) as error:
                logger.warning("database away run=%s error=%s", self.claim.run.uid, error)
                connection.close()
                time.sleep(wait_s)
                wait_s = min(wait_s * 2, 10.0)

    def _new_secret(self) -> str:
        run = self.claim.run
        if run.submitter is None:
            raise ValueError("its submitter's account is gone")
        with transaction.atomic():
            # Whoever takes the job away ends the tokens of its run: none may be made after that.
            if not self._own_job().select_for_update().exists():
                raise LeaseLost(f"run {run.uid} was taken from this worker")
            _, secret = new_token(
                run.submitter,
                name=f"run {run.short_uid}",
                scope=Scope.WRITE,
                workspace=run.workspace,
                run_uid=run.uid,
            )
        return secret

    def _note_step(self, status: GuardStatus | None) -> None:
        """Make the steps of a cancel visible on the page as they happen."""
        step = status.state if status and status.state in SIGNALS else ""
        if step == self._step:
            return
        self._step = step
        try:
            with in_turn():
                if status is not None and status.reason is not None:
                    note_steps(self.claim, ladder_of(status).steps)
                # By the database's clock: pages count down from here.
                if not self._own_job().update(cancel_step=step, cancel_step_at=Now()):
                    transaction.set_rollback(True)
        except (DatabaseError, InterfaceError) as error:
            logger.warning("step not shown run=%s because=%s", self.claim.run.uid, error)

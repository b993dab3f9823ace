"""One thread per run on a worker: prepares the folder, starts the guard, watches, closes."""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection
from django.utils import timezone

from studio.accounts.models import Scope, new_token
from studio.artifacts import snapshots
from studio.compute.launcher import GuardHandle, GuardStatus, LaunchSpec, launch
from studio.compute.models import Job
from studio.compute.workdir import materialise
from studio.execution.claims import Claim
from studio.execution.closing import finish, tail_of
from studio.execution.environment import command, variables
from studio.execution.shipping import LogShipper
from studio.execution.verdict import Ending
from studio.runs.lifecycle import InvalidTransition, LeaseLost, transition
from studio.runs.status import Status

logger = logging.getLogger(__name__)

LOOP_S = 0.2
STOP_GRACE_S = 5.0
STEPS = {"interrupting", "terminating", "killing"}


class Supervisor(threading.Thread):
    """Runs one claimed job to its end. `cancel`, `kill`, `stop` and `abandon` may be called from
    any thread."""

    def __init__(self, claim: Claim, *, on_end: Callable[["Supervisor"], None]) -> None:
        super().__init__(name=f"run-{claim.run.uid[:8]}", daemon=True)
        self.claim = claim
        self.on_end = on_end
        self.folder = Path(settings.STUDIO_RUNS_DIR) / f"{claim.job.pk}-{claim.lease[:8]}"
        self.work = self.folder / "work"
        self.log_file = self.folder / "output.log"
        self.shipper = LogShipper(claim.run, self.log_file, by=claim.actor)
        self.guard: GuardHandle | None = None
        self.wanted = threading.Event()
        self._cancel = self._kill = self._stopping = self._abandoned = False
        self._timed_out = False
        self._step = ""

    # ------------------------------------------------------------ asked from other threads
    def cancel(self) -> None:
        self._cancel = True
        self.wanted.set()

    def kill(self) -> None:
        self._cancel = self._kill = True
        self.wanted.set()

    def stop(self) -> None:
        """The worker shuts down: end the process within seconds."""
        self._stopping = True
        self.wanted.set()

    def abandon(self) -> None:
        """Another worker holds the job now: kill the process and write nothing."""
        self._abandoned = True
        self.wanted.set()

    # ------------------------------------------------------------ the thread
    def run(self) -> None:
        try:
            ending = self._execute()
            if not self._abandoned:
                self._persist(lambda: self._finish(ending))
        except LeaseLost as lost:
            logger.warning("%s", lost)
            self._abandoned = True
        except Exception:
            logger.exception("supervisor failed run=%s", self.claim.run.uid)
            self._persist(lambda: self._finish(Ending(lost="The worker failed; see its log")))
        finally:
            self._drop_guard()
            connection.close()
            self.on_end(self)

    def _execute(self) -> Ending:
        """From Starting to the end of the process tree."""
        try:
            self._persist(lambda: self._move(Status.PREPARING))
            spec = self._prepare()
        except (OSError, snapshots.SnapshotError, ValueError) as error:
            return Ending(could_not_start=str(error), was_cancelled=self._cancel)
        except InvalidTransition:
            # Cancelled between the claim and now: nothing was started.
            return Ending(was_cancelled=True)
        if self._cancel or self._stopping:
            return Ending(was_cancelled=self._cancel, stopped_by_worker=self._stopping)
        self.guard = launch(spec)
        self._persist(self._note_started)
        return self._watch(self.guard)

    def _prepare(self) -> LaunchSpec:
        job, run = self.claim.job, self.claim.run
        self.folder.mkdir(parents=True, mode=0o700)
        self.work.mkdir()
        Job.objects.filter(pk=job.pk, lease=self.claim.lease).update(folder=str(self.folder))
        job.folder = str(self.folder)
        if job.snapshot:
            files = snapshots.files_of(run.workspace, job.snapshot)
            materialise(files, snapshots.opener(run.workspace), self.work)
        (self.work / "outputs").mkdir(exist_ok=True)
        (self.work / "logs").mkdir(exist_ok=True)
        if run.submitter is None:
            raise ValueError("its submitter's account is gone")
        _, secret = new_token(
            run.submitter,
            name=f"run {run.short_uid}",
            scope=Scope.WRITE,
            workspace=run.workspace,
            run_uid=run.uid,
        )
        return LaunchSpec(
            run_key=run.uid,
            argv=command(job.argv, job.environment),
            cwd=self.work,
            env=variables(job.environment, secret=secret, target=job.target.name),
            folder=self.folder,
            log_file=self.log_file,
            cookie=self.claim.cookie,
            grace_s=job.grace_s,
        )

    def _note_started(self) -> None:
        now = timezone.now()
        Job.objects.filter(pk=self.claim.job.pk, lease=self.claim.lease).update(
            started_at=now, beat_at=now
        )
        try:
            self._move(Status.RUNNING)
        except InvalidTransition as refused:
            # CancelRequested arrived first; the watch loop delivers it.
            logger.info("not running run=%s because=%s", self.claim.run.uid, refused)

    def _watch(self, guard: GuardHandle) -> Ending:
        """Ship the log, deliver requests, mind the longest run time, until the tree is gone."""
        began = time.monotonic()
        longest_s = self.claim.job.max_duration_s
        while guard.poll() is None:
            self._deliver(guard)
            if longest_s is not None and time.monotonic() - began > longest_s:
                self._timed_out = True
                guard.cancel()
            self.shipper.ship()
            self._note_step(guard.status())
            self.wanted.wait(LOOP_S)
            self.wanted.clear()
        return self._ending(guard)

    def _deliver(self, guard: GuardHandle) -> None:
        if self._abandoned or self._kill:
            guard.kill()
        elif self._stopping:
            # People wait for Ctrl-C: the short grace of a shutdown, not the run's own.
            guard.cancel()
            if self._step_age_s() > STOP_GRACE_S:
                guard.kill()
        elif self._cancel:
            guard.cancel()

    def _step_age_s(self) -> float:
        if not hasattr(self, "_stop_began"):
            self._stop_began = time.monotonic()
        return time.monotonic() - self._stop_began

    def _note_step(self, status: GuardStatus | None) -> None:
        """Make the steps of a cancel visible on the page as they happen."""
        step = status.state if status and status.state in STEPS else ""
        if step == self._step:
            return
        self._step = step
        try:
            Job.objects.filter(pk=self.claim.job.pk, lease=self.claim.lease).update(
                cancel_step=step, cancel_step_at=timezone.now()
            )
        except DatabaseError as error:
            logger.warning("step not shown run=%s because=%s", self.claim.run.uid, error)

    def _ending(self, guard: GuardHandle) -> Ending:
        status = guard.status()
        if status is None or not status.is_over:
            guard.sweep()
            return Ending(
                lost="The guard process of the run was killed",
                was_cancelled=self._cancel,
                stopped_by_worker=self._stopping,
                log_tail=tail_of(self.log_file),
            )
        interrupted = status.reason is not None
        return Ending(
            exit_code=status.exit_code,
            exit_signal=status.exit_signal,
            was_cancelled=self._cancel and interrupted,
            timed_out_after_s=self.claim.job.max_duration_s if self._timed_out else None,
            could_not_start=status.error or "",
            stopped_by_worker=self._stopping and interrupted,
            log_tail=tail_of(self.log_file),
        )

    def _finish(self, ending: Ending) -> None:
        finish(self.claim, ending, shipper=self.shipper, work=self.work)

    def _move(self, to: Status) -> None:
        transition(self.claim.run, to, by=self.claim.actor, lease=self.claim.lease)

    def _persist(self, write: Callable[[], None]) -> None:
        """Do a database write, however long the database is away (the process goes on)."""
        wait_s = 0.5
        while True:
            try:
                return write()
            except DatabaseError as error:
                logger.warning("database away run=%s error=%s", self.claim.run.uid, error)
                close_old_connections()
                connection.close()
                time.sleep(wait_s)
                wait_s = min(wait_s * 2, 10.0)

    def _drop_guard(self) -> None:
        if self.guard is not None:
            self.guard.close()

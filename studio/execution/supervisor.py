"""One thread per run on a worker: prepares the folder, starts the guard, watches, closes."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.db.models.functions import Now

from studio.accounts.permissions import Actor
from studio.artifacts import snapshots
from studio.blobs import BlobError
from studio.compute.launcher import GuardLink, LaunchSpec, launch
from studio.compute.requirements import RequirementsError
from studio.compute.workdir import materialise
from studio.execution import late
from studio.execution.building import EnvironmentBuild, EnvironmentFailed, ending_of, is_own
from studio.execution.claims import Claim, give_back, still_held
from studio.execution.closing import finish, tail_of, tidy_up
from studio.execution.environment import Interpreter, command, variables
from studio.execution.held_run import HeldRun
from studio.execution.ladder import ladder_of
from studio.execution.memory import memory_of
from studio.execution.monitoring import RunMonitor
from studio.execution.shipping import LogShipper
from studio.execution.silence import time_limit_words
from studio.execution.verdict import Ending
from studio.logbook import note_run
from studio.runs.actions import cancel_run
from studio.runs.lifecycle import InvalidTransition, LeaseLost
from studio.runs.status import Status

logger = logging.getLogger(__name__)

LOOP_S = 0.2
STOP_GRACE_S = 5.0
GUARD_ENDS_WITHIN_S = 10.0
TIME_LIMIT = Actor.system("time limit")


class Interrupted(Exception):
    """Somebody asked to stop before the script was started."""


class Supervisor(HeldRun, threading.Thread):
    """Runs one claimed job to its end, from its start or, given the `guard` that an earlier worker
    handed over, from where it is. `cancel`, `kill`, `stop`, `leave` and `abandon` may be called
    from any thread, more than once."""

    def __init__(
        self,
        claim: Claim,
        *,
        on_end: Callable[["Supervisor"], None],
        guard: GuardLink | None = None,
    ) -> None:
        super().__init__(name=f"run-{claim.run.uid[:8]}", daemon=True)
        self.claim = claim
        self.on_end = on_end
        made = Path(settings.STUDIO_RUNS_DIR) / f"{claim.job.pk}-{claim.lease[:8]}"
        self.folder = made if guard is None else guard.folder
        self.work = self.folder / "work"
        self.log_file = self.folder / "output.log"
        self.shipper = LogShipper(claim.run, self.log_file, by=claim.actor)
        # That of the script, before it that of the environment's installer.
        self.guard: GuardLink | None = guard
        self.build = EnvironmentBuild(claim, folder=self.folder, work=self.work)
        self._is_building = False
        self.wanted = threading.Event()
        self._cancel = self._kill = self._abandoned = self._timed_out = self._left = False
        self._stop_at: float | None = None  # monotonic; when the worker began to shut down
        if guard is not None:
            self._go_on_from(claim)

    def _go_on_from(self, claim: Claim) -> None:
        """Know what an earlier worker was asked and did."""
        self._hear(claim.job.cancel_requested_at, claim.job.kill_requested_at)
        self._timed_out = claim.run.cancel_requested_by == TIME_LIMIT.name
        self._step = claim.job.cancel_step

    def _hear(self, cancel_at: datetime | None, kill_at: datetime | None) -> None:
        self._cancel = self._cancel or cancel_at is not None
        self._kill = self._kill or kill_at is not None

    def _hear_late(self) -> None:
        """What was asked and not delivered: an earlier worker, or the script, may have obeyed."""
        asked = self._own_job().values_list("cancel_requested_at", "kill_requested_at").first()
        self._hear(*(asked or (None, None)))

    # ------------------------------------------------------------ asked from other threads
    def cancel(self) -> None:
        self._cancel = True
        self._pass_on()

    def kill(self) -> None:
        self._cancel = self._kill = True
        self._pass_on()

    def stop(self) -> None:
        """The worker shuts down: end the process within seconds."""
        self._stop_at = self._stop_at or time.monotonic()
        self._pass_on()

    def leave(self) -> None:
        """The worker is replaced: the process goes on, and the next worker takes it up."""
        self._left = True
        self._pass_on()

    def abandon(self) -> None:
        """Another worker holds the job now, or it was closed: kill the process, write nothing."""
        self._abandoned = True
        self._pass_on()

    @property
    def _is_handed_over(self) -> bool:
        """Whether the process goes on without this worker. An installer does not: the next worker
        begins anew."""
        return self._left and not self._abandoned and not self._is_building

    def _pass_on(self) -> None:
        # Not only in the thread of the run: that one may be waiting for the database.
        guard = self.guard  # once: the thread of the run may let go of it meanwhile
        if guard is not None:
            self._deliver(guard)
        self.wanted.set()

    # ------------------------------------------------------------ the thread
    def run(self) -> None:
        note_run(self.claim.run.uid)
        try:
            ending = self._execute()
            if ending is not None:
                self._persist(partial(self._finish, ending))
        except LeaseLost as lost:
            logger.warning("%s", lost)
            self._abandoned = True
        except Exception:
            # The job is still open: the agent recovers it by what its guard reports.
            logger.exception("supervisor failed run=%s", self.claim.run.uid)
        finally:
            for last in (self._end_processes, self.build.let_go, self._tidy_up, connection.close):
                self._attempt(last)
            self.on_end(self)

    def _attempt(self, last: Callable[[], None]) -> None:
        try:
            last()
        except Exception:
            # The slot must become free, whatever can't be put away.
            logger.exception("not put away run=%s", self.claim.run.uid)

    def _tidy_up(self) -> None:
        if self._abandoned:
            tidy_up(self.folder)

    def _execute(self) -> Ending | None:
        """From Starting to the end of the process tree; None when the job was given back or handed
        over."""
        if self.guard is None:
            try:
                self.guard = self._begin()
            except (InvalidTransition, Interrupted):
                return self._not_begun()
            except EnvironmentFailed as error:
                return ending_of(error)
            except RequirementsError as error:
                return ending_of(EnvironmentFailed(str(error)))
            except (OSError, snapshots.SnapshotError, BlobError, ValueError) as error:
                return Ending(could_not_start=self._explain(error), was_cancelled=self._cancel)
        self._persist(self._note_running)
        monitor = RunMonitor(self.claim, pid=self.guard.guard_pid, folder=self.work)
        if settings.MONITOR_S > 0:
            monitor.start()
        try:
            return self._watch(self.guard)
        finally:
            monitor.stop()

    def _begin(self) -> GuardLink:
        self._persist(partial(self._move, Status.PREPARING))
        spec = self._prepare()
        # Written first: a job without this mark never began, and may be queued again.
        self._persist(self._mark_started)
        return launch(spec)

    def _not_begun(self) -> Ending | None:
        reason = "The worker was shut down before it began"
        if self._timed_out:
            return Ending(timed_out_after_s=self.claim.job.max_duration_s)
        if (self._stop_at is None and not self._left) or self._cancel:
            return Ending(was_cancelled=True)
        try:
            self._persist(self._come_back)
            if self._persist(lambda: give_back(self.claim, reason=reason, is_planned=True)):
                tidy_up(self.folder)
                return None
        except InvalidTransition:
            return Ending(was_cancelled=True)
        return Ending(stopped_by_worker=True)

    def _explain(self, error: Exception) -> str:
        if isinstance(error, OSError) and error.strerror:
            return f"{error.strerror} ({error.filename or self.folder})"
        return str(error)

    def _mind_requests(self) -> None:
        if self._abandoned:
            raise LeaseLost(f"run {self.claim.run.uid} was taken from this worker")
        if self._cancel or self._timed_out or self._stop_at is not None or self._left:
            raise Interrupted

    # ------------------------------------------------------------ before the process
    def _prepare(self) -> LaunchSpec:
        job, run = self.claim.job, self.claim.run
        self.folder.mkdir(parents=True, mode=0o700)
        self.work.mkdir()
        job.folder = str(self.folder)
        self._persist(lambda: self._own_job().update(folder=job.folder))
        if job.snapshot:
            files = self._persist(lambda: snapshots.files_of(run.workspace, job.snapshot))
            materialise(files, self._open_source, self.work)
        (self.work / "outputs").mkdir(exist_ok=True)
        (self.work / "logs").mkdir(exist_ok=True)
        python = Interpreter() if is_own(job.environment) else self._build_environment()
        secret = self._persist(lambda: late.new_secret(self.claim))
        self._mind_requests()
        return LaunchSpec(
            run_key=run.uid,
            argv=command(job.argv, python.path, is_command=bool(job.environment.get("is_command"))),
            cwd=self.work,
            env=variables(
                job.environment,
                secret=secret,
                target=job.target.name,
                python=python,
                spool=str(self.folder / late.FOLDER),
            ),
            folder=self.folder,
            log_file=self.log_file,
            cookie=self.claim.cookie,
            grace_s=job.grace_s,
            keeps=self.build.keeps,
        )

    def _build_environment(self) -> Interpreter:
        """The Python of the run, within its longest run time. Raises EnvironmentFailed,
        RequirementsError, Interrupted, LeaseLost."""
        self._mind_requests()
        self._persist(self.build.name_log)
        began, guard = time.monotonic(), self.build.start()
        # First: from then on another thread may hand over what it finds in `guard`.
        self._is_building = True
        self.guard = guard
        try:
            while guard.poll() is None:
                self._deliver(guard)
                self._mind_time(time.monotonic() - began, guard)
                self.build.follow()
                self.wanted.wait(LOOP_S)
                self.wanted.clear()
        finally:
            self._end_processes()
            self.guard = None
            self._is_building = False
        self._persist(self.build.close_log)
        self._mind_requests()
        return self.build.result(guard)

    def _open_source(self, digest: str) -> BinaryIO:
        self._mind_requests()  # a large source must not delay a cancel
        return snapshots.opener(self.claim.run.workspace)(digest)

    def _mark_started(self) -> None:
        with transaction.atomic():
            self.build.write_facts()
            if not self._own_job().update(started_at=Now(), beat_at=Now()):
                raise LeaseLost(f"run {self.claim.run.uid} was taken from this worker")

    def _note_running(self) -> None:
        try:
            self._move(Status.RUNNING)
        except InvalidTransition as refused:
            # CancelRequested arrived first; it is delivered all the same.
            logger.info("not running run=%s because=%s", self.claim.run.uid, refused)

    # ------------------------------------------------------------ beside the process
    def _watch(self, guard: GuardLink) -> Ending | None:
        """Ship the log, deliver requests, mind the longest run time, until the tree is gone; None
        when it was handed over."""
        known = guard.status()
        began = (known and known.started_monotonic_s) or time.monotonic()
        while not guard.was_handed_over and guard.poll() is None:
            self._deliver(guard)
            self._mind_time(time.monotonic() - began, guard)
            self._ship()
            self._note_step(guard.status())
            self.wanted.wait(LOOP_S)
            self.wanted.clear()
        if guard.was_handed_over:
            return None
        if self._abandoned:
            raise LeaseLost(f"run {self.claim.run.uid} was taken from this worker")
        self._persist(self._hear_late)
        return self._ending(guard)

    def _deliver(self, guard: GuardLink) -> None:
        stopping = self._stop_at is not None
        # People wait for Ctrl-C: the short grace of a shutdown, not the run's own.
        overdue = self._stop_at is not None and time.monotonic() - self._stop_at > STOP_GRACE_S
        if self._abandoned or self._kill or overdue or (self._left and self._is_building):
            guard.kill()
        elif self._cancel or stopping or self._timed_out:
            guard.cancel()
        if self._is_handed_over:
            # Dead before the run is given up for lost: there is never a second process.
            lost_after_s = self.claim.job.target.effective_lost_after_s()
            guard.hand_over(min(settings.HANDOVER_S, lost_after_s))

    def _mind_time(self, ran_s: float, guard: GuardLink) -> None:
        longest_s = self.claim.job.max_duration_s
        if longest_s is None or ran_s <= longest_s or self._timed_out or self._cancel:
            return
        self._timed_out = True
        guard.cancel()
        reason = time_limit_words(longest_s)
        try:
            cancel_run(self.claim.run, by=TIME_LIMIT, reason=reason)
        except (DatabaseError, InterfaceError) as error:
            logger.warning("time-out not shown run=%s because=%s", self.claim.run.uid, error)

    def _ship(self) -> None:
        """Send new output, unless another worker holds the run by now."""
        if not self.shipper.is_due():
            return
        try:
            if still_held(self.claim):
                self.shipper.ship(partial(still_held, self.claim))
            else:
                self.abandon()
        except (DatabaseError, InterfaceError) as error:
            logger.warning("log waits run=%s because=%s", self.claim.run.uid, error)
            connection.close()

    # ------------------------------------------------------------ after the process
    def _ending(self, guard: GuardLink) -> Ending:
        status = guard.status()
        if status is None or not status.is_over:
            self._end_processes()
            code = guard.poll()
            return Ending(
                lost=f"The guard process of the run was lost ({_death(code)})",
                was_cancelled=self._cancel,
                stopped_by_worker=self._stop_at is not None,
                log_tail=tail_of(self.log_file),
            )
        interrupted = status.reason is not None
        asked = self._cancel or self._timed_out or self._stop_at is not None
        return Ending(
            exit_code=status.exit_code,
            exit_signal=status.exit_signal,
            was_cancelled=self._cancel and interrupted,
            timed_out_after_s=self.claim.job.max_duration_s
            if self._timed_out and interrupted
            else None,
            could_not_start=(status.error or "") if status.pid is None else "",
            lost="The run was interrupted from outside" if interrupted and not asked else "",
            stopped_by_worker=self._stop_at is not None and interrupted,
            log_tail=tail_of(self.log_file),
            ladder=ladder_of(status, kill_asked=self._kill),
            memory=memory_of(status),
        )

    def _finish(self, ending: Ending) -> None:
        finish(self.claim, ending, shipper=self.shipper, work=self.work)

    def _end_processes(self) -> None:
        """Nothing of the run is left when this returns, however it came to it, unless it was handed
        over."""
        if self.guard is None or self.guard.was_handed_over:
            return
        self.guard.kill()
        if not self.guard.wait(GUARD_ENDS_WITHIN_S):
            self.guard.kill_guard()
        self.guard.close()
        try:
            self.guard.sweep()
        except TimeoutError as error:
            logger.warning("run=%s %s", self.claim.run.uid, error)


def _death(code: int | None) -> str:
    if code is not None and code < 0:
        return f"killed by signal {-code}"
    return "it could not write its report: is the disk of the worker full?"

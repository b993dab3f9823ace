"""The end of a run on a worker: the last log bytes, its outputs, its terminal status."""

import logging
from pathlib import Path

from django.utils import timezone

from studio.accounts.actions import revoke_run_tokens
from studio.accounts.permissions import Actor
from studio.artifacts.actions import TooLarge, put_artifact_file
from studio.artifacts.models import MAIN_LOG
from studio.blobs import BlobError, StorageFull
from studio.compute.launcher import read_status
from studio.compute.models import Job
from studio.compute.workdir import iter_outputs, remove
from studio.execution.claims import Claim, still_held
from studio.execution.evidence import evidence_of_ending
from studio.execution.ladder import note_steps
from studio.execution.late import PATIENCE_S, send_late
from studio.execution.shipping import LogShipper
from studio.execution.verdict import Ending, Verdict, joined, judge, storable
from studio.runs.actions import warn_run
from studio.runs.lifecycle import InvalidTransition, LeaseLost, transition
from studio.runs.limits import Invalid
from studio.runs.models import Run
from studio.runs.status import Status
from studio.runs.turn import in_turn

logger = logging.getLogger(__name__)

TAIL_BYTES = 64 * 1024
TOO_LATE = "It had ended by itself before the cancel reached it"
COLLECTED = ("outputs", "logs")


def finish(claim: Claim, ending: Ending, *, shipper: LogShipper, work: Path) -> Verdict:
    """Close the run and its job by what is known of the process; the folder goes when all of it
    is stored. Safe to repeat after any failure.

    Raises LeaseLost, with nothing written, when the job is closed or held by somebody else. A run
    that somebody finished by hand keeps its status.
    """
    if not still_held(claim):
        raise LeaseLost(f"run {claim.run.uid} is no longer held by lease {claim.lease}")
    _finalize(claim, ending)
    is_stored = shipper.finish(damage=_damage(claim))
    # A worker that shuts down goes with the web server: nobody will answer.
    patience_s = 0 if ending.stopped_by_worker else PATIENCE_S
    is_stored = send_late(claim, work.parent, patience_s=patience_s) and is_stored
    is_stored = _collect(claim, work) and is_stored
    if not is_stored:
        warn_run(claim.run, f"Some files could not be stored; they are kept in {work.parent}")
    claim.run.refresh_from_db()
    verdict = judge(ending, known_error=claim.run.error)
    _write(claim, verdict, ending)
    if is_stored:
        tidy_up(work.parent)
    return verdict


def _finalize(claim: Claim, ending: Ending) -> None:
    """-> Finalizing, by way of Running when the worker died before it could say so."""
    began = ending.exit_code is not None or ending.exit_signal is not None
    steps = [Status.FINALIZING]
    if began and not ending.could_not_start:
        steps.insert(0, Status.RUNNING)
    for step in steps:
        try:
            transition(claim.run, step, by=claim.actor, lease=claim.lease)
        except InvalidTransition as refused:
            logger.debug("no %s run=%s because=%s", step, claim.run.uid, refused)


def _collect(claim: Claim, work: Path) -> bool:
    """Store outputs/ and the script's own logs/; False when storage is full or broken."""
    for name in COLLECTED:
        for output in iter_outputs(work, name):
            label = f"{name}/{output.path}"
            if label == MAIN_LOG:
                continue
            try:
                put_artifact_file(claim.run, label, output.file, by=claim.actor)
            except (StorageFull, BlobError) as full:
                warn_run(claim.run, f"Files are missing from “{label}” on: {full}")
                return False
            except (TooLarge, Invalid, OSError) as refused:
                # One odd file must not keep the others, or the run's end, from being stored.
                warn_run(claim.run, storable(f"“{label}” was not stored: {refused}"))
    return True


def _damage(claim: Claim) -> str:
    """Words for output the guard itself had to drop, empty when it dropped none."""
    status = read_status(Path(claim.job.folder) / "status.json") if claim.job.folder else None
    if status is None or not status.n_dropped_bytes:
        return ""
    return f"{status.n_dropped_bytes:,} bytes of output were lost: {status.log_error}."


def _write(claim: Claim, verdict: Verdict, ending: Ending) -> None:
    """All that ends with the run, in one transaction; raises LeaseLost."""
    reason, evidence = verdict.reason, evidence_of_ending(claim.run, ending)
    if claim.run.cancel_requested_at is not None and verdict.status != Status.CANCELED:
        reason = joined(reason, TOO_LATE)
    with in_turn():
        if ending.ladder.steps:
            note_steps(claim, ending.ladder.steps)
        try:
            transition(
                claim.run,
                verdict.status,
                by=claim.actor,
                reason=reason,
                lease=claim.lease,
                exit_code=ending.exit_code,
                exit_signal=ending.exit_signal,
                error=verdict.error,
                evidence=evidence,
            )
        except InvalidTransition as refused:
            logger.info("ending not written run=%s because=%s", claim.run.uid, refused)
            claim.run.refresh_from_db()
        Job.objects.filter(pk=claim.job.pk, lease=claim.lease, closed_at=None).update(
            exit_code=ending.exit_code, exit_signal=ending.exit_signal
        )
        release(claim.job, claim.run)


def release(job: Job, run: Run) -> None:
    """Close the job of a finished run, and what lived in its process."""
    Job.objects.filter(pk=job.pk, closed_at=None).update(closed_at=timezone.now())
    revoke_run_tokens(run.uid, run.workspace)
    close_orphans(run)


def close_orphans(run: Run) -> None:
    """End the child runs that lived in the process of `run` and were never finished by it.

    A child with a job of its own has its own process, and so have the runs below it.
    """
    to = Status.CANCELED if run.status == Status.CANCELED else Status.FAILED
    reason = f"The process of its parent run ended ({run.status}) before this run was completed"
    by = Actor.system("worker")
    level = [run.pk]
    while level:
        # In one order, as whoever changes many runs locks them.
        children = list(Run.objects.filter(parent__in=level, job=None).order_by("pk"))
        level = [child.pk for child in children]
        for child in children:
            if child.is_terminal:
                continue
            try:
                transition(child, to, by=by, reason=reason)
            except InvalidTransition as refused:
                logger.info("orphan ended by itself run=%s because=%s", child.uid, refused)


def tidy_up(folder: Path) -> None:
    """Remove the folder of an ended run; a file that resists stays and is logged."""
    try:
        remove(folder)
    except OSError as error:
        logger.warning("folder of an ended run stays: %s", error)


def tail_of(path: Path) -> str:
    """The last 64 KB of a log as text, empty when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - TAIL_BYTES))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""

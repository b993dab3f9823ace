"""The end of a run on a worker: the last log bytes, its outputs, its terminal status."""

import logging
from pathlib import Path

from django.db import transaction
from django.utils import timezone

from studio.accounts.actions import revoke_run_tokens
from studio.accounts.permissions import Actor
from studio.artifacts.actions import TooLarge, put_artifact_file
from studio.artifacts.models import MAIN_LOG
from studio.blobs import StorageFull
from studio.compute.launcher import read_status
from studio.compute.models import Job
from studio.compute.workdir import iter_outputs, remove
from studio.execution.claims import Claim
from studio.execution.shipping import LogShipper
from studio.execution.verdict import Ending, Verdict, judge
from studio.runs.actions import warn_run
from studio.runs.lifecycle import InvalidTransition, LeaseLost, transition
from studio.runs.limits import Invalid
from studio.runs.models import Run
from studio.runs.status import TERMINAL, Status

logger = logging.getLogger(__name__)

TAIL_BYTES = 64 * 1024
COLLECTED = ("outputs", "logs")


def finish(claim: Claim, ending: Ending, *, shipper: LogShipper, work: Path) -> Verdict:
    """Close the run and its job by what is known of the process; the folder goes when all of it
    is stored. Nothing is raised when somebody else closed the run first."""
    shipped = shipper.finish(damage=_damage(claim))
    claim.run.refresh_from_db()
    collected = _collect(claim, work) if claim.run.status not in TERMINAL else True
    verdict = judge(ending, known_error=claim.run.error)
    _write(claim, verdict, ending)
    close_orphans(claim.run, verdict.status)
    revoke_run_tokens(claim.run.uid, claim.run.workspace)
    if shipped and collected:
        remove(work.parent)
    else:
        warn_run(claim.run, f"Some files could not be stored; they are kept in {work.parent}")
    return verdict


def _collect(claim: Claim, work: Path) -> bool:
    """Store outputs/ and the script's own logs/; False when storage is full."""
    try:
        if claim.run.status == Status.RUNNING:
            transition(claim.run, Status.FINALIZING, by=claim.actor, lease=claim.lease)
    except (InvalidTransition, LeaseLost) as refused:
        logger.info("no finalizing run=%s because=%s", claim.run.uid, refused)
    for name in COLLECTED:
        for output in iter_outputs(work, name):
            label = f"{name}/{output.path}"
            if label == MAIN_LOG:
                continue
            try:
                put_artifact_file(claim.run, label, output.file, by=claim.actor)
            except StorageFull as full:
                warn_run(claim.run, f"Files are missing from “{label}” on: {full}")
                return False
            except (TooLarge, Invalid, OSError) as refused:
                # One odd file must not keep the others, or the run's end, from being stored.
                warn_run(claim.run, f"“{label}” was not stored: {refused}")
    return True


def _damage(claim: Claim) -> str:
    """Words for output the guard itself had to drop, empty when it dropped none."""
    status = read_status(Path(claim.job.folder) / "status.json") if claim.job.folder else None
    if status is None or not status.n_dropped_bytes:
        return ""
    return f"{status.n_dropped_bytes:,} bytes of output were lost: {status.log_error}."


def _write(claim: Claim, verdict: Verdict, ending: Ending) -> None:
    now = timezone.now()
    with transaction.atomic():
        try:
            transition(
                claim.run,
                verdict.status,
                by=claim.actor,
                reason=verdict.reason,
                lease=claim.lease,
                exit_code=ending.exit_code,
                exit_signal=ending.exit_signal,
                error=verdict.error,
            )
        except (InvalidTransition, LeaseLost) as refused:
            logger.info("ending not written run=%s because=%s", claim.run.uid, refused)
        Job.objects.filter(pk=claim.job.pk, lease=claim.lease, closed_at=None).update(
            closed_at=now, exit_code=ending.exit_code, exit_signal=ending.exit_signal
        )


def close_orphans(run: Run, status: Status) -> None:
    """End the child runs that lived in the process of `run` and were never finished by it."""
    to = Status.CANCELED if status == Status.CANCELED else Status.FAILED
    reason = f"The process of its parent run ended ({status}) before this run was completed"
    by = Actor.system("worker")
    for child in Run.objects.descendants_of(run).active().filter(job=None):
        try:
            transition(child, to, by=by, reason=reason)
        except InvalidTransition as refused:
            logger.info("orphan ended by itself run=%s because=%s", child.uid, refused)


def tail_of(path: Path) -> str:
    """The last 64 KB of a log as text, empty when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - TAIL_BYTES))
            return file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""

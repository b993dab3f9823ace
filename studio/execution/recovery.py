"""Ends or queues again what an earlier start of a worker, or a failed supervisor, left behind."""

import logging
import time
from collections.abc import Collection
from pathlib import Path

from studio.compute.launcher import (
    AdoptedGuard,
    GuardStatus,
    adopt,
    find_guards,
    find_members,
    read_status,
    sweep,
)
from studio.compute.models import Job
from studio.execution.claims import Claim, give_back
from studio.execution.closing import finish, tail_of, tidy_up
from studio.execution.ladder import ladder_of
from studio.execution.memory import memory_of
from studio.execution.shipping import LogShipper
from studio.execution.verdict import Ending
from studio.runs.lifecycle import InvalidTransition, LeaseLost
from studio.runs.models import Run

logger = logging.getLogger(__name__)

# A guard whose worker is gone ends its tree within 2 x kill_after_s.
GUARD_ENDS_WITHIN_S = 10.0


def leftovers(node: str, *, held: Collection[str] = ()) -> list[Claim]:
    """The open jobs that name `node` and whose lease is not among those `held`."""
    left = Job.objects.open().filter(lease__gt="", node=node).exclude(lease__in=held)
    found = []
    for job in left.select_related("target"):
        run = Run.objects.filter(job=job).select_related("workspace", "experiment").first()
        if run is not None:
            found.append(Claim(job, run, job.lease))
    return found


def take_up(claim: Claim) -> AdoptedGuard | None:
    """The guard of a run that an earlier worker handed over, None when none waits."""
    return adopt(Path(claim.job.folder), claim.cookie) if claim.job.folder else None


def recover_job(claim: Claim) -> AdoptedGuard | None:
    """End one run by the report of its guard, or queue it again when its script never began. One
    that was handed over goes on: its guard is returned."""
    logger.warning("recovering run=%s left behind on %s", claim.run.uid, claim.job.node)
    folder = Path(claim.job.folder) if claim.job.folder else None
    status = _wait_for_guard(claim, folder) if folder else None
    if isinstance(status, AdoptedGuard):
        return status
    try:
        sweep([claim.cookie])
    except TimeoutError as error:
        logger.warning("run=%s %s", claim.run.uid, error)
    try:
        if status is None and _queue_again(claim):
            if folder is not None:
                tidy_up(folder)
            return None
        _close(claim, folder, status)
    except LeaseLost as lost:
        logger.info("not recovered: %s", lost)
    return None


def _queue_again(claim: Claim) -> bool:
    try:
        return give_back(claim, reason="Its worker ended before it began")
    except InvalidTransition as refused:
        # Cancelled, or finished by hand.
        logger.info("not queued again run=%s because=%s", claim.run.uid, refused)
        return False


def _wait_for_guard(claim: Claim, folder: Path) -> GuardStatus | AdoptedGuard | None:
    """The guard's last report, once its tree is gone, or the guard itself, which was handed over;
    None when it never started a process."""
    path = folder / "status.json"
    deadline = time.monotonic() + GUARD_ENDS_WITHIN_S
    while time.monotonic() < deadline:
        if (waiting := take_up(claim)) is not None:
            return waiting
        status = read_status(path)
        if status is not None and status.is_over:
            return status
        # One that was just launched has neither a report nor a script yet.
        is_booting = status is None and bool(find_guards(folder))
        if not is_booting and not find_members(claim.cookie):
            time.sleep(0.3)  # the guard's last word comes after the last process
            return read_status(path)
        time.sleep(0.1)
    return read_status(path)


def _close(claim: Claim, folder: Path | None, status: GuardStatus | None) -> None:
    home = folder or Path("/nonexistent")
    claim.job.refresh_from_db()  # a cancel may have come meanwhile
    ending = ending_of(claim, status, log_tail=tail_of(home / "output.log"))
    shipper = LogShipper(claim.run, home / "output.log", by=claim.actor)
    finish(claim, ending, shipper=shipper, work=home / "work")


def ending_of(claim: Claim, status: GuardStatus | None, *, log_tail: str) -> Ending:
    """A script that ended by itself is judged by its exit code; the rest was lost with it."""
    if status is None:
        lost = f"The worker {claim.job.node} ended before the run could begin"
    else:
        lost = f"The worker {claim.job.node} ended while the run was going"
    by_itself = status is not None and status.is_over and status.reason is None
    return Ending(
        exit_code=status.exit_code if status else None,
        exit_signal=status.exit_signal if status else None,
        could_not_start=(status.error or "") if status and status.pid is None else "",
        was_cancelled=claim.job.cancel_requested_at is not None and not by_itself,
        lost="" if by_itself else lost,
        log_tail=log_tail,
        ladder=ladder_of(status, kill_asked=claim.job.kill_requested_at is not None),
        memory=memory_of(status),
    )

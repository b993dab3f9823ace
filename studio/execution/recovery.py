"""What a worker does when it starts: ends or re-queues what an earlier start of it left behind."""

import logging
import time
from pathlib import Path

from studio.compute.launcher import GuardStatus, find_members, read_status, sweep
from studio.compute.models import Job
from studio.execution.claims import Claim, give_back
from studio.execution.closing import finish, tail_of
from studio.execution.shipping import LogShipper
from studio.execution.verdict import Ending
from studio.runs.lifecycle import InvalidTransition, LeaseLost
from studio.runs.models import Run

logger = logging.getLogger(__name__)

# A guard whose worker is gone ends its tree within 2 x kill_after_s.
GUARD_ENDS_WITHIN_S = 10.0


def recover(node: str) -> int:
    """Close or give back every open job that names `node`; returns how many there were.

    Called before the worker claims anything, so every such job belongs to a start that is over.
    """
    left = Job.objects.open().filter(node=node).exclude(lease="").select_related("target")
    n_found = 0
    for job in left:
        run = Run.objects.filter(job=job).select_related("workspace", "experiment").first()
        if run is None:
            continue
        n_found += 1
        logger.warning("recovering run=%s left by an earlier start of %s", run.uid, node)
        recover_job(Claim(job, run, job.lease))
    return n_found


def recover_job(claim: Claim) -> None:
    """End one run by the report of its guard, or queue it again when its script never began."""
    folder = Path(claim.job.folder) if claim.job.folder else None
    status = _wait_for_guard(claim, folder) if folder else None
    sweep([claim.cookie])
    try:
        never_began = status is None and claim.job.cancel_requested_at is None
        if never_began and give_back(claim, reason="The worker was killed before it began"):
            return
        _close(claim, folder, status)
    except (InvalidTransition, LeaseLost) as refused:
        logger.info("not recovered run=%s because=%s", claim.run.uid, refused)


def _wait_for_guard(claim: Claim, folder: Path) -> GuardStatus | None:
    """The guard's last report, once its tree is gone; None when it never started a process."""
    path = folder / "status.json"
    deadline = time.monotonic() + GUARD_ENDS_WITHIN_S
    while time.monotonic() < deadline:
        status = read_status(path)
        if status is not None and status.is_over:
            return status
        if not find_members(claim.cookie):
            return read_status(path)
        time.sleep(0.1)
    return read_status(path)


def _close(claim: Claim, folder: Path | None, status: GuardStatus | None) -> None:
    home = folder or Path("/nonexistent")
    ending = ending_of(claim, status, log_tail=tail_of(home / "output.log"))
    shipper = LogShipper(claim.run, home / "output.log", by=claim.actor)
    finish(claim, ending, shipper=shipper, work=home / "work")


def ending_of(claim: Claim, status: GuardStatus | None, *, log_tail: str) -> Ending:
    """A script that ended by itself is judged by its exit code; the rest was lost with it."""
    cancelled = claim.job.cancel_requested_at is not None
    if status is not None and status.is_over and status.reason is None:
        return Ending(status.exit_code, status.exit_signal, log_tail=log_tail)
    return Ending(
        exit_code=status.exit_code if status else None,
        exit_signal=status.exit_signal if status else None,
        was_cancelled=cancelled,
        lost=f"The worker {claim.job.node} was killed while the run was going",
        log_tail=log_tail,
    )

"""When a run that is not heard from is given up, and one that is over its time is cancelled: the
same moments for the reaper, which acts, and for the page, which announces."""

from datetime import datetime, timedelta

from django.conf import settings

from studio.compute.models import Job, Target
from studio.runs.models import Run
from studio.runs.status import Status

# Its own worker stops it first; another one when that one hangs.
OVERDUE_S = 5.0


def lost_after_s(target: Target | None) -> float:
    """How long a run of the target may be silent before it is given up."""
    return settings.LOST_AFTER_S if target is None else target.effective_lost_after_s()


def patience_s(limit_s: float) -> float:
    """How long it must have been NotResponding before it is given up. After the database or the
    whole machine was away everything looks silent at once, and gets this time to speak up."""
    return max(0.0, limit_s - settings.NOT_RESPONDING_AFTER_S)


def heard_at(run: Run) -> datetime:
    """When the run was last heard."""
    return run.last_beat_at or run.started_at or run.status_at


def given_up_at(run: Run) -> datetime | None:
    """When a run that does not respond is closed, if it stays silent; None of others. Asks for its
    target."""
    if run.status != Status.NOT_RESPONDING:
        return None
    limit_s = lost_after_s(run.target)
    waited = run.status_at + timedelta(seconds=patience_s(limit_s))
    return max(heard_at(run) + timedelta(seconds=limit_s), waited)


def worker_lost_at(job: Job) -> datetime | None:
    """When the worker that holds the job is taken for lost, unless it beats again."""
    heard = job.beat_at or job.claimed_at
    return None if heard is None else heard + timedelta(seconds=settings.WORKER_LOST_AFTER_S)


def closed_unheard_at(run: Run) -> datetime | None:
    """When a cancelled run is closed as Canceled unless its program, or its worker, is heard from;
    None of a run that nobody cancelled."""
    asked_at = run.cancel_requested_at
    if asked_at is None or run.is_terminal:
        return None
    if run.job is None:
        return asked_at + timedelta(seconds=settings.DEFAULT_GRACE_S)
    lost_at = worker_lost_at(run.job)
    ended_at = asked_at + timedelta(seconds=run.job.grace_s)
    return ended_at if lost_at is None else max(lost_at, ended_at)


def is_over_time(
    *, started_at: datetime | None, longest_s: float | None, now: datetime, has_worker: bool
) -> bool:
    """Whether a run has been going for longer than it may. A run on a worker is left to that worker
    for a few seconds more."""
    if started_at is None or longest_s is None:
        return False
    return (now - started_at).total_seconds() > longest_s + (OVERDUE_S if has_worker else 0.0)


def time_limit_words(longest_s: float) -> str:
    return f"It ran longer than its limit of {longest_s:g} s"

"""When a run that is not heard from is given up, and one that is over its time is cancelled: the
same moments for the reaper, which acts, and for the page, which announces."""

from datetime import datetime, timedelta

from django.conf import settings

from studio.compute.models import Job, Target, Worker
from studio.runs.models import Run
from studio.runs.status import Status

# Its own worker stops it first; another one when that one hangs.
OVERDUE_S = 5.0
# A guard that nobody took up has ended its processes by then.
GUARD_ENDS_WITHIN_S = 10.0


def lost_after_s(target: Target | None) -> float:
    """How long a run of the target may be silent before it is given up."""
    return settings.LOST_AFTER_S if target is None else target.effective_lost_after_s()


def silent_after_s(*, has_heartbeat: bool) -> float:
    """How long nothing is heard of a run before it is NotResponding."""
    if has_heartbeat:
        return settings.NOT_RESPONDING_AFTER_S
    return max(settings.NOT_RESPONDING_AFTER_S, settings.CLIENT_SILENCE_H * 3_600)


def lost_limit_s(target: Target | None, *, has_heartbeat: bool) -> float:
    """How long a run of the target may be silent before it is given up. One that sends no
    heartbeat: the usual time after it was found silent."""
    limit_s = lost_after_s(target)
    return limit_s if has_heartbeat else silent_after_s(has_heartbeat=False) + patience_s(limit_s)


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
    waited = run.status_at + timedelta(seconds=patience_s(lost_after_s(run.target)))
    limit_s = lost_limit_s(run.target, has_heartbeat=run.has_heartbeat)
    return max(heard_at(run) + timedelta(seconds=limit_s), waited)


def worker_lost_at(job: Job) -> datetime | None:
    """When the worker that holds the job is taken for lost, unless it beats again."""
    heard = job.beat_at or job.claimed_at
    return None if heard is None else heard + timedelta(seconds=settings.WORKER_LOST_AFTER_S)


def handed_over_until(job: Job) -> datetime | None:
    """Until when the process of a job waits for the next worker of its node, and is then ended by
    its guard; None of a job whose worker did not sign off (1 query)."""
    if job.started_at is None or job.beat_at is None:
        return None
    last = Worker.objects.filter(node=job.node, target=job.target_id).order_by("-pk").first()
    if last is None or last.stopped_at is None or last.was_lost:
        return None
    # From the last beat, which the database stamped: the worker's own clock may be wrong.
    waits_s = min(settings.HANDOVER_S, lost_after_s(job.target)) + GUARD_ENDS_WITHIN_S
    return job.beat_at + timedelta(seconds=waits_s)


def closed_unheard_at(run: Run) -> datetime | None:
    """When a cancelled run is closed as Canceled unless its program, or its worker, is heard from;
    None of a run that nobody cancelled. One that was handed over is left to the next worker, which
    ends it in good order (2 queries at most for a run on a worker)."""
    asked_at = run.cancel_requested_at
    if asked_at is None or run.is_terminal:
        return None
    if run.job is None:
        return asked_at + timedelta(seconds=settings.DEFAULT_GRACE_S)
    lost_at = worker_lost_at(run.job)
    ended_at = asked_at + timedelta(seconds=run.job.grace_s)
    waits_until = handed_over_until(run.job)
    return max(at for at in (lost_at, ended_at, waits_until) if at is not None)


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

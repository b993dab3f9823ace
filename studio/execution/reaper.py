"""Closes what went silent: no run stays unfinished for ever."""

import logging
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from studio.accounts.permissions import Actor
from studio.compute.models import Job, Worker
from studio.execution.claims import Claim, give_back
from studio.runs.lifecycle import InvalidTransition, LeaseLost, transition
from studio.runs.models import Run
from studio.runs.status import Status

logger = logging.getLogger(__name__)

REAPER = Actor.system("reaper")
ONE_SWEEP = 500
NEVER_BEGAN = {Status.STARTING, Status.PREPARING}


def reap(now: datetime | None = None) -> int:
    """One sweep; returns how many runs were moved. Safe to run on every worker at once: each move
    is one conditional UPDATE."""
    now = now or timezone.now()
    forget_workers(now)
    return reap_jobs(now) + reap_silent(now) + reap_unheard_cancels(now)


def forget_workers(now: datetime) -> int:
    """Mark the workers that were not seen for WORKER_LOST_AFTER_S as stopped."""
    limit = now - timedelta(seconds=settings.WORKER_LOST_AFTER_S)
    return Worker.objects.filter(stopped_at=None, last_seen_at__lt=limit).update(stopped_at=now)


def reap_jobs(now: datetime) -> int:
    """Queue again, on any worker, the jobs whose worker is gone before their script began."""
    limit = now - timedelta(seconds=settings.WORKER_LOST_AFTER_S)
    # Never beaten counts from the claim: NULL < limit is not true, and such a row would stay.
    held = Job.objects.open().exclude(lease="").annotate(heard_at=Coalesce("beat_at", "claimed_at"))
    n_moved = 0
    for job in held.filter(heard_at__lt=limit, started_at=None)[:ONE_SWEEP]:
        run = Run.objects.filter(job=job, status__in=NEVER_BEGAN).first()
        if run is None:
            continue
        try:
            n_moved += give_back(Claim(job, run, job.lease), reason="Its worker is gone")
        except (InvalidTransition, LeaseLost) as refused:
            logger.info("not given back run=%s because=%s", run.uid, refused)
    return n_moved


def reap_silent(now: datetime) -> int:
    """Silent for NOT_RESPONDING_AFTER_S -> NotResponding; for LOST_AFTER_S -> Failed, with the
    evidence. A run that was asked to cancel ends as Canceled."""
    quiet = now - timedelta(seconds=settings.NOT_RESPONDING_AFTER_S)
    lost = now - timedelta(seconds=settings.LOST_AFTER_S)
    heard = Coalesce("last_beat_at", "started_at", "status_at")
    silent = Run.objects.annotate(heard_at=heard).filter(heard_at__lt=quiet)
    n_moved = 0
    for run in silent.beating()[:ONE_SWEEP]:
        reason = f"Not heard from since {seen(run.heard_at)}"  # type: ignore[attr-defined]
        n_moved += _try(run, Status.NOT_RESPONDING, reason)
    for run in silent.filter(status=Status.NOT_RESPONDING, heard_at__lt=lost)[:ONE_SWEEP]:
        n_moved += _close_lost(run, run.heard_at, now)  # type: ignore[attr-defined]
    return n_moved


def _close_lost(run: Run, heard_at: datetime, now: datetime) -> bool:
    reason = f"Lost: last heard from {seen(heard_at)}, then nothing for {_span(now - heard_at)}"
    cancelled = run.cancel_requested_at is not None
    error = None if cancelled else {"code": "Lost", "message": reason, "traceback": ""}
    to = Status.CANCELED if cancelled else Status.FAILED
    moved = _try(run, to, reason, error=error)
    if moved and run.job_id:
        Job.objects.filter(pk=run.job_id, closed_at=None).update(closed_at=now)
    return moved


def reap_unheard_cancels(now: datetime) -> int:
    """Interactive runs that did not obey a cancel within the grace period: Canceled, saying that
    the process may live on."""
    limit = now - timedelta(seconds=settings.DEFAULT_GRACE_S)
    asked = Q(status=Status.CANCEL_REQUESTED) | Q(
        status=Status.NOT_RESPONDING, status_before_silence=Status.CANCEL_REQUESTED
    )
    runs = Run.objects.filter(asked, job=None, cancel_requested_at__lt=limit)
    reason = (
        f"The program did not answer within {settings.DEFAULT_GRACE_S:g} s; "
        "its process may still be running"
    )
    return sum(_try(run, Status.CANCELED, reason) for run in runs[:ONE_SWEEP])


def _try(run: Run, to: Status, reason: str, **facts: Any) -> bool:
    try:
        transition(run, to, by=REAPER, reason=reason, only_from={Status(run.status)}, **facts)
    except InvalidTransition as refused:
        logger.info("not reaped run=%s because=%s", run.uid, refused)
        return False
    return True


def seen(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")


def _span(length: timedelta) -> str:
    return f"{length.total_seconds():.0f} s"

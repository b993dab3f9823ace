"""Closes what went silent: no run stays unfinished for ever."""

import logging
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from studio.accounts.permissions import Actor
from studio.artifacts import logs
from studio.artifacts.actions import find_artifact
from studio.artifacts.models import MAIN_LOG
from studio.compute.models import Job, Worker
from studio.execution.claims import Claim, give_back
from studio.execution.closing import release
from studio.execution.steps import close_doomed
from studio.execution.verdict import storable
from studio.runs.lifecycle import InvalidTransition, LeaseLost, transition
from studio.runs.models import Run
from studio.runs.querysets import RunQuerySet
from studio.runs.status import Status

logger = logging.getLogger(__name__)

REAPER = Actor.system("reaper")
ONE_SWEEP = 500
EVIDENCE_BYTES = 2_000
NEVER_BEGAN = {Status.STARTING, Status.PREPARING}


def reap(now: datetime | None = None) -> int:
    """One sweep; returns how many runs were moved. Safe to run on every worker at once: each move
    is one conditional UPDATE."""
    now = now or database_now()
    forget_workers(now)
    return reap_jobs(now) + reap_silent(now) + reap_unheard_cancels(now) + close_doomed()


def database_now() -> datetime:
    """The database's clock, which also stamps the beats: those of workers may be wrong."""
    if connection.vendor == "sqlite":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (now,) = cursor.fetchone()
    return now  # type: ignore[no-any-return]


def forget_workers(now: datetime) -> int:
    """Mark the workers that were not seen for WORKER_LOST_AFTER_S as stopped."""
    limit = now - timedelta(seconds=settings.WORKER_LOST_AFTER_S)
    return Worker.objects.filter(stopped_at=None, last_seen_at__lt=limit).update(stopped_at=now)


def reap_jobs(now: datetime) -> int:
    """Jobs whose worker is gone: queued again, for any worker, when their script never began;
    closed when their run is over."""
    limit = now - timedelta(seconds=settings.WORKER_LOST_AFTER_S)
    # Never beaten counts from the claim: NULL < limit is not true, and such a row would stay.
    heard = Coalesce("beat_at", "claimed_at")
    held = Job.objects.open().filter(lease__gt="").annotate(heard_at=heard)
    n_moved = 0
    for job in held.filter(heard_at__lt=limit).order_by("pk")[:ONE_SWEEP]:
        run = Run.objects.filter(job=job).select_related("workspace").first()
        if run is None:
            continue
        try:
            n_moved += _take_from_lost_worker(Claim(job, run, job.lease))
        except (InvalidTransition, LeaseLost) as refused:
            logger.info("not reaped run=%s because=%s", run.uid, refused)
    return n_moved


def _take_from_lost_worker(claim: Claim) -> bool:
    run, reason = claim.run, "Its worker is gone"
    if run.is_terminal:
        with transaction.atomic():
            release(claim.job, run)
        return True
    if claim.job.started_at is not None:
        return False  # its process may live: silence decides
    if run.cancel_requested_at is not None:
        return _end(run, Status.CANCELED, reason, lease=claim.lease)
    if run.status not in NEVER_BEGAN:
        return False
    if give_back(claim, reason=reason):
        return True
    reason = f"Its worker was lost before it could begin, {claim.job.n_attempts} times"
    error = {"code": "Lost", "message": reason, "traceback": ""}
    return _end(run, Status.FAILED, reason, lease=claim.lease, error=error)


def reap_silent(now: datetime) -> int:
    """Silent for NOT_RESPONDING_AFTER_S -> NotResponding; for LOST_AFTER_S -> Failed, with the
    evidence. A run that was asked to cancel ends as Canceled.

    After the database or the whole machine was away, everything looks silent at once. So a run
    also has to be NotResponding for a while, in which its worker can speak up, before it is lost.
    """
    quiet = now - timedelta(seconds=settings.NOT_RESPONDING_AFTER_S)
    lost = now - timedelta(seconds=settings.LOST_AFTER_S)
    waited = now - timedelta(
        seconds=max(0.0, settings.LOST_AFTER_S - settings.NOT_RESPONDING_AFTER_S)
    )
    heard = Coalesce("last_beat_at", "started_at", "status_at")
    runs = Run.objects.annotate(heard_at=heard)
    silent = runs.beating().filter(heard_at__lt=quiet)
    n_moved = 0
    for run in silent[:ONE_SWEEP]:
        with transaction.atomic():
            if _is_still_in(silent, run):
                reason = f"Not heard from since {seen(run.heard_at)}"  # type: ignore[attr-defined]
                n_moved += _try(run, Status.NOT_RESPONDING, reason)
    gone = runs.filter(status=Status.NOT_RESPONDING, heard_at__lt=lost, status_at__lte=waited)
    for run in gone.select_related("workspace", "job")[:ONE_SWEEP]:
        with transaction.atomic():
            if _is_still_in(gone, run):
                n_moved += _close_lost(run, run.heard_at, now)  # type: ignore[attr-defined]
    return n_moved


def _is_still_in(runs: RunQuerySet, run: Run) -> bool:
    """Whether no beat came since the list was read; holds the row, so that none comes now."""
    return runs.select_for_update(of=("self",)).filter(pk=run.pk).first() is not None


def _close_lost(run: Run, heard_at: datetime, now: datetime) -> bool:
    reason = f"Lost: last heard from {seen(heard_at)}, then nothing for {_span(now - heard_at)}"
    if run.cancel_requested_at is not None:
        return _end(run, Status.CANCELED, reason)
    error = {"code": "Lost", "message": reason, "traceback": last_words(run)}
    return _end(run, Status.FAILED, reason, error=error)


def _end(run: Run, to: Status, reason: str, **facts: Any) -> bool:
    """A terminal status, and the end of the job: a worker that comes back kills the process."""
    with transaction.atomic():
        moved = _try(run, to, reason, **facts)
        if moved and run.job is not None:
            release(run.job, run)
    return moved


def last_words(run: Run) -> str:
    """The end of the run's log, empty when it wrote none."""
    artifact = find_artifact(run, MAIN_LOG)
    if artifact is None:
        return ""
    return storable(logs.tail(artifact, EVIDENCE_BYTES).data.decode("utf-8", "replace"))


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

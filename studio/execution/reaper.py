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
from studio.compute.models import Job, Target, Worker
from studio.execution.claims import Claim, give_back, never_began
from studio.execution.closing import release
from studio.execution.evidence import evidence_of
from studio.execution.silence import (
    closed_unheard_at,
    heard_at,
    is_over_time,
    lost_after_s,
    lost_limit_s,
    patience_s,
    silent_after_s,
    time_limit_words,
)
from studio.execution.steps import close_doomed
from studio.execution.verdict import storable
from studio.runs.actions import cancel_run
from studio.runs.lifecycle import InvalidTransition, LeaseLost, transition
from studio.runs.models import Run
from studio.runs.querysets import RunQuerySet
from studio.runs.status import Status

logger = logging.getLogger(__name__)

REAPER = Actor.system("reaper")
TIME_LIMIT = Actor.system("time limit")
MAY_LIVE = "its process may still be running"
ONE_SWEEP = 500
EVIDENCE_BYTES = 2_000


def reap(now: datetime | None = None) -> int:
    """One sweep; returns how many runs were moved. Safe to run on every worker at once: each move
    is one conditional UPDATE."""
    now = now or database_now()
    forget_workers(now)
    n_moved = reap_jobs(now) + reap_silent(now) + reap_unheard_cancels(now)
    return n_moved + reap_over_time(now) + close_doomed()


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
    silent = Worker.objects.filter(stopped_at=None, last_seen_at__lt=limit)
    return silent.update(stopped_at=now, was_lost=True)


def reap_jobs(now: datetime) -> int:
    """Jobs whose worker is gone: queued again, for any worker, when their script never began;
    closed when their run is over."""
    limit = now - timedelta(seconds=settings.WORKER_LOST_AFTER_S)
    # Never beaten counts from the claim: NULL < limit is not true, and such a row would stay.
    heard = Coalesce("beat_at", "claimed_at")
    held = Job.objects.held().select_related("target").annotate(heard_at=heard)
    n_moved = 0
    for job in held.filter(heard_at__lt=limit).order_by("pk")[:ONE_SWEEP]:
        run = Run.objects.filter(job=job).select_related("workspace").first()
        if run is None:
            continue
        try:
            n_moved += _take_from_lost_worker(Claim(job, run, job.lease), now)
        except (InvalidTransition, LeaseLost) as refused:
            logger.info("not reaped run=%s because=%s", run.uid, refused)
    return n_moved


def _take_from_lost_worker(claim: Claim, now: datetime) -> bool:
    run, reason = claim.run, "Its worker is gone"
    if run.is_terminal:
        with transaction.atomic():
            release(claim.job, run)
        return True
    if claim.job.started_at is not None:
        return _give_up_cancelled(claim, now)
    if run.cancel_requested_at is not None:
        return _end(run, Status.CANCELED, reason, lease=claim.lease)
    if not never_began(run):
        return False
    if give_back(claim, reason=reason):
        return True
    reason = f"Its worker was lost before it could begin, {claim.job.n_attempts} times"
    error = {"code": "Lost", "message": reason, "traceback": ""}
    return _end(run, Status.FAILED, reason, lease=claim.lease, error=error)


def _give_up_cancelled(claim: Claim, now: datetime) -> bool:
    """Close a cancelled run whose worker is gone once its grace period is over. Any other run may
    be alive with its worker: silence decides."""
    over_at = closed_unheard_at(claim.run)
    if over_at is None or now <= over_at:
        return False
    reason = f"Its worker {claim.job.node} is gone; {MAY_LIVE}"
    evidence = evidence_of(claim.run, by="reaper")
    return _end(claim.run, Status.CANCELED, reason, lease=claim.lease, evidence=evidence)


def reap_silent(now: datetime) -> int:
    """Silent for `silent_after_s` -> NotResponding; past the limit of its target -> Failed, with
    the evidence. A run that was asked to cancel ends as Canceled."""
    n_moved = 0
    for has_heartbeat in (True, False):
        quiet = now - timedelta(seconds=silent_after_s(has_heartbeat=has_heartbeat))
        alike = Run.objects.beating().filter(has_heartbeat=has_heartbeat)
        silent = alike.heard_before(quiet)
        for run in silent.select_related("job")[:ONE_SWEEP]:
            with transaction.atomic():
                if _is_still_in(silent, run):
                    reason = f"Not heard from since {seen(heard_at(run))}"
                    n_moved += _try(run, Status.NOT_RESPONDING, reason, evidence=evidence_of(run))
    for gone in _given_up(now):
        for run in gone.select_related("workspace", "job__target")[:ONE_SWEEP]:
            with transaction.atomic():
                if _is_still_in(gone, run):
                    n_moved += _close_lost(run, heard_at(run), now)
    return n_moved


def _given_up(now: datetime) -> list[RunQuerySet]:
    """The runs whose silence is past the limit of their target, by target and by whether they send
    heartbeats (2 queries and one for each)."""
    waiting = Run.objects.filter(status=Status.NOT_RESPONDING)
    kinds = set(waiting.order_by().values_list("target", "has_heartbeat").distinct())
    targets = Target.objects.in_bulk([one for one, _ in kinds if one is not None])
    found = []
    for target_id, has_heartbeat in kinds:
        target = targets.get(target_id) if target_id else None
        waited = now - timedelta(seconds=patience_s(lost_after_s(target)))
        limit_s = lost_limit_s(target, has_heartbeat=has_heartbeat)
        alike = waiting.filter(target=target_id, has_heartbeat=has_heartbeat, status_at__lte=waited)
        found.append(alike.heard_before(now - timedelta(seconds=limit_s)))
    return found


def _is_still_in(runs: RunQuerySet, run: Run) -> bool:
    """Whether no beat came since the list was read; holds the row, so that none comes now."""
    return runs.select_for_update(of=("self",)).filter(pk=run.pk).first() is not None


def _close_lost(run: Run, since: datetime, now: datetime) -> bool:
    reason = f"Lost: last heard from {seen(since)}, then nothing for {_span(now - since)}"
    evidence = evidence_of(run, by="reaper")
    if run.cancel_requested_at is not None:
        return _end(run, Status.CANCELED, reason, evidence=evidence)
    evidence["ended_by"] = {"kind": "nobody", "name": ""}
    error = {"code": "Lost", "message": reason, "traceback": last_words(run)}
    return _end(run, Status.FAILED, reason, error=error, evidence=evidence)


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
    reason = f"The program did not end within {settings.DEFAULT_GRACE_S:g} s; {MAY_LIVE}"
    return sum(
        _try(run, Status.CANCELED, reason, evidence=evidence_of(run, by="reaper"))
        for run in runs[:ONE_SWEEP]
    )


def reap_over_time(now: datetime) -> int:
    """Cancel the runs that take longer than they may and that no worker stopped: those of other
    programs, and those whose worker hangs (1 query while there are none)."""
    going = Run.objects.beating().filter(max_duration_s__isnull=False, cancel_requested_at=None)
    rows = going.values_list("pk", "started_at", "max_duration_s", "job")
    over = [
        pk
        for pk, started_at, longest_s, job in rows
        if is_over_time(
            started_at=started_at, longest_s=longest_s, now=now, has_worker=job is not None
        )
    ]
    for run in Run.objects.filter(pk__in=over[:ONE_SWEEP]).select_related("workspace", "job"):
        cancel_run(run, by=TIME_LIMIT, reason=time_limit_words(run.max_duration_s or 0.0))
    return len(over[:ONE_SWEEP])


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

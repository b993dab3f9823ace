"""Taking a queued job, and giving it back: conditional updates, so that one worker wins."""

import logging
import uuid
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from studio.accounts.permissions import Actor
from studio.compute.models import Job, Worker
from studio.runs.lifecycle import InvalidTransition, transition
from studio.runs.models import Run
from studio.runs.status import Status

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Claim:
    """A job held by this worker. Every write about it carries `lease`."""

    job: Job
    run: Run
    lease: str

    @property
    def cookie(self) -> str:
        """What every process of this attempt carries in its environment."""
        return f"{self.job.pk}-{self.lease}"

    @property
    def actor(self) -> Actor:
        return Actor.system(f"worker {self.job.node}")


def claim_next(worker: Worker) -> Claim | None:
    """Take the oldest waiting job of the worker's target, None when there is none.

    Run Queued -> Starting in the same transaction. A job whose run was cancelled meanwhile is
    closed and the next one is tried.
    """
    waiting = Job.objects.waiting().filter(target=worker.target).values_list("pk", flat=True)
    for job_id in waiting[:20]:
        claim = _claim(worker, job_id)
        if claim is not None:
            return claim
    return None


def _claim(worker: Worker, job_id: int) -> Claim | None:
    lease, now = uuid.uuid4().hex, timezone.now()
    with transaction.atomic():
        taken = Job.objects.filter(
            pk=job_id, claimed_at=None, closed_at=None, cancel_requested_at=None
        ).update(
            lease=lease,
            node=worker.node,
            claimed_at=now,
            beat_at=now,
            n_attempts=F("n_attempts") + 1,
        )
        if not taken:
            return None
        job = Job.objects.select_related("target").get(pk=job_id)
        run = Run.objects.filter(job=job).select_related("workspace", "experiment").first()
        if run is None or run.deleted_at is not None:
            Job.objects.filter(pk=job_id).update(closed_at=now)
            return None
        claim = Claim(job, run, lease)
        try:
            transition(run, Status.STARTING, by=claim.actor, lease=lease)
        except InvalidTransition as refused:
            logger.info("not started run=%s because=%s", run.uid, refused)
            Job.objects.filter(pk=job_id).update(closed_at=now)
            return None
    return claim


def give_back(claim: Claim, *, reason: str) -> bool:
    """Queue a job again whose script never began; False when it was tried too often already."""
    if claim.job.n_attempts >= MAX_ATTEMPTS:
        return False
    with transaction.atomic():
        transition(claim.run, Status.QUEUED, by=claim.actor, lease=claim.lease, reason=reason)
        Job.objects.filter(pk=claim.job.pk, lease=claim.lease).update(
            lease="", node="", claimed_at=None, beat_at=None, pid=None, folder=""
        )
    return True


def still_held(claim: Claim) -> bool:
    return Job.objects.filter(pk=claim.job.pk, lease=claim.lease, closed_at=None).exists()

"""Taking a queued job, and giving it back: conditional updates, so that one worker wins.

Whoever changes a run and its job locks the run first, and a claim the target before it: two that
lock them in different orders wait for each other on PostgreSQL until one of them is thrown out.
"""

import logging
import uuid
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from studio.accounts.actions import revoke_run_tokens
from studio.accounts.permissions import Actor
from studio.compute.models import Job, Worker
from studio.compute.targets import lock
from studio.runs.lifecycle import InvalidTransition, beat, transition
from studio.runs.models import Dependency, Run
from studio.runs.status import Status

logger = logging.getLogger(__name__)

NEVER_BEGAN = {Status.STARTING, Status.PREPARING}


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
    """Take the oldest waiting job of the worker's target, None when there is none, or none may be
    taken (`takes_more`). A step waits until the steps it depends on are Completed.

    Run Queued -> Starting in the same transaction. A job whose run was cancelled meanwhile is
    closed and the next one is tried.
    """
    if not takes_more(worker):
        return None
    waiting = Job.objects.waiting().filter(~Dependency.objects.unmet().of_job())
    for job_id in waiting.filter(target=worker.target).values_list("pk", flat=True)[:20]:
        claim = _claim(worker, job_id)
        if claim is not None:
            return claim
    return None


def takes_more(worker: Worker) -> bool:
    """Whether the worker may take a run now: its target is enabled and has room, and the worker is
    not draining (2 queries at most)."""
    may = Worker.objects.filter(pk=worker.pk, drain_asked_at=None, target__is_enabled=True)
    for most in may.values_list("target__max_runs", flat=True):
        held = Job.objects.held().filter(target=worker.target_id)
        return most is None or held.count() < most
    return False


def _claim(worker: Worker, job_id: int) -> Claim | None:
    lease = uuid.uuid4().hex
    with transaction.atomic():
        # Before the run: one claim at a time, so that two can't both take the last place.
        lock(worker.target)
        if not takes_more(worker):
            return None
        locked = Run.objects.select_for_update(of=("self",)).filter(job=job_id)
        run = locked.select_related("workspace", "experiment").first()
        if run is None or run.deleted_at is not None:
            Job.objects.waiting().filter(pk=job_id).update(closed_at=timezone.now())
            return None
        taken = Job.objects.waiting().filter(pk=job_id)
        if not taken.update(
            lease=lease,
            node=worker.node,
            claimed_at=Now(),
            beat_at=Now(),
            n_attempts=F("n_attempts") + 1,
        ):
            return None
        claim = Claim(Job.objects.select_related("target").get(pk=job_id), run, lease)
        try:
            transition(run, Status.STARTING, by=claim.actor, lease=lease)
        except InvalidTransition as refused:
            logger.info("not started run=%s because=%s", run.uid, refused)
            Job.objects.filter(pk=job_id).update(closed_at=timezone.now())
            return None
    return claim


def never_began(run: Run) -> bool:
    """Whether its script was not started, as far as its status tells; also of one that fell silent
    before."""
    is_silent = run.status == Status.NOT_RESPONDING
    return (run.status_before_silence if is_silent else run.status) in NEVER_BEGAN


def give_back(claim: Claim, *, reason: str, is_planned: bool = False) -> bool:
    """Queue a job again whose script never began; False when it was tried too often already. A
    planned end of its worker is no attempt of the run."""
    most, n_done = claim.job.target.effective_max_attempts(), claim.job.n_attempts
    n_done -= is_planned
    if n_done >= most:
        return False
    with transaction.atomic():
        attempt = f"Attempt {n_done + 1} of {most}"
        reason = f"{attempt}: {reason[:1].lower()}{reason[1:]}"
        if never_began(claim.run):
            beat(claim.run)  # one that was silent comes back first: only then may it be queued
        transition(claim.run, Status.QUEUED, by=claim.actor, lease=claim.lease, reason=reason)
        Job.objects.filter(pk=claim.job.pk, lease=claim.lease).update(
            lease="",
            node="",
            claimed_at=None,
            beat_at=None,
            started_at=None,
            folder="",
            n_attempts=n_done,
        )
        revoke_run_tokens(claim.run.uid, claim.run.workspace)
    return True


def still_held(claim: Claim) -> bool:
    return Job.objects.filter(pk=claim.job.pk, lease=claim.lease, closed_at=None).exists()

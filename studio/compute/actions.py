"""Changes to jobs. Rights are checked by the actions above: compute knows no runs."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from studio.accounts.models import Workspace
from studio.compute import doorbell
from studio.compute.models import LOCAL_TARGET, Job, Target


class UnknownTarget(Exception):
    """No target of that name takes new runs of this workspace; the text lists those that do."""


def usable_targets(workspace: Workspace) -> QuerySet[Target]:
    """The enabled targets that runs of `workspace` may be submitted to, by name."""
    return Target.objects.usable_in(workspace).enabled()


def find_target(name: str, *, workspace: Workspace) -> Target:
    """The enabled target of that name which `workspace` may use (1 query, 2 on a miss)."""
    target = Target.objects.usable_in(workspace).filter(name=name).first()
    if target is None or not target.is_enabled:
        names = dict.fromkeys(usable_targets(workspace).values_list("name", flat=True))
        if target is None:
            wrong = f"There is no compute target “{name[:80]}”."
        else:
            wrong = f"The compute target “{name}” is disabled: it takes no new runs."
        raise UnknownTarget(f"{wrong} Targets you can use: {', '.join(names) or 'none'}.")
    return target


def ensure_local_target() -> Target:
    target, _ = Target.objects.get_or_create(
        name=LOCAL_TARGET, workspace=None, defaults={"description": "The studio's own worker"}
    )
    return target


def queue_job(
    target: Target,
    *,
    argv: list[str],
    environment: dict[str, Any],
    snapshot: str,
    grace_s: float | None = None,
    max_duration_s: float | None = None,
) -> Job:
    """Write a waiting job and ring its target once the transaction is committed."""
    job = Job.objects.create(
        target=target,
        argv=argv,
        environment=environment,
        snapshot=snapshot,
        grace_s=target.effective_grace_s() if grace_s is None else grace_s,
        max_duration_s=max_duration_s,
    )
    transaction.on_commit(lambda: doorbell.ring_target(target.queue))
    return job


def withdraw_job(job: Job) -> bool:
    """Close a job that no worker has claimed yet; False if one has (then ask for a stop)."""
    now = timezone.now()
    return bool(
        Job.objects.filter(pk=job.pk, claimed_at=None, closed_at=None).update(
            cancel_requested_at=now, closed_at=now
        )
    )


def withdraw_jobs(jobs: Sequence[Job]) -> set[int]:
    """As `withdraw_job`, for jobs whose runs the caller has locked (2 queries for up to a few
    hundred); the ids of those that nobody had claimed."""
    if not jobs:
        return set()
    waiting = Job.objects.filter(claimed_at=None, closed_at=None, pk__in=[job.pk for job in jobs])
    ids = list(waiting.select_for_update().order_by("pk").values_list("pk", flat=True))
    now = timezone.now()
    Job.objects.filter(pk__in=ids).update(cancel_requested_at=now, closed_at=now)
    return set(ids)


def request_stops(jobs: Sequence[Job]) -> None:
    """As `request_stop`, for many (1 query); each worker is rung once."""
    if not jobs:
        return
    still = Job.objects.filter(pk__in=[job.pk for job in jobs], closed_at=None)
    still.filter(cancel_requested_at=None).update(cancel_requested_at=timezone.now())
    for node, job_id in {job.node: job.pk for job in jobs}.items():
        transaction.on_commit(partial(doorbell.ring_cancel, node, job_id))


def request_stop(job: Job, *, kill: bool = False) -> bool:
    """Ask the worker that holds the job to stop it; asking twice changes nothing.

    Returns whether this asked for the kill, of several at once the first.
    """
    now, asked = timezone.now(), 0
    still = Job.objects.filter(pk=job.pk, closed_at=None)
    still.filter(cancel_requested_at=None).update(cancel_requested_at=now)
    if kill:
        asked = still.filter(kill_requested_at=None).update(kill_requested_at=now)
    job.refresh_from_db(fields=["node"])
    transaction.on_commit(lambda: doorbell.ring_cancel(job.node, job.pk))
    return bool(asked)

"""Where runs run: targets, the workers that serve them, and jobs (one process tree each).

Compute knows nothing of training: a run points at its job, never the other way round.
"""

import uuid
from datetime import timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.utils import timezone

from studio.accounts.models import Workspace

LOCAL_TARGET = "local"


def new_lease() -> str:
    return uuid.uuid4().hex


class Target(models.Model):
    """A named queue that workers serve; `workspace` empty means every workspace may use it."""

    name = models.SlugField(max_length=63)
    workspace = models.ForeignKey(
        Workspace, null=True, blank=True, on_delete=models.CASCADE, related_name="targets"
    )
    description = models.TextField(blank=True)
    grace_s = models.FloatField(null=True, blank=True)
    is_enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name"], name="target_name_once")]

    def __str__(self) -> str:
        return self.name

    @property
    def queue(self) -> str:
        return f"target.{self.name}"

    def effective_grace_s(self) -> float:
        """Seconds between the interrupt and the terminate of a cancel."""
        return settings.DEFAULT_GRACE_S if self.grace_s is None else self.grace_s

    def effective_lost_after_s(self) -> float:
        """Seconds of silence after which a run is given up."""
        return float(settings.LOST_AFTER_S)


class WorkerQuerySet(models.QuerySet["Worker"]):
    def live(self) -> Self:
        limit = timezone.now() - timedelta(seconds=settings.WORKER_LOST_AFTER_S)
        return self.filter(last_seen_at__gt=limit, stopped_at=None)


class Worker(models.Model):
    """One start of a worker process; `lease` is what fences its writes to job rows."""

    lease = models.CharField(max_length=32, unique=True, default=new_lease)
    node = models.CharField(max_length=200)
    host = models.CharField(max_length=200)
    pid = models.IntegerField()
    target = models.ForeignKey(Target, on_delete=models.CASCADE, related_name="workers")
    n_slots = models.IntegerField()
    n_active = models.IntegerField(default=0)
    version = models.CharField(max_length=50, blank=True)
    facts = models.JSONField(default=dict)
    started_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now)
    stopped_at = models.DateTimeField(null=True, blank=True)

    objects = WorkerQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["target", "last_seen_at"], name="worker_live")]

    def __str__(self) -> str:
        return f"{self.node} ({self.target})"

    @property
    def queue(self) -> str:
        return f"node.{self.node}"


class JobQuerySet(models.QuerySet["Job"]):
    def waiting(self) -> Self:
        """Jobs nobody has claimed and nobody has cancelled, oldest first."""
        return self.filter(claimed_at=None, closed_at=None, cancel_requested_at=None).order_by("pk")

    def open(self) -> Self:
        return self.filter(closed_at=None)


class Job(models.Model):
    """A process tree on a target: what to start, who holds it, how it ended.

    A worker claims it by one conditional UPDATE that sets `lease`; every later write of that
    worker carries the lease, so a worker that was given up for dead can't write any more.
    """

    target = models.ForeignKey(Target, on_delete=models.PROTECT, related_name="jobs")
    # The process: argument list (never a shell line), extra environment, where its source is.
    argv = models.JSONField(default=list)
    environment = models.JSONField(default=dict)
    snapshot = models.CharField(max_length=64, blank=True)
    grace_s = models.FloatField()
    max_duration_s = models.FloatField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    lease = models.CharField(max_length=32, blank=True, default="")
    n_attempts = models.IntegerField(default=0)
    node = models.CharField(max_length=200, blank=True)
    claimed_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    beat_at = models.DateTimeField(null=True, blank=True)
    pid = models.IntegerField(null=True, blank=True)
    folder = models.TextField(blank=True)

    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    kill_requested_at = models.DateTimeField(null=True, blank=True)
    # How far the cancel has come: "", interrupting, terminating, killing; since when.
    cancel_step = models.CharField(max_length=20, blank=True, default="")
    cancel_step_at = models.DateTimeField(null=True, blank=True)

    exit_code = models.IntegerField(null=True, blank=True)
    exit_signal = models.IntegerField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        indexes = [
            # The worker's question, asked every 2 s: the oldest unclaimed job of my target.
            models.Index(
                fields=["target", "id"],
                name="job_waiting",
                condition=models.Q(claimed_at=None, closed_at=None),
            ),
            # The reaper's and the agent's question: which jobs are held, by which lease.
            models.Index(
                fields=["lease"], name="job_open_by_lease", condition=models.Q(closed_at=None)
            ),
        ]

    def __str__(self) -> str:
        return f"job {self.pk}"

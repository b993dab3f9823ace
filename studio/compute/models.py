"""Where runs run: targets, the workers that serve them, and jobs (one process tree each).

Compute knows nothing of training: a run points at its job, never the other way round.
"""

import uuid
from datetime import datetime, timedelta
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models.functions import Coalesce
from django.utils import timezone

from studio.accounts.models import User, Workspace

LOCAL_TARGET = "local"
# How often a run is begun whose worker died before it could start.
MAX_ATTEMPTS = 3
# For how long a worker that is gone stays on the page.
GONE_SHOWN_FOR_S = 3_600.0


def new_lease() -> str:
    return uuid.uuid4().hex


class TargetQuerySet(models.QuerySet["Target"]):
    def usable_in(self, workspace: Workspace) -> Self:
        """Those of the workspace, and those that all share, by name; a workspace's own first."""
        mine = models.Q(workspace=None) | models.Q(workspace=workspace)
        return self.filter(mine).order_by("name", models.F("workspace").desc(nulls_last=True))

    def behind(self, name: str, *, is_shared: bool) -> Self:
        """Those of `usable_in` after the one so called: the shared one, or the own."""
        later = models.Q(name__gt=name)
        return self.filter(later if is_shared else later | models.Q(name=name, workspace=None))

    def enabled(self) -> Self:
        """Those that take new runs."""
        return self.filter(is_enabled=True)

    def staffed(self) -> Self:
        """Each with `n_serving` and `n_draining`: its live workers that take runs, and that do not
        (no query more)."""
        live = Worker.objects.live().filter(target=models.OuterRef("pk")).order_by()
        return self.annotate(
            n_serving=_how_many(live.filter(drain_asked_at=None)),
            n_draining=_how_many(live.exclude(drain_asked_at=None)),
        )


def _how_many(rows: models.QuerySet[Any]) -> Coalesce:
    counted = rows.values("target").annotate(n=models.Count("pk")).values("n")
    return Coalesce(models.Subquery(counted), 0)


class Target(models.Model):
    """A named queue that workers serve; `workspace` empty means every workspace may use it.

    `max_runs`: the most runs at a time over all its workers. Numbers that are None: the studio's.
    """

    name = models.SlugField(max_length=63)
    workspace = models.ForeignKey(
        Workspace, null=True, blank=True, on_delete=models.CASCADE, related_name="targets"
    )
    description = models.TextField(blank=True)
    grace_s = models.FloatField(null=True, blank=True)
    lost_after_s = models.FloatField(null=True, blank=True)
    max_runs = models.PositiveIntegerField(null=True, blank=True)
    max_attempts = models.PositiveSmallIntegerField(null=True, blank=True)
    is_enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects = TargetQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["name"], condition=models.Q(workspace=None), name="target_shared_name_once"
            ),
            models.UniqueConstraint(fields=["workspace", "name"], name="target_own_name_once"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def queue(self) -> str:
        """Its doorbell: a name that no other target has, also one so called elsewhere."""
        own = f"w{self.workspace_id}." if self.workspace_id else ""
        return f"target.{own}{self.name}"

    def address_in(self, workspace: Workspace) -> str:
        """What the command of a worker names it: `NAME`, or `WORKSPACE/NAME` of one of its own."""
        return self.name if self.is_shared else f"{workspace.name}/{self.name}"

    @property
    def is_shared(self) -> bool:
        return self.workspace_id is None

    def effective_grace_s(self) -> float:
        """Seconds between the interrupt and the terminate of a cancel."""
        return settings.DEFAULT_GRACE_S if self.grace_s is None else self.grace_s

    def effective_lost_after_s(self) -> float:
        """Seconds of silence after which a run is given up."""
        return settings.LOST_AFTER_S if self.lost_after_s is None else self.lost_after_s

    def effective_max_attempts(self) -> int:
        """How often a run is begun whose worker died before it could start."""
        return MAX_ATTEMPTS if self.max_attempts is None else self.max_attempts


class TargetEventQuerySet(models.QuerySet["TargetEvent"]):
    def newest(self, workspace: Workspace) -> Self:
        """Those about targets that the workspace may use."""
        mine = models.Q(workspace=None) | models.Q(workspace=workspace)
        return self.filter(mine).order_by("-pk")


class TargetEvent(models.Model):
    """One change of a target, or of a worker of it: who, when, before, after. Never edited.
    `workspace` empty: of a target that all share. `subject`: the target's name; `before` and
    `after`: the settings that changed, or the node of a worker."""

    workspace = models.ForeignKey(
        Workspace, null=True, on_delete=models.CASCADE, related_name="target_events", db_index=False
    )
    at = models.DateTimeField(default=timezone.now)
    kind = models.CharField(max_length=30)
    actor = models.CharField(max_length=200)
    actor_user = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    subject = models.CharField(max_length=63)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)

    objects = TargetEventQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["workspace", "-id"], name="target_event_newest")]

    def __str__(self) -> str:
        return f"{self.kind}: {self.subject} by {self.actor}"


class WorkerQuerySet(models.QuerySet["Worker"]):
    def live(self) -> Self:
        limit = timezone.now() - timedelta(seconds=settings.WORKER_LOST_AFTER_S)
        return self.filter(last_seen_at__gt=limit, stopped_at=None)

    def serving(self) -> Self:
        """Those that live and take runs."""
        return self.live().filter(drain_asked_at=None)

    def seen_lately(self) -> Self:
        """Those that live, and those that are gone for less than an hour; the newest first."""
        limit = timezone.now() - timedelta(seconds=GONE_SHOWN_FOR_S)
        return self.filter(last_seen_at__gt=limit).order_by("-pk")


class Worker(models.Model):
    """One start of a worker process on a host. `machine`: the host and its boot, so that two hosts
    of one name are told apart. `stopped_at`: it signed off or, when `was_lost`, was not heard from
    any more. `drain_asked_at`: it ends what it has and takes nothing more."""

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
    machine = models.CharField(max_length=100, blank=True, default="")
    was_lost = models.BooleanField(default=False)
    drain_asked_at = models.DateTimeField(null=True, blank=True)
    drain_asked_by = models.CharField(max_length=200, blank=True, default="")

    objects = WorkerQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["target", "last_seen_at"], name="worker_live")]

    def __str__(self) -> str:
        return f"{self.node} ({self.target})"

    @property
    def queue(self) -> str:
        return f"node.{self.node}"

    @property
    def is_live(self) -> bool:
        limit = timezone.now() - timedelta(seconds=settings.WORKER_LOST_AFTER_S)
        return self.stopped_at is None and self.last_seen_at > limit

    @property
    def is_draining(self) -> bool:
        return self.drain_asked_at is not None

    @property
    def is_lost(self) -> bool:
        """Whether it fell silent without signing off."""
        return not self.is_live and (self.was_lost or self.stopped_at is None)

    @property
    def gone_at(self) -> datetime | None:
        """When it signed off, or was last heard from; None while it lives."""
        if self.is_live:
            return None
        return self.last_seen_at if self.is_lost else self.stopped_at


class JobQuerySet(models.QuerySet["Job"]):
    def waiting(self) -> Self:
        """Jobs nobody has claimed and nobody has cancelled, oldest first."""
        return self.filter(claimed_at=None, closed_at=None, cancel_requested_at=None).order_by("pk")

    def open(self) -> Self:
        return self.filter(closed_at=None)

    def held(self) -> Self:
        """Those that a worker has claimed and not ended."""
        return self.open().filter(lease__gt="")


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

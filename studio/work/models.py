"""Long jobs of people, done in the background piece by piece. Only `actions` and `running` write
here."""

import uuid
from datetime import datetime, timedelta
from typing import Any, Self

from django.db import models
from django.utils import timezone

from studio.accounts.models import User, Workspace
from studio.queries.fixed import fixed

MAX_PROBLEMS = 100
# A worker that has said nothing for so long has lost the work; its writes are refused from then on.
LEASE_S = 30
# Works of a person are looked for among so many of the newest, so that old ones cost nothing.
NEWEST = 200
# A work that nobody took up by now: its message was lost.
FORGOTTEN_AFTER_S = 5


def new_uid() -> str:
    return uuid.uuid4().hex


class State(models.TextChoices):
    WAITING = "Waiting", "Waiting"
    RUNNING = "Running", "Running"
    DONE = "Done", "Done"
    CANCELED = "Canceled", "Canceled"
    FAILED = "Failed", "Failed"


OPEN = frozenset({State.WAITING, State.RUNNING})


class WorkQuerySet(models.QuerySet["Work"]):
    def of(self, workspace: Workspace) -> Self:
        return self.filter(workspace=workspace)

    def open(self) -> Self:
        return self.filter(state__in=OPEN)

    def ended_before(self, limit: datetime) -> Self:
        """Over, and not of late; the oldest first."""
        return self.exclude(state__in=OPEN).filter(ended_at__lt=limit).order_by("pk")

    def before(self, work: "Work") -> Self:
        """What follows `work` with the newest first (keyset paging)."""
        return self.filter(pk__lt=work.pk)

    def of_person(self, user: User) -> Self:
        return self.filter(actor_user=user)

    def free(self) -> Self:
        """Open, and held by no worker that is alive."""
        lost = timezone.now() - timedelta(seconds=LEASE_S)
        return self.open().filter(models.Q(lease="") | models.Q(beat_at__lt=lost))

    def held(self) -> Self:
        """Open, and in the hands of a worker that is alive."""
        lost = timezone.now() - timedelta(seconds=LEASE_S)
        return self.open().filter(lease__gt="", beat_at__gte=lost)

    def forgotten(self) -> Self:
        """Free for longer than a message takes."""
        long_ago = timezone.now() - timedelta(seconds=FORGOTTEN_AFTER_S)
        return self.free().filter(beat_at__lt=long_ago)


class Work(models.Model):
    """One long job: what to do, how far it is, what came of it.

    `cursor` is where the next piece begins. A piece and its counts are one transaction, so a killed
    worker leaves whole pieces only.
    """

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="works")
    uid = models.CharField(max_length=32, unique=True, default=new_uid)
    kind = models.CharField(max_length=40)
    actor = models.CharField(max_length=200)
    actor_user = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    # Without it, the work of a person who was removed would look like the studio's own.
    by_system = models.BooleanField(default=False)
    arguments = models.JSONField(default=dict)
    # While it is open, no other work of the same key can be started.
    once = models.CharField(max_length=100, null=True, blank=True, unique=True)

    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    n_total = models.BigIntegerField(null=True, blank=True)
    n_done = models.BigIntegerField(default=0)
    n_skipped = models.BigIntegerField(default=0)
    n_failed = models.BigIntegerField(default=0)
    cursor = models.JSONField(null=True, blank=True)
    # The first hundred of {"uid", "message"}.
    problems = models.JSONField(default=list)
    result = models.JSONField(default=dict)

    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_by = models.CharField(max_length=200, blank=True, default="")

    lease = models.CharField(max_length=32, blank=True, default="")
    beat_at = models.DateTimeField(default=timezone.now)
    # Tries since the last piece that was stored.
    n_attempts = models.IntegerField(default=0)

    objects = WorkQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["workspace", "-id"], name="work_newest"),
            models.Index(
                fields=["beat_at"], name="work_open", condition=models.Q(state__in=sorted(OPEN))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.uid[:8]} ({self.state})"

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def n_left(self) -> int:
        """How many were not looked at (yet); 0 as long as nobody has counted."""
        return max(0, (self.n_total or 0) - self.n_done - self.n_skipped - self.n_failed)


def on_the_mind(workspace: Workspace, user: User, *, ended_within_s: float) -> list[Work]:
    """What a person has going on: open, or ended a moment ago; the newest first (1 query)."""
    moment = timezone.now() - timedelta(seconds=ended_within_s)
    return _on_the_mind(workspace=workspace.pk, user=user.pk, moment=moment)


@fixed(
    workspace=models.BigIntegerField(), user=models.BigIntegerField(), moment=models.DateTimeField()
)
def _on_the_mind(workspace: Any, user: Any, moment: Any) -> models.QuerySet[Work]:
    newest = Work.objects.filter(workspace=workspace).order_by("-pk")[:NEWEST]
    fresh = models.Q(state__in=OPEN) | models.Q(ended_at__gte=moment)
    mine = Work.objects.filter(fresh, actor_user=user, pk__in=newest.values("pk"))
    return mine.order_by("-pk")

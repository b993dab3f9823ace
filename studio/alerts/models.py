"""Alert rules, whom they tell, what they saw, and what was sent. Only `actions`, `matching`,
`watching` and `sending` write here.

A rule fires (`Firing`) once for each thing it watches for; each firing is to be told to each of
the rule's destinations (`Delivery`), until it is sent or given up.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.utils import timezone

from studio.accounts.models import User, Workspace
from studio.custom_views.models import CustomView, new_uid
from studio.runs.models import Run, RunEvent

MAX_NAME = 100
MAX_URL = 2_000


def new_secret() -> str:
    return secrets.token_urlsafe(32)


class Kind(models.TextChoices):
    """What a rule watches."""

    STATUS = "status", "A run changes its status"
    METRIC = "metric", "A metric crosses a value"
    SILENCE = "silence", "No metric for a while"
    DURATION = "duration", "A run takes too long"
    VIEW = "view", "Runs enter or leave a view"


class Edge(models.TextChoices):
    """What a rule on a view watches: runs that enter or leave it, or its number of runs reaching
    `threshold` from below or falling below it."""

    ENTER = "enter", "Runs enter"
    LEAVE = "leave", "Runs leave"
    BOTH = "both", "Runs enter or leave"
    ABOVE = "above", "The number of runs reaches"
    BELOW = "below", "The number of runs falls below"


class Digest(models.TextChoices):
    """Whether what happened is told at once or gathered."""

    NONE = "", "At once"
    HOURLY = "hourly", "Once an hour"
    DAILY = "daily", "Once a day"


DIGEST_EVERY = {Digest.HOURLY: timedelta(hours=1), Digest.DAILY: timedelta(days=1)}


class AlertRuleQuerySet(models.QuerySet["AlertRule"]):
    def of(self, workspace: Workspace) -> Self:
        return self.filter(workspace=workspace)

    def visible_to(self, user: User, *, sees_all: bool) -> Self:
        """Those of the workspace and one's own; with `sees_all` (who edits all) all of them that
        are not on a view, which may be private."""
        seen = models.Q(owner=user) | models.Q(is_shared=True)
        return self.filter(seen | models.Q(view=None) if sees_all else seen)

    def awake(self) -> Self:
        """Those that are on, in workspaces that are open."""
        return self.filter(is_enabled=True, workspace__closed_at=None)

    def watching_status(self) -> Self:
        return self.awake().filter(kind=Kind.STATUS)

    def watching_by_time(self) -> Self:
        """Rules that nothing wakes: they are asked again and again."""
        return self.awake().exclude(kind=Kind.STATUS)


class AlertRule(models.Model):
    """Tell somebody when something happens to runs.

    query: which runs (search grammar, with the owner as “mine”); with `run`, that one only.
    statuses: for STATUS. metric, operator ("<", "<=", ">", ">="), threshold: for METRIC; threshold
    also for the edges ABOVE and BELOW. seconds: for SILENCE and DURATION. view, edge: for VIEW.
    is_shared: a rule of the workspace, which its owners look after; else `owner`'s own, told to
    them alone. once: deleted when it fired. state: what VIEW saw last (alerts.watching).
    """

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="alert_rules")
    uid = models.CharField(max_length=16, unique=True, default=new_uid)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="alert_rules")
    is_shared = models.BooleanField(default=False)
    name = models.CharField(max_length=MAX_NAME)
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.STATUS)
    query = models.TextField(blank=True, default="")
    statuses = models.JSONField(default=list)
    metric = models.CharField(max_length=255, blank=True, default="")
    operator = models.CharField(max_length=2, blank=True, default="")
    threshold = models.FloatField(null=True, blank=True)
    seconds = models.FloatField(null=True, blank=True)
    view = models.ForeignKey(
        CustomView, null=True, blank=True, on_delete=models.CASCADE, related_name="alert_rules"
    )
    edge = models.CharField(max_length=6, choices=Edge.choices, blank=True, default="")
    run = models.ForeignKey(
        Run, null=True, blank=True, on_delete=models.CASCADE, related_name="alert_rules"
    )
    once = models.BooleanField(default=False)
    digest = models.CharField(max_length=6, choices=Digest.choices, blank=True, default=Digest.NONE)
    is_enabled = models.BooleanField(default=True)
    muted_until = models.DateTimeField(null=True, blank=True)
    # Why the studio switched it off itself, in words.
    trouble = models.TextField(blank=True, default="")
    state = models.JSONField(default=dict)
    checked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    changed_at = models.DateTimeField(default=timezone.now)
    changed_by = models.CharField(max_length=200)

    objects = AlertRuleQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["workspace", "kind"], name="rule_of_workspace"),
            models.Index(fields=["checked_at"], name="rule_to_check"),
        ]

    def __str__(self) -> str:
        return self.name

    def is_muted(self, now: datetime) -> bool:
        return self.muted_until is not None and self.muted_until > now


class RuleEvent(models.Model):
    """One change of a rule: who, when, before, after. Never edited; it outlives its rule."""

    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    rule_uid = models.CharField(max_length=16)
    rule_name = models.CharField(max_length=MAX_NAME)
    at = models.DateTimeField(default=timezone.now)
    kind = models.CharField(max_length=30)
    actor = models.CharField(max_length=200)
    actor_user = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)

    class Meta:
        indexes = [models.Index(fields=["workspace", "rule_uid", "-id"], name="event_of_rule")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.rule_name} by {self.actor}"


class Channel(models.TextChoices):
    EMAIL = "email", "E-mail"
    WEBHOOK = "webhook", "Webhook"
    SLACK = "slack", "Slack-compatible webhook"


class Destination(models.Model):
    """Where one rule's news go: to the address of a member, or to a webhook.

    `secret` signs what a webhook gets; it is shown to who edits the rule.
    """

    rule = models.ForeignKey(AlertRule, on_delete=models.CASCADE, related_name="destinations")
    channel = models.CharField(max_length=10, choices=Channel.choices)
    user = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    url = models.CharField(max_length=MAX_URL, blank=True, default="")
    secret = models.CharField(max_length=64, blank=True, default=new_secret)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "channel", "user", "url"], name="destination_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.channel} of {self.rule_id}"


class Firing(models.Model):
    """Something a rule watched for happened. `key` says what, so that it is told once.

    facts: what is told of it, as it was then (alerts.facts). `is_test`: somebody tried the rule.
    """

    rule = models.ForeignKey(AlertRule, on_delete=models.CASCADE, related_name="firings")
    run = models.ForeignKey(Run, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    event = models.ForeignKey(
        RunEvent, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    key = models.CharField(max_length=100)
    at = models.DateTimeField(default=timezone.now)
    facts = models.JSONField(default=dict)
    is_test = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["rule", "key"], name="firing_once")]
        indexes = [models.Index(fields=["at"], name="firing_by_time")]

    def __str__(self) -> str:
        return f"{self.rule_id}: {self.key}"


class State(models.TextChoices):
    """Of a delivery: to be sent (again), being sent, sent, given up, or not wanted any more."""

    WAITING = "waiting", "Waiting"
    SENDING = "sending", "Sending"
    SENT = "sent", "Sent"
    FAILED = "failed", "Given up"
    DROPPED = "dropped", "Not sent"


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def due(self, now: datetime) -> Self:
        """Those to send now, oldest first, and those whose sender died with them."""
        waiting = models.Q(state=State.WAITING, due_at__lte=now)
        left_behind = models.Q(state=State.SENDING, leased_until__lt=now)
        return self.filter(waiting | left_behind).order_by("due_at", "pk")

    def unfinished(self) -> Self:
        return self.filter(state__in=[State.WAITING, State.SENDING])


class Delivery(models.Model):
    """One message to one destination about one firing.

    Several may leave in one message (a digest): they then carry the same `message`, an id that is
    also the mail's Message-ID, made before the first try and kept for all.
    """

    firing = models.ForeignKey(Firing, on_delete=models.CASCADE, related_name="deliveries")
    destination = models.ForeignKey(
        Destination, on_delete=models.CASCADE, related_name="deliveries"
    )
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    due_at = models.DateTimeField(default=timezone.now)
    n_tries = models.IntegerField(default=0)
    message = models.CharField(max_length=40, blank=True, default="")
    lease = models.CharField(max_length=32, blank=True, default="")
    leased_until = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    # The last answer of who was to take it, or why it was not sent, in words.
    trouble = models.TextField(blank=True, default="")

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(fields=["firing", "destination"], name="delivery_once")
        ]
        indexes = [
            models.Index(
                fields=["due_at", "id"],
                name="delivery_due",
                condition=models.Q(state__in=["waiting", "sending"]),
            ),
            models.Index(fields=["destination", "-sent_at"], name="delivery_lately"),
        ]

    def __str__(self) -> str:
        return f"{self.state}: {self.firing_id} to {self.destination_id}"

"""Experiments and runs, and what hangs on a run: description, tags, properties, parameters, events.

Only `lifecycle` writes `Run.status`; only `actions` writes the rest. A foreign key has no index of
its own (`db_index=False`) where a constraint or an index below begins with it: what is written for
each row is most of the cost of writing it.
"""

import uuid
from datetime import datetime

from django.conf import settings
from django.db import models
from django.utils import timezone

from studio.accounts.models import User, Workspace
from studio.compute.models import Job, Target
from studio.runs.attachment_models import Attachment as Attachment
from studio.runs.attachment_models import AttachmentUse as AttachmentUse
from studio.runs.experiment_models import ExperimentDescription as ExperimentDescription
from studio.runs.experiment_models import ExperimentStar as ExperimentStar
from studio.runs.indexes import RUN_INDEXES
from studio.runs.label_models import Parameter as Parameter
from studio.runs.label_models import Property as Property
from studio.runs.label_models import Tag as Tag
from studio.runs.news_models import StatusNews as StatusNews
from studio.runs.querysets import ExperimentQuerySet, RunQuerySet
from studio.runs.status import TERMINAL, Status
from studio.runs.step_models import Dependency as Dependency

UID_RULE = r"^[A-Za-z0-9_\-]{1,256}$"
EXPERIMENT_NAME_RULE = r"^[a-zA-Z0-9][\w\-]{0,254}$"
# So much of a text is kept for sorting.
SORTED_CHARS = 80


def new_uid() -> str:
    return uuid.uuid4().hex


class Experiment(models.Model):
    """A named group of runs."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="experiments")
    name = models.CharField(max_length=255)
    # The name that a foreign client gave, where it can't stand in an address; "" for `name` itself.
    title = models.CharField(max_length=500, blank=True, default="")
    description = models.TextField(blank=True)
    # Grows by one with each save of the description.
    description_version = models.IntegerField(default=0)
    tags = models.JSONField(default=dict, blank=True)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    archived_at = models.DateTimeField(null=True, blank=True)
    latest_run_at = models.DateTimeField(null=True, blank=True)
    last_number = models.IntegerField(default=0)

    objects = ExperimentQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "name"], name="experiment_name_once"),
            models.UniqueConstraint(
                fields=["workspace", "title"],
                name="experiment_title_once",
                condition=~models.Q(title=""),
            ),
        ]
        indexes = [
            models.Index(fields=["workspace", "-latest_run_at"], name="experiment_latest"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def shown_name(self) -> str:
        """What people call it: its title, else its name."""
        return self.title or self.name


def colour_of(uid: str) -> int:
    """`Run.colour` of the run with this uid."""
    return int.from_bytes(uid.encode()[-4:], "big") % 12


class Run(models.Model):
    """One training run. `uid` is its name outside; `id` orders pages and never leaves."""

    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, related_name="runs", db_index=False
    )
    experiment = models.ForeignKey(
        Experiment, on_delete=models.CASCADE, related_name="runs", db_index=False
    )
    uid = models.CharField(max_length=256, default=new_uid)
    number = models.IntegerField()
    display_name = models.CharField(max_length=255)
    type = models.CharField(max_length=20, default="interactive")

    parent = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="children",
        db_index=False,
    )
    # Empty on a root run, so that inserting one needs no second write.
    root = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="descendants",
        db_index=False,
    )

    submitter = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="runs", db_index=False
    )
    target = models.ForeignKey(
        Target,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="runs",
        db_index=False,
    )
    job = models.OneToOneField(
        Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="run"
    )

    status = models.CharField(max_length=20, choices=Status.choices, default=Status.NOT_STARTED)
    status_at = models.DateTimeField(default=timezone.now)
    status_reason = models.TextField(blank=True, default="")
    # What a run that stopped responding goes back to when it is heard again.
    status_before_silence = models.CharField(max_length=20, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    duration_s = models.FloatField(null=True, blank=True)
    last_beat_at = models.DateTimeField(null=True, blank=True)
    # False: its client says nothing between two writes, so that a long silence is no bad sign.
    has_heartbeat = models.BooleanField(default=True)
    max_duration_s = models.FloatField(null=True, blank=True)

    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_by = models.CharField(max_length=200, blank=True, default="")
    cancel_reason = models.TextField(blank=True, default="")

    error = models.JSONField(null=True, blank=True)
    exit_code = models.IntegerField(null=True, blank=True)
    exit_signal = models.IntegerField(null=True, blank=True)
    # Of an end that was not the script's own, and of silence: `execution.evidence` says what.
    evidence = models.JSONField(null=True, blank=True)
    warnings = models.JSONField(default=list)

    script = models.TextField(blank=True, default="")
    arguments = models.JSONField(default=list)
    snapshot = models.CharField(max_length=64, blank=True, default="")
    archived_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)
    deleted_by = models.CharField(max_length=200, null=True, blank=True)
    # The id of the run whose deletion put this one in the trash: its own, or one above it.
    deleted_with = models.BigIntegerField(null=True, blank=True)

    # What lists sort by; None for nothing. Child runs outside the trash (`families.recount`); the
    # first tag and the first line of the description (`searchtext`).
    n_children = models.IntegerField(null=True, blank=True)
    first_tag = models.CharField(max_length=SORTED_CHARS, null=True, blank=True)
    description_start = models.CharField(max_length=SORTED_CHARS, null=True, blank=True)

    objects = RunQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "uid"], name="run_uid_once"),
            models.CheckConstraint(
                condition=models.Q(status__in=Status.values), name="run_known_status"
            ),
            models.CheckConstraint(
                condition=~models.Q(status__in=sorted(TERMINAL)) | models.Q(ended_at__isnull=False),
                name="run_terminal_has_end",
            ),
        ]
        indexes = RUN_INDEXES

    def __str__(self) -> str:
        return f"{self.display_name} ({self.short_uid})"

    @property
    def short_uid(self) -> str:
        return self.uid[:8]

    @property
    def is_terminal(self) -> bool:
        return self.status in TERMINAL

    @property
    def colour(self) -> int:
        """One of 12 palette slots, the same for this run everywhere and always."""
        return colour_of(self.uid)

    def elapsed_s(self, now: datetime | None = None) -> float | None:
        """Seconds from start to end, or to now while it runs; None before it started."""
        if self.duration_s is not None:
            return self.duration_s
        if self.started_at is None:
            return None
        return max(0.0, ((now or timezone.now()) - self.started_at).total_seconds())

    @property
    def page_path(self) -> str:
        return f"/w/{self.workspace.name}/runs/{self.uid}"

    @property
    def page_url(self) -> str:
        return f"{settings.STUDIO_BASE_URL}{self.page_path}"


class RunDefinition(models.Model):
    """How the run was started: command line, environment, packages, git facts. Written once."""

    run = models.OneToOneField(
        Run, primary_key=True, on_delete=models.CASCADE, related_name="definition"
    )
    facts = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"definition of {self.run_id}"


class Description(models.Model):
    """A run's Markdown with its cleaned HTML; `version` grows by one with each save."""

    run = models.OneToOneField(
        Run, primary_key=True, on_delete=models.CASCADE, related_name="description_row"
    )
    text = models.TextField(blank=True, default="")
    html = models.TextField(blank=True, default="")
    renderer_version = models.IntegerField(default=0)
    version = models.IntegerField(default=1)
    edited_by = models.CharField(max_length=200, blank=True, default="")
    edited_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"description of {self.run_id}"


class RunText(models.Model):
    """What bare words search: name, description and tags in one casefolded column.

    Mirrored by triggers into an FTS5 trigram table on SQLite; has a trigram index on PostgreSQL.
    """

    run = models.OneToOneField(Run, primary_key=True, on_delete=models.CASCADE, related_name="text")
    body = models.TextField(default="")

    def __str__(self) -> str:
        return f"search text of {self.run_id}"


class Star(models.Model):
    """A person's favourite run."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="stars", db_index=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="stars")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "run"], name="star_once")]

    def __str__(self) -> str:
        return f"{self.user_id} stars {self.run_id}"


class RunEvent(models.Model):
    """One change of a run: who, when, before, after. Never edited."""

    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="events", db_index=False)
    at = models.DateTimeField(default=timezone.now)
    kind = models.CharField(max_length=30)
    actor = models.CharField(max_length=200)
    actor_user = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    message = models.TextField(blank=True, default="")
    # The uid of the background work that did it, which can be undone by these lines.
    work = models.CharField(max_length=32, null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["run", "id"], name="event_of_run"),
            models.Index(fields=["workspace", "-id"], name="event_newest"),
            models.Index(
                fields=["work", "id"],
                name="event_of_work",
                condition=models.Q(work__isnull=False),
            ),
            models.Index(
                fields=["workspace", "-id"],
                name="status_event_newest",
                condition=models.Q(kind="status"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.run_id} by {self.actor}"


class ExperimentEvent(models.Model):
    """One change of an experiment: who, when, before, after. Never edited."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    experiment = models.ForeignKey(
        Experiment, on_delete=models.CASCADE, related_name="events", db_index=False
    )
    at = models.DateTimeField(default=timezone.now)
    kind = models.CharField(max_length=30)
    actor = models.CharField(max_length=200)
    actor_user = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)

    class Meta:
        indexes = [models.Index(fields=["experiment", "id"], name="event_of_experiment")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.experiment_id} by {self.actor}"

"""Files of runs and the sources they were submitted with. Bytes live in `blobs`, under keys that
the studio makes; names given by people are labels, never paths."""

import hashlib
from typing import Self

from django.db import models
from django.db.models.functions import Left
from django.utils import timezone

from studio.accounts.models import Workspace
from studio.runs.models import Run

MAIN_LOG = "logs/output.txt"
# What was said while the Python environment of the run was built.
ENVIRONMENT_LOG = "logs/environment.txt"


class ArtifactQuerySet(models.QuerySet["Artifact"]):
    def of(self, run: Run, *, below: str = "") -> Self:
        """The run's files whose paths begin with `below`, told apart by case on every database
        (`startswith` is not on SQLite)."""
        found = self.filter(run=run)
        return found.alias(top=Left("path", len(below))).filter(top=below) if below else found


class Artifact(models.Model):
    """One file of a run. A log is an artifact that still grows (`is_complete` false)."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="artifacts")
    path = models.TextField()
    # The unique constraint is over the hash: a label may have 5,000 characters.
    path_hash = models.CharField(max_length=64)
    blob_key = models.CharField(max_length=200)
    n_bytes = models.BigIntegerField(default=0)
    digest = models.CharField(max_length=64, blank=True, default="")
    content_type = models.CharField(max_length=100, default="application/octet-stream")
    is_log = models.BooleanField(default=False)
    is_complete = models.BooleanField(default=True)
    # Why bytes are missing, in words for the page ("12 KB lost: the disk was full").
    damage = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    objects = ArtifactQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "path_hash"], name="artifact_once")]

    def __str__(self) -> str:
        return self.path


def hash_of_path(path: str) -> str:
    return hashlib.sha256(path.encode()).hexdigest()


class Snapshot(models.Model):
    """The source of a submission: a list of files by digest. `digest` is the hash of that list,
    so the same tree submitted twice is one snapshot."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="snapshots")
    digest = models.CharField(max_length=64)
    files = models.JSONField(default=list)
    n_bytes = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "digest"], name="snapshot_once")
        ]

    def __str__(self) -> str:
        return self.digest[:12]


class SourceBlob(models.Model):
    """A file some snapshot may use, already stored in this workspace (never across workspaces:
    knowing a digest must not give anybody the bytes)."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    digest = models.CharField(max_length=64)
    n_bytes = models.BigIntegerField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "digest"], name="blob_once")]

    def __str__(self) -> str:
        return self.digest[:12]


class Removal(models.Model):
    """Bytes whose rows were purged: all keys that begin with `prefix` are to be deleted."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    prefix = models.CharField(max_length=200)
    n_bytes = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.prefix


class Upload(models.Model):
    """A file that somebody sent to be imported; kept until that is done."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    uid = models.CharField(max_length=32, unique=True)
    blob_key = models.CharField(max_length=200)
    # What its sender calls it: a label, never a path.
    name = models.CharField(max_length=255)
    n_bytes = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name


class LogSearch(models.Model):
    """A text that was looked for in the logs of many runs, kept so that a list can filter by it."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    text = models.TextField()
    # Upper and lower case are the same in it; unique over a hash, as a text may be long.
    key = models.CharField(max_length=64)
    # The background work that looked last, and when it began.
    work_uid = models.CharField(max_length=32, blank=True, default="")
    started_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "key"], name="log_search_once")]

    def __str__(self) -> str:
        return self.text[:80]


class LogFinding(models.Model):
    """What a search found in the logs of one run: the first line that matches, or none.

    `is_pending`: yet to be looked at; n_bytes: of all its logs, when they were.
    """

    search = models.ForeignKey(LogSearch, on_delete=models.CASCADE, related_name="findings")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="+")
    is_pending = models.BooleanField(default=True)
    n_bytes = models.BigIntegerField(default=0)
    path = models.TextField(blank=True, default="")
    line = models.BigIntegerField(null=True, blank=True)
    # (text, whether it matched) of that line, bounded.
    parts = models.JSONField(default=list)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["search", "run"], name="log_finding_once")]
        indexes = [
            models.Index(
                fields=["search", "-run"],
                name="log_finding_hits",
                condition=models.Q(line__isnull=False),
            ),
            models.Index(
                fields=["search"], name="log_finding_pending", condition=models.Q(is_pending=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.search_id}: line {self.line} of run {self.run_id}"

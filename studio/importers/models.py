"""What was imported from where, so that a second import of the same makes no doubles."""

from django.db import models
from django.utils import timezone

from studio.accounts.models import Workspace
from studio.runs.models import Run


class ImportedRun(models.Model):
    """One run of another tracker and what of it is here.

    run: None once it was purged here: it is not brought back unless somebody asks. digest: of the
    record's plain values; version: the reader's own (records.RunRecord). points: for each metric
    [how many points of the source are stored, CRC-32 of these]. is_whole: points and files were
    read to their end; until then an import goes on with it. is_open: it was going on in the source.
    """

    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    source = models.CharField(max_length=100)
    origin = models.CharField(max_length=300)
    run = models.ForeignKey(Run, null=True, on_delete=models.SET_NULL, related_name="+")
    digest = models.CharField(max_length=64, blank=True, default="")
    version = models.CharField(max_length=100, blank=True, default="")
    points = models.JSONField(default=dict)
    is_whole = models.BooleanField(default=False)
    is_open = models.BooleanField(default=False)
    # The uid of the background work that brought it, "" for an import on the command line.
    work = models.CharField(max_length=32, blank=True, default="")
    imported_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "source", "origin"], name="imported_run_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.origin} of {self.source}"

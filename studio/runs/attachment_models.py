"""Images uploaded into descriptions, and which descriptions name them. Their bytes are in `blobs`,
written and freed by `artifacts.attachments`."""

from django.db import models
from django.utils import timezone

from studio.accounts.models import Workspace


class Attachment(models.Model):
    """An image of a workspace. `digest`: the first 40 hex digits of its SHA-256, by which
    descriptions name it; the same image uploaded twice is one. `uploaded_at`: the last time."""

    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    digest = models.CharField(max_length=40)
    blob_key = models.CharField(max_length=200)
    name = models.CharField(max_length=255)
    content_type = models.CharField(max_length=20)
    n_bytes = models.BigIntegerField()
    uploaded_by = models.CharField(max_length=200)
    uploaded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "digest"], name="attachment_once")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def address(self) -> str:
        """What a description names it by; it holds no workspace, so texts can be moved."""
        return f"attachment:{self.digest}"


class AttachmentUse(models.Model):
    """Some version of a description names the image. Versions stay, so a use goes only with its run
    or experiment."""

    attachment = models.ForeignKey(Attachment, on_delete=models.CASCADE, related_name="uses")
    run = models.ForeignKey("runs.Run", null=True, on_delete=models.CASCADE, related_name="+")
    experiment = models.ForeignKey(
        "runs.Experiment", null=True, on_delete=models.CASCADE, related_name="+"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["attachment", "run"], name="attachment_of_run"),
            models.UniqueConstraint(
                fields=["attachment", "experiment"], name="attachment_of_experiment"
            ),
        ]

    def __str__(self) -> str:
        return f"use of attachment {self.attachment_id}"

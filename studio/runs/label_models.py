"""What labels a run: tags, properties, parameters.

A foreign key has no index of its own (`db_index=False`) where a constraint or an index below begins
with it.
"""

from django.db import models

from studio.accounts.models import Workspace
from studio.runs.limits import whole_value


class Tag(models.Model):
    """A mutable label of a run; the value is optional."""

    run = models.ForeignKey(
        "runs.Run", on_delete=models.CASCADE, related_name="tags", db_index=False
    )
    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    key = models.CharField(max_length=255)
    value = models.TextField(null=True, blank=True)
    # What follows a value that is too long for the index.
    rest = models.TextField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "key"], name="tag_once")]
        indexes = [models.Index(fields=["workspace", "key", "value", "-run"], name="tag_lookup")]

    def __str__(self) -> str:
        return self.key if self.value is None else f"{self.key}: {self.value}"

    @property
    def whole_value(self) -> str | None:
        """The value with what did not fit the index."""
        return whole_value(self.value, self.rest)


class Property(models.Model):
    """A write-once fact of a run."""

    run = models.ForeignKey(
        "runs.Run", on_delete=models.CASCADE, related_name="properties", db_index=False
    )
    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    key = models.CharField(max_length=255)
    value = models.TextField()

    class Meta:
        verbose_name_plural = "properties"
        constraints = [models.UniqueConstraint(fields=["run", "key"], name="property_once")]
        indexes = [
            models.Index(fields=["workspace", "key", "value", "-run"], name="property_lookup")
        ]

    def __str__(self) -> str:
        return f"{self.key}: {self.value}"

    @property
    def whole_value(self) -> str:
        """Its value, as of the other labels."""
        return self.value


class Parameter(models.Model):
    """An input of the training; `number` is set when the text is one, for comparing and sorting."""

    run = models.ForeignKey(
        "runs.Run", on_delete=models.CASCADE, related_name="parameters", db_index=False
    )
    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    key = models.CharField(max_length=255)
    value = models.TextField()
    # What follows a value that is too long for the index.
    rest = models.TextField(null=True, blank=True)
    number = models.FloatField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "key"], name="parameter_once")]
        indexes = [
            models.Index(fields=["workspace", "key", "value", "-run"], name="parameter_lookup"),
            models.Index(fields=["workspace", "key", "number", "-run"], name="parameter_number"),
        ]

    def __str__(self) -> str:
        return f"{self.key}: {self.value}"

    @property
    def whole_value(self) -> str:
        """The value with what did not fit the index."""
        return whole_value(self.value, self.rest) or ""

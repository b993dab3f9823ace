"""Metrics of runs: one summary row per name, points packed in chunks, batches seen."""

from collections.abc import Sequence
from typing import Self

from django.db import models
from django.db.models.functions import Left
from django.db.models.lookups import Exact
from django.utils import timezone

from studio.accounts.models import Workspace
from studio.runs.models import Run
from studio.wire.measures import PREFIX


class Kind(models.TextChoices):
    SCALAR = "scalar", "Scalar"
    LIST = "list", "List"
    TEXT = "text", "Text"
    TABLE = "table", "Table"
    IMAGE = "image", "Image"
    CONFUSION_MATRIX = "confusion_matrix", "Confusion matrix"
    ACCURACY_TABLE = "accuracy_table", "Accuracy table"
    RESIDUALS = "residuals", "Residuals"
    PREDICTIONS = "predictions", "Predictions"


NUMERIC = frozenset({Kind.SCALAR, Kind.LIST})


def _begins(start: str) -> models.Q:
    """Names that begin with `start`. Not LIKE, which takes no heed of case on SQLite, and no range,
    which depends on the collation."""
    return models.Q(Exact(Left("name", len(start)), models.Value(start)))


# Metrics that a training logged: those of a machine (`system/…`) are shown apart from them.
ORDINARY = ~_begins(PREFIX)


class _IsInfinite(models.Func):
    """Whether a text is one of two. They are written out, as in the index `metric_infinite`: SQLite
    takes an index of some rows only for a query with the same words."""

    template = "%(expressions)s IN ('Infinity', '-Infinity')"
    arity = 1
    output_field = models.BooleanField()


def infinite(words: Sequence[str]) -> models.Q:
    """Numbers of which the last is one of `words`: "Infinity", "-Infinity". That it is empty is not
    asked: databases would take that for a reason to read all that ended with NaN."""
    among = models.Q(last_text__in=words, kind__in=sorted(NUMERIC))
    return models.Q(_IsInfinite("last_text")) & among


class MetricQuerySet(models.QuerySet["Metric"]):
    """Metrics by whom they are of."""

    def ordinary(self) -> Self:
        """What the training logged."""
        return self.filter(ORDINARY)

    def of_machines(self, host: str = "") -> Self:
        """Samples of the machines a run used, of one `host` only when it is given."""
        return self.filter(_begins(f"{PREFIX}{host}/" if host else PREFIX))


class Metric(models.Model):
    """Summary of one metric of one run; what lists sort and filter by.

    `last` is the value with the greatest (step, time, value); NaN never becomes min or max. For
    kinds without numbers the five value columns stay empty and `last_text` holds what a cell shows.
    """

    # Neither has an index of its own: those below begin with them.
    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="metrics", db_index=False)
    name = models.CharField(max_length=255)
    kind = models.CharField(max_length=20, choices=Kind.choices, default=Kind.SCALAR)
    n_points = models.BigIntegerField(default=0)
    n_open_chunks = models.IntegerField(default=0)
    next_step = models.BigIntegerField(default=0)
    last = models.FloatField(null=True, blank=True)
    # FloatField can't hold NaN on every database: what `last` is when it is not finite.
    last_text = models.TextField(blank=True, default="")
    last_step = models.BigIntegerField(null=True, blank=True)
    last_at = models.FloatField(null=True, blank=True)
    min = models.FloatField(null=True, blank=True)
    min_step = models.BigIntegerField(null=True, blank=True)
    max = models.FloatField(null=True, blank=True)
    max_step = models.BigIntegerField(null=True, blank=True)

    objects = MetricQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "name"], name="metric_once")]
        indexes = [
            # Sort and filter the run list by a metric's last, min or max.
            models.Index(fields=["workspace", "name", "last", "-run"], name="metric_by_last"),
            models.Index(fields=["workspace", "name", "min", "-run"], name="metric_by_min"),
            models.Index(fields=["workspace", "name", "max", "-run"], name="metric_by_max"),
        ]

    def __str__(self) -> str:
        return self.name


class MetricChunk(models.Model):
    """Up to a few thousand points of one metric, packed; the bytes are described in `packing`."""

    metric = models.ForeignKey(
        Metric, on_delete=models.CASCADE, related_name="chunks", db_index=False
    )
    n_points = models.IntegerField()
    is_open = models.BooleanField(default=True)
    # Lowest and highest step in it: which chunk to read for one step.
    first_step = models.BigIntegerField(default=0)
    last_step = models.BigIntegerField(default=0)
    data = models.BinaryField()

    class Meta:
        indexes = [models.Index(fields=["metric", "id"], name="chunk_of_metric")]

    def __str__(self) -> str:
        return f"{self.n_points} points of {self.metric_id}"


class Outline(models.Model):
    """What a chart over everything needs of a full chunk: its M4 points, a few hundred, packed, and
    how many of all its points are NaN or infinite, and not above 0.

    A table of its own: behind the chunk's bytes SQLite would have to walk through all of them.
    """

    chunk = models.OneToOneField(
        MetricChunk, on_delete=models.CASCADE, primary_key=True, related_name="outline"
    )
    data = models.BinaryField()
    n_gaps = models.IntegerField(default=0)
    n_low = models.IntegerField(default=0)

    def __str__(self) -> str:
        return f"outline of {self.chunk_id}"


class Batch(models.Model):
    """A batch that was stored: sent again (a retry), it is answered and not stored twice."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="batches", db_index=False)
    batch_id = models.CharField(max_length=64)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "batch_id"], name="batch_once")]

    def __str__(self) -> str:
        return self.batch_id

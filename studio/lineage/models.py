"""Data sets that went into runs, and the models that came out. The files of a model are artifacts
of the run that keeps it; docs/adr/0047 says why."""

import re
import uuid

from django.db import models
from django.utils import timezone

from studio.accounts.models import Workspace
from studio.lineage.querysets import DatasetQuerySet, LoggedModelQuerySet, RunInputQuerySet
from studio.runs.models import Experiment, Run

MODEL_UID_RULE = r"m-[0-9a-f]{32}"
# Below this folder of a run, a folder for each model is called by its uid.
MODELS_FOLDER = "models/"
_OF_MODEL = re.compile(rf"{MODELS_FOLDER}({MODEL_UID_RULE})(?:/(.*))?", re.DOTALL)


def new_model_uid() -> str:
    return f"m-{uuid.uuid4().hex}"


def model_of_label(label: str) -> tuple[str, str] | None:
    """(uid of a model, path within its files) of an artifact's label; None for other files."""
    found = _OF_MODEL.fullmatch(label)
    return (found[1], found[2] or "") if found else None


class Dataset(models.Model):
    """What a run was trained or judged with, as its client describes it: never the data."""

    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    experiment = models.ForeignKey(
        Experiment, on_delete=models.CASCADE, related_name="datasets", db_index=False
    )
    name = models.CharField(max_length=500)
    digest = models.CharField(max_length=255)
    source_type = models.CharField(max_length=255, blank=True, default="")
    source = models.TextField(blank=True, default="")
    # Named so because a model's `schema` would be mistaken for the database's.
    schema_text = models.TextField(blank=True, default="")
    profile = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now)

    objects = DatasetQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["experiment", "name", "digest"], name="dataset_once")
        ]
        indexes = [models.Index(fields=["workspace", "-id"], name="dataset_newest")]

    def __str__(self) -> str:
        return f"{self.name} ({self.digest})"


class RunInput(models.Model):
    """A data set that a run used, and for what: `context` is the client's word, "train" or "eval".

    labels: what else the client says of this use, by key."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="inputs", db_index=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="uses")
    context = models.CharField(max_length=255, blank=True, default="")
    labels = models.JSONField(default=dict)

    objects = RunInputQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "dataset", "context"], name="run_input_once")
        ]

    def __str__(self) -> str:
        return f"{self.dataset_id} into {self.run_id}"


class ModelStatus(models.TextChoices):
    PENDING = "pending", "Being uploaded"
    READY = "ready", "Ready"
    FAILED = "failed", "Upload failed"


class LoggedModel(models.Model):
    """A model that was logged. `run` keeps its files: the run that made it or, when the client
    named none (`is_carried`), one that was made to carry it."""

    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    # That of the run, which finding models of one name in an experiment must not read.
    experiment = models.ForeignKey(
        Experiment, on_delete=models.CASCADE, related_name="logged_models", db_index=False
    )
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="models_kept")
    uid = models.CharField(max_length=34, default=new_model_uid)
    name = models.CharField(max_length=255)
    model_type = models.CharField(max_length=255, blank=True, default="")
    is_carried = models.BooleanField(default=False)
    status = models.CharField(
        max_length=20, choices=ModelStatus.choices, default=ModelStatus.PENDING
    )
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)
    deleted_at = models.DateTimeField(null=True, blank=True)

    # Read by `with_labels`.
    points: "list[ModelMetric]"

    objects = LoggedModelQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "uid"], name="logged_model_once")
        ]
        indexes = [
            models.Index(fields=["experiment", "-created_at", "-id"], name="logged_model_newest"),
            models.Index(
                fields=["experiment", "name", "-created_at", "-id"], name="logged_model_named"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.uid})"

    @property
    def source_run_uid(self) -> str:
        """The run that made it, "" when its client named none; `run` must be loaded."""
        return "" if self.is_carried else self.run.uid

    @property
    def folder(self) -> str:
        """What the labels of its files begin with, among those of its run."""
        return f"{MODELS_FOLDER}{self.uid}/"


class ModelLabel(models.Model):
    """A parameter (write-once) or a tag of a model."""

    class Kind(models.TextChoices):
        PARAM = "param", "Parameter"
        TAG = "tag", "Tag"

    model = models.ForeignKey(
        LoggedModel, on_delete=models.CASCADE, related_name="labels", db_index=False
    )
    kind = models.CharField(max_length=5, choices=Kind.choices)
    key = models.CharField(max_length=255)
    value = models.TextField(blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["model", "kind", "key"], name="model_label_once")
        ]

    def __str__(self) -> str:
        return f"{self.key}: {self.value}"


class ModelMetric(models.Model):
    """A point that a run logged of a model, also as a point of the run's own metric. at_ms: since
    1970. The newest of each model are kept here (`actions.MOST_POINTS`), all with the run."""

    model = models.ForeignKey(
        LoggedModel, on_delete=models.CASCADE, related_name="metrics", db_index=False
    )
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=255)
    # None is NaN, which not every database can hold.
    value = models.FloatField(null=True)
    step = models.BigIntegerField(default=0)
    at_ms = models.BigIntegerField(default=0)
    dataset_name = models.CharField(max_length=500, blank=True, default="")
    dataset_digest = models.CharField(max_length=255, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["model", "name", "run", "step", "at_ms", "dataset_name", "dataset_digest"],
                name="model_metric_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.value}"


class ModelInput(models.Model):
    """A model that a run used."""

    run = models.ForeignKey(
        Run, on_delete=models.CASCADE, related_name="models_used", db_index=False
    )
    model = models.ForeignKey(LoggedModel, on_delete=models.CASCADE, related_name="used_by")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "model"], name="model_input_once")]

    def __str__(self) -> str:
        return f"{self.model_id} into {self.run_id}"


class RunOutput(models.Model):
    """A model that came out of a run, at a step of its training."""

    run = models.ForeignKey(
        Run, on_delete=models.CASCADE, related_name="models_made", db_index=False
    )
    model = models.ForeignKey(LoggedModel, on_delete=models.CASCADE, related_name="outputs")
    step = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "model"], name="run_output_once")]

    def __str__(self) -> str:
        return f"{self.model_id} out of {self.run_id}"

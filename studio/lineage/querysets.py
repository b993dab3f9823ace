"""Queries about data sets and logged models; callers bring the workspace they checked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models import Exists, OuterRef
from django.db.models.functions import Length

from studio.accounts.models import Workspace
from studio.runs.models import Experiment, Run

if TYPE_CHECKING:
    from studio.lineage.models import Dataset, LoggedModel, RunInput  # noqa: F401  (as text below)


class DatasetQuerySet(models.QuerySet["Dataset"]):
    def unused(self) -> Self:
        """Those that no run uses any more."""
        from studio.lineage.models import RunInput

        return self.filter(~Exists(RunInput.objects.filter(dataset=OuterRef("pk"))))


class RunInputQuerySet(models.QuerySet["RunInput"]):
    def into(self, runs: Iterable[Run]) -> Self:
        """What these runs used, each with its data set but for the long texts of it, of which
        `n_chars` tells the length (1 query)."""
        return (
            self.filter(run__in=[run.pk for run in runs])
            .select_related("dataset")
            .defer("dataset__schema_text", "dataset__profile")
            .annotate(n_chars=Length("dataset__schema_text") + Length("dataset__profile"))
            .order_by("pk")
        )


class LoggedModelQuerySet(models.QuerySet["LoggedModel"]):
    def of(self, workspace: Workspace, *, deleted: bool = False) -> Self:
        """The workspace's models with their runs; `deleted`: also those that were deleted, by
        themselves or with their run."""
        found = self.filter(workspace=workspace).select_related("run", "experiment")
        return found if deleted else found.filter(deleted_at=None, run__deleted_at=None)

    def in_experiments(self, experiments: Sequence[Experiment]) -> Self:
        return self.filter(experiment__in=[one.pk for one in experiments])

    def with_labels(self, *, most_points: int | None = None) -> Self:
        """With what an answer tells of each: labels, and `points`, of each model the first
        `most_points` by name and step (2 queries more)."""
        points: Any = models.Prefetch("metrics", queryset=_points()[:most_points], to_attr="points")
        return self.prefetch_related("labels", points)


def _points() -> Any:
    from studio.lineage.models import ModelMetric

    return ModelMetric.objects.select_related("run").order_by("name", "step", "at_ms", "pk")

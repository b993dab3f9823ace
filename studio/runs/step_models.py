"""What makes child runs the steps of a pipeline: which of them waits for which."""

from typing import Self

from django.db import models
from django.db.models import Exists, OuterRef

from studio.runs.status import Status

# After these a run never becomes Completed: what depends on it never starts.
DOOMING = (Status.FAILED, Status.CANCELED)


class DependencyQuerySet(models.QuerySet["Dependency"]):
    def unmet(self) -> Self:
        """Those whose step must wait."""
        return self.exclude(needs__status=Status.COMPLETED)

    def dooming(self) -> Self:
        """Those whose step can never start."""
        return self.filter(needs__status__in=DOOMING)

    def of_job(self) -> Exists:
        """Whether there is one for the run of a job, in a query of jobs."""
        return Exists(self.filter(run__job=OuterRef("pk")))


class Dependency(models.Model):
    """A submitted `run` starts only when `needs`, a child run of the same parent, is Completed."""

    run = models.ForeignKey(
        "runs.Run", on_delete=models.CASCADE, related_name="dependencies", db_index=False
    )
    needs = models.ForeignKey("runs.Run", on_delete=models.CASCADE, related_name="dependents")

    objects = DependencyQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "dependencies"
        constraints = [models.UniqueConstraint(fields=["run", "needs"], name="dependency_once")]

    def __str__(self) -> str:
        return f"{self.run_id} after {self.needs_id}"

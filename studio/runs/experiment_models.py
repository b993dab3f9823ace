"""What hangs on an experiment: people's stars, and its description as HTML."""

from django.db import models
from django.utils import timezone

from studio.accounts.models import User


class ExperimentStar(models.Model):
    """A person's favourite experiment."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="experiment_stars")
    experiment = models.ForeignKey(
        "runs.Experiment", on_delete=models.CASCADE, related_name="stars"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "experiment"], name="experiment_star_once")
        ]

    def __str__(self) -> str:
        return f"{self.user_id} stars {self.experiment_id}"


class ExperimentDescription(models.Model):
    """An experiment's description as cleaned HTML, apart from its row so that lists stay light;
    the Markdown itself and its version are in the row."""

    experiment = models.OneToOneField(
        "runs.Experiment",
        primary_key=True,
        on_delete=models.CASCADE,
        related_name="description_row",
    )
    html = models.TextField(blank=True, default="")
    renderer_version = models.IntegerField(default=0)
    edited_by = models.CharField(max_length=200, blank=True, default="")
    edited_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"description of experiment {self.experiment_id}"

    @property
    def text(self) -> str:
        return self.experiment.description

    @property
    def version(self) -> int:
        return self.experiment.description_version

"""Status changes that nobody has been told of yet."""

from django.db import models


class StatusNews(models.Model):
    """A status event that no alert rule has looked at: written with the event, in its transaction,
    and deleted with what the rules made of it, in theirs. So none is missed, and none counts twice.
    """

    event = models.OneToOneField(
        "runs.RunEvent", primary_key=True, on_delete=models.CASCADE, related_name="news"
    )

    class Meta:
        verbose_name_plural = "status news"

    def __str__(self) -> str:
        return f"news of event {self.event_id}"

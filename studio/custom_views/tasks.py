"""Celery task: what empties itself with time."""

from celery import shared_task

from studio.compute.doorbell import FORGET_VIEWS
from studio.custom_views.forgetting import forget_views


@shared_task(name=FORGET_VIEWS)
def forget() -> None:
    """Every day."""
    forget_views()

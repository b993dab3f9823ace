"""Celery tasks: short rings for the agent of the process they land in."""

from celery import shared_task

from studio.compute.doorbell import DELIVER_CANCEL, TIDY, WAKE
from studio.execution.agent import current
from studio.metrics.actions import merge_chunks
from studio.runs.models import Run


@shared_task(name=WAKE)
def wake() -> None:
    """A job waits on the target of this queue."""
    if agent := current():
        agent.wake()


@shared_task(name=DELIVER_CANCEL)
def deliver_cancel(job_id: int) -> None:
    """A job held by this node was asked to stop."""
    if agent := current():
        agent.wake_cancel()


@shared_task(name=TIDY)
def tidy_run(run_id: int) -> None:
    """A run ended: its many small chunks of points become few large ones."""
    merge_chunks(Run.objects.filter(pk=run_id))

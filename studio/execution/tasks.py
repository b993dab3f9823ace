"""Celery tasks: short rings for the agent of the process they land in."""

from celery import shared_task

from studio.compute.doorbell import DELIVER_CANCEL, WAKE
from studio.execution.agent import current


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

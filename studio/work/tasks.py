"""Celery tasks: a ring for work that is written down."""

from celery import shared_task

from studio.work import running
from studio.work.actions import RUN_WORK


@shared_task(name=RUN_WORK)
def run_work(work_id: int) -> None:
    """A work waits, or was handed over."""
    running.run_work(work_id)

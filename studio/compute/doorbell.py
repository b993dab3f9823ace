"""Ringing workers through Celery. The row is already written: a lost ring only costs seconds."""

import logging

from celery import current_app
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)

WAKE = "studio.wake"
DELIVER_CANCEL = "studio.deliver_cancel"
TIDY = "studio.tidy_run"
EXPIRE_TRASH = "studio.expire_trash"
SWEEP_ORPHANS = "studio.sweep_orphans"
FORGET_VIEWS = "studio.forget_views"
MATCH_NEWS = "studio.match_news"
WATCH_RULES = "studio.watch_rules"
SEND_ALERTS = "studio.send_alerts"
FORGET_ALERTS = "studio.forget_alerts"


def ring(task: str, *, queue: str, **kwargs: object) -> bool:
    """Send one short task; False (and a warning) when the broker can't be reached."""
    try:
        current_app.send_task(task, kwargs=kwargs, queue=queue, ignore_result=True, retry=False)
    except (OperationalError, OSError) as error:
        # Workers poll the database too, so the work is late, not lost.
        logger.warning("broker unreachable task=%s queue=%s error=%s", task, queue, error)
        return False
    return True


def ring_target(queue: str) -> bool:
    """Tell the workers of a target that a job waits."""
    return ring(WAKE, queue=queue)


def ring_cancel(node: str, job_id: int) -> bool:
    """Tell the worker that holds a job to look at its cancel request now."""
    return ring(DELIVER_CANCEL, queue=f"node.{node}", job_id=job_id)


def ring_expiry() -> bool:
    """Any worker: purge what has been in the trash long enough."""
    return ring(EXPIRE_TRASH, queue="studio")


def ring_sweep() -> bool:
    """Any worker: delete bytes that nothing names, and what was deleted or told long ago."""
    return all(ring(task, queue="studio") for task in (SWEEP_ORPHANS, FORGET_VIEWS, FORGET_ALERTS))


def ring_rules() -> bool:
    """Any worker: ask the alert rules that no event wakes, and tell what is due."""
    return _ring_or_do(WATCH_RULES)


def ring_news() -> bool:
    """Any worker: look which alert rules the newest status changes concern."""
    return _ring_or_do(MATCH_NEWS)


def _ring_or_do(task: str) -> bool:
    """Without a broker the calling worker does it itself: nobody else would ever be rung. False
    then, as of every ring that was not heard."""
    if ring(task, queue="studio"):
        return True
    current_app.tasks[task]()
    return False

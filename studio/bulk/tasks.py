"""Celery tasks: what empties itself with time."""

from celery import shared_task

from studio.accounts.kept_answers import forget_answers
from studio.accounts.sessions import forget_sessions
from studio.accounts.sign_ins import forget_sign_ins
from studio.accounts.tries import forget_tries
from studio.artifacts.log_findings import forget_log_searches
from studio.artifacts.purging import sweep_orphans
from studio.bulk.expiry import start_expiry
from studio.compute.doorbell import EXPIRE_TRASH, SWEEP_ORPHANS
from studio.metrics.forgetting import forget_batches
from studio.work.forgetting import forget_work


@shared_task(name=EXPIRE_TRASH)
def expire_trash() -> None:
    """Every hour: purge what has been in the trash for TRASH_DAYS."""
    start_expiry()


@shared_task(name=SWEEP_ORPHANS)
def sweep() -> None:
    """Every day: delete bytes that no row names, and records that nobody asks for any more."""
    sweep_orphans()
    forget_work()
    forget_log_searches()
    forget_batches()
    forget_sessions()
    forget_sign_ins()
    forget_tries()
    forget_answers()

"""Celery tasks: short rings. What they find to do is in the database."""

from celery import shared_task

from studio.alerts.forgetting import forget_firings
from studio.alerts.matching import match_news
from studio.alerts.sending import send_due
from studio.alerts.watching import watch
from studio.compute.doorbell import FORGET_ALERTS, MATCH_NEWS, SEND_ALERTS, WATCH_RULES


@shared_task(name=MATCH_NEWS)
def match() -> None:
    """A status changed: see which rules that concerns, and tell at once."""
    match_news()
    send_due()


@shared_task(name=WATCH_RULES)
def watch_rules() -> None:
    """Every 15 s: ask the rules that no event wakes; tell what is due."""
    watch()
    send_due()


@shared_task(name=SEND_ALERTS)
def send() -> None:
    """There is something to tell."""
    send_due()


@shared_task(name=FORGET_ALERTS)
def forget() -> None:
    """Every day."""
    forget_firings()

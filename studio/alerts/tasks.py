"""Celery tasks: short rings. What they find to do is in the database.

One of each kind at a time in a process, whatever waits in the queue: a slow search must not take
all slots of a worker. Who rings in vain rings again within 15 s.
"""

import threading

from celery import shared_task

from studio.alerts.forgetting import forget_firings
from studio.alerts.matching import match_news
from studio.alerts.senders import ring_senders
from studio.alerts.watching import watch
from studio.compute.doorbell import FORGET_ALERTS, MATCH_NEWS, SEND_ALERTS, WATCH_RULES

_matching, _watching = threading.Lock(), threading.Lock()


@shared_task(name=MATCH_NEWS)
def match() -> None:
    """A status changed: see which rules that concerns, and tell at once."""
    if not _matching.acquire(blocking=False):
        return
    try:
        match_news()
    finally:
        _matching.release()
    ring_senders()


@shared_task(name=WATCH_RULES)
def watch_rules() -> None:
    """Every 15 s: tell what is due, and ask the rules that no event wakes."""
    ring_senders()
    if not _watching.acquire(blocking=False):
        return
    try:
        watch()
    finally:
        _watching.release()
    ring_senders()


@shared_task(name=SEND_ALERTS)
def send() -> None:
    """There is something to tell."""
    ring_senders()


@shared_task(name=FORGET_ALERTS)
def forget() -> None:
    """Every day."""
    forget_firings()

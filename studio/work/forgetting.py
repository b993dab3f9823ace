"""Ended background work leaves the list after RECORD_DAYS."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from studio.work.models import Work

PER_DELETE = 500


def forget_work() -> int:
    """Delete works that ended more than RECORD_DAYS ago; how many. What they did to runs stays in
    the histories of the runs."""
    limit = timezone.now() - timedelta(days=settings.RECORD_DAYS)
    n_gone = 0
    while old := list(Work.objects.ended_before(limit).values_list("pk", flat=True)[:PER_DELETE]):
        n_gone += Work.objects.filter(pk__in=old).delete()[0]
    return n_gone

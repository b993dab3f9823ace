"""What nobody asks for any more."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from studio.alerts.models import AlertRule, Delivery, Firing

ONE_TURN = 5_000


def forget_firings() -> int:
    """Delete firings older than RECORD_DAYS that were told to all, and rules that fired once and
    are done; returns how many firings. Those of rules on a run that is under way stay: they keep
    it from being told twice."""
    limit = timezone.now() - timedelta(days=settings.RECORD_DAYS)
    waiting = Delivery.objects.unfinished().values("firing")
    told = Firing.objects.filter(at__lt=limit).exclude(pk__in=waiting)
    old, without_run = told.filter(run__ended_at__lt=limit), told.filter(run=None)
    ids = [
        *old.order_by("pk").values_list("pk", flat=True)[:ONE_TURN],
        *without_run.order_by("pk").values_list("pk", flat=True)[:ONE_TURN],
    ]
    Firing.objects.filter(pk__in=ids).delete()
    done = AlertRule.objects.filter(once=True, is_enabled=False, changed_at__lt=limit)
    # Its deliveries go with it, those that still wait too.
    done.exclude(firings__at__gte=limit).exclude(firings__in=waiting).delete()
    return len(ids)

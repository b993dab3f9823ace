"""Deleted views can be brought back for RECORD_DAYS."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from studio.custom_views.models import CustomView

PER_DELETE = 200


def forget_views() -> int:
    """Delete for good what was deleted more than RECORD_DAYS ago, with its versions; how many. Its
    events stay."""
    limit = timezone.now() - timedelta(days=settings.RECORD_DAYS)
    gone = CustomView.objects.filter(deleted_at__lt=limit).order_by("pk")
    n_gone = 0
    while uids := list(gone.values_list("pk", flat=True)[:PER_DELETE]):
        CustomView.objects.filter(pk__in=uids).delete()
        n_gone += len(uids)
    return n_gone

"""The ids of stored batches: only a client that may send once more needs them."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from studio.metrics.models import Batch
from studio.runs.models import Run

PER_PIECE = 2_000


def forget_batches() -> int:
    """Delete the ids of batches of runs that ended more than RECORD_DAYS ago; how many.

    A walk along the primary key, which ends at the first piece that holds no old row: a piece is
    one short transaction, so that points go on arriving.
    """
    limit = timezone.now() - timedelta(days=settings.RECORD_DAYS)
    n_gone, place = 0, 0
    while piece := list(Batch.objects.filter(pk__gt=place).order_by("pk")[:PER_PIECE]):
        place = piece[-1].pk
        old = [batch for batch in piece if batch.at < limit]
        if not old:
            break
        over = Run.objects.filter(pk__in={batch.run_id for batch in old}).ended_before(limit)
        ended = set(over.values_list("pk", flat=True))
        gone = [batch.pk for batch in old if batch.run_id in ended]
        n_gone += Batch.objects.filter(pk__in=gone).delete()[0]
    return n_gone

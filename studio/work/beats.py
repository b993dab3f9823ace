"""Signs of life of background work in a step that takes long."""

import time

from django.utils import timezone

from studio.work.models import Work

BEAT_S = 5.0


class LeaseLost(Exception):
    """Another worker has taken the work over."""


class Beat:
    """Says every BEAT_S seconds, when called, that the work is alive. Raises LeaseLost."""

    def __init__(self, work: Work) -> None:
        self._work, self._at = work, time.monotonic()

    def hold(self, work: Work) -> None:
        """Go on for the lease of now: each slice of a work has its own."""
        self._work = work

    def __call__(self) -> None:
        if time.monotonic() - self._at < BEAT_S:
            return
        mine = Work.objects.filter(pk=self._work.pk, lease=self._work.lease)
        if not mine.update(beat_at=timezone.now()):
            raise LeaseLost(self._work.uid)
        self._at = time.monotonic()

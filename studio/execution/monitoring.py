"""Samples what a submitted run uses of its worker's machine, beside the run and never in its way.

A thread of its own: a graphics driver or a database that hangs must not hold up the supervisor.
"""

import logging
import threading
import time
from pathlib import Path
from uuid import uuid4

from django.conf import settings
from django.db import connection
from django.utils import timezone

from studio.execution.claims import Claim
from studio.metrics.actions import record_batch
from studio.runs.models import Run
from studio.wire import Batch, Series
from studio.wire.measures import name_of
from studio.wire.sampling import Sample, Sampler, open_sampler, this_host

logger = logging.getLogger(__name__)

# Rates need two samples: the second one comes soon, so that short runs have some.
FIRST_RATES_S = 1.0
STOPS_WITHIN_S = 2.0
# What waits for a database that is away.
MOST_WAITING = 720


class RunMonitor(threading.Thread):
    """Samples the processes below one guard until `stop`. What goes wrong is logged once."""

    def __init__(self, claim: Claim, *, pid: int, folder: Path) -> None:
        super().__init__(name=f"monitor-{claim.run.uid[:8]}", daemon=True)
        self._claim, self._pid, self._folder = claim, pid, folder
        self._over = threading.Event()
        self._waiting: list[tuple[float, Sample]] = []
        self._is_told = False
        self._began_s = time.time()

    def stop(self) -> None:
        """No sample is stored after this, unless the machine hangs."""
        self._over.set()
        if self.is_alive():
            self.join(STOPS_WITHIN_S)

    def run(self) -> None:
        try:
            # Only what is below the guard is the run's.
            sampler = open_sampler(self._pid, folder=str(self._folder), with_root=False)
            if sampler is None:
                return
            # Its own copy: the supervisor's changes under its hands.
            run = Run.objects.get(pk=self._claim.run.pk)
            self._began_s = (run.started_at or timezone.now()).timestamp()
            wait_s = min(FIRST_RATES_S, settings.MONITOR_S)
            while not self._over.is_set():
                self._turn(sampler, run)
                self._over.wait(wait_s)
                wait_s = settings.MONITOR_S
        except Exception:
            logger.exception("no samples run=%s", self._claim.run.uid)

    def _turn(self, sampler: Sampler, run: Run) -> None:
        """Take a sample and store all that wait; they wait on when the database is away."""
        try:
            self._waiting = [*self._waiting, (time.time(), sampler.sample())][-MOST_WAITING:]
            if not self._over.is_set():
                record_batch(run, self._batch(), by=self._claim.actor)
                self._waiting = []
        except Exception:
            if not self._is_told:
                logger.exception("samples wait run=%s", self._claim.run.uid)
            self._is_told = True
        finally:
            # Between two samples it would only hold a place in the pool.
            connection.close()

    def _batch(self) -> Batch:
        """What waits, as points whose steps are whole seconds since the run's start."""
        found: dict[str, list[tuple[float, float]]] = {}
        for at_s, sample in self._waiting:
            for key, value in sample.items():
                found.setdefault(name_of(this_host(), key), []).append((at_s, value))
        return Batch(
            uuid4().hex, tuple(self._series(name, points) for name, points in found.items())
        )

    def _series(self, name: str, points: list[tuple[float, float]]) -> Series:
        times = [at_s for at_s, _ in points]
        steps = [max(0, int(at_s - self._began_s)) for at_s in times]
        return Series(name, "scalar", times, [value for _, value in points], steps)

"""What a run that this process answers for uses of its machine: sampled by the sender thread."""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING

from studio.sdk.records import Channel, Point
from studio.wire.measures import name_of
from studio.wire.sampling import Sampler, open_sampler, this_host

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger("studio.sdk")

# A sample takes some milliseconds.
EVERY_S = 10.0
# Rates need two samples: the second one comes soon, so that short runs have some.
FIRST_RATES_S = 1.0


class Monitor:
    """Samples this process and all below it, while it is asked for `points` again and again."""

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler
        self._began_s = self._due_s = time.monotonic()
        self._wait_s = FIRST_RATES_S
        self._is_broken = False

    @classmethod
    def wanted(cls) -> Monitor | None:
        """A monitor, unless STUDIO_MONITOR is 0 or psutil is missing."""
        if os.environ.get("STUDIO_MONITOR", "1") == "0":
            return None
        sampler = open_sampler(os.getpid(), folder=".")
        return cls(sampler) if sampler is not None else None

    def points(self, channel: Channel) -> Iterator[Point]:
        """A sample as points of the run, when one is due; steps are whole seconds. Never raises:
        a machine that cannot be read is told once, and not read again."""
        now_s = time.monotonic()
        if self._is_broken or now_s < self._due_s:
            return
        try:
            sample = self._sampler.sample()
        except Exception:
            self._is_broken = True
            log.exception("studio: no more samples of this machine for run %s", channel.uid)
            return
        self._due_s, self._wait_s = now_s + self._wait_s, EVERY_S
        step, at_s = int(now_s - self._began_s), time.time()
        for key, value in sample.items():
            yield Point(channel, name_of(this_host(), key), "scalar", step, at_s, value)

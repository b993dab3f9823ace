"""Samples: how long calls took, and whose CPU they used meanwhile."""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Sample:
    """Times of single calls in ms; CPU of the measured processes in ms a call (None: not taken).

    `foreign` is the share of the machine that others used meanwhile, 0 to 1 (None: not taken).
    """

    times_ms: Sequence[float]
    cpu_ms: float | None = None
    foreign: float | None = None

    @property
    def n(self) -> int:
        return len(self.times_ms)

    @property
    def p50(self) -> float:
        return statistics.median(self.times_ms)

    @property
    def p95(self) -> float:
        return percentile(self.times_ms, 95)


def percentile(values: Sequence[float], share: float) -> float:
    """The least value that `share` percent of the values do not exceed (nearest rank)."""
    if not values:
        raise ValueError("there is no percentile of nothing")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share / 100 * len(ordered)) - 1)]


class CpuClock:
    """CPU of a process tree and of everybody else, from `start` on."""

    def __init__(self, root: psutil.Process | None) -> None:
        self.root = root
        self.started = time.perf_counter()
        self.own_before, self.machine_before = self._own_s(), busy_s()

    def _own_s(self) -> float:
        """CPU seconds so far of the processes of the tree that still live."""
        if self.root is None:
            return float(sum(psutil.Process().cpu_times()[:2]))
        total = 0.0
        for process in [self.root, *self.root.children(recursive=True)]:
            try:
                total += sum(process.cpu_times()[:2])
            except psutil.NoSuchProcess:
                continue
        return total

    def own_s(self) -> float:
        return self._own_s() - self.own_before

    def foreign(self) -> float:
        """Others' share of the machine; this process counts as ours."""
        capacity_s = (time.perf_counter() - self.started) * (psutil.cpu_count() or 1)
        others_s = busy_s() - self.machine_before - self.own_s()
        return min(1.0, max(0.0, others_s / capacity_s))


def busy_s() -> float:
    """CPU seconds the machine has worked since its start, without those of this process."""
    times = psutil.cpu_times()
    mine = sum(psutil.Process().cpu_times()[:4])
    return float(times.user + times.system + times.nice + times.softirq - mine)


def repeat(
    call: Callable[[], object], *, n: int, warm: int = 2, root: psutil.Process | None = None
) -> Sample:
    """Time `n` calls one after the other after `warm` ones that don't count.

    `root` is the process whose tree does the work (None: this one).
    """
    for _ in range(warm):
        call()
    clock, times_ms = CpuClock(root), []
    for _ in range(n):
        began = time.perf_counter()
        call()
        times_ms.append((time.perf_counter() - began) * 1e3)
    return Sample(times_ms, clock.own_s() / n * 1e3, clock.foreign() if root else None)

"""Clients that do the same at once, each a process with a connection of its own."""

import multiprocessing
import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import psutil

from benchmarks.measure import CpuClock, Sample


class Load(Protocol):
    """What each client does, over and over, for `seconds`."""

    @property
    def seconds(self) -> float: ...


AnyLoad = TypeVar("AnyLoad", bound=Load)


def loaded(
    client: Callable[[AnyLoad], list[float]],
    load: AnyLoad,
    warm_up: AnyLoad,
    n_clients: int,
    server: psutil.Process,
) -> tuple[Sample, float]:
    """The calls of all clients together, and how many were answered a second. Not measured:
    starting the clients, and what they do to warm up."""
    with multiprocessing.get_context("spawn").Pool(n_clients) as pool:
        pool.map(client, [warm_up] * n_clients, chunksize=1)
        clock = CpuClock(server)
        parts = pool.map(client, [load] * n_clients, chunksize=1)
        own_s, foreign = clock.own_s(), clock.foreign()
    times = [one for part in parts for one in part]
    return Sample(times, own_s / len(times) * 1e3, foreign), len(times) / load.seconds


def times_of(call: Callable[[], Any], seconds: float) -> list[float]:
    """Times in ms of the calls that fit in so many seconds."""
    found, end = [], time.perf_counter() + seconds
    while (began := time.perf_counter()) < end:
        call()
        found.append((time.perf_counter() - began) * 1e3)
    return found

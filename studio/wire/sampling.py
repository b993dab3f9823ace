"""Reads how much of a machine a tree of processes uses. Needs psutil; GPUs need pynvml too.

What worker and SDK have in common. A package is imported when a sampler is made, never before:
training code may be without it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from studio.wire.measures import host_name

# Traffic that leaves no machine.
LOOPBACK = ("lo", "lo0")
BUSY = ("user", "nice", "system", "irq", "softirq", "steal")
Sample = dict[str, float]


def open_sampler(pid: int, *, folder: str, with_root: bool = True) -> Sampler | None:
    """A sampler of the process `pid` and all below it; None without psutil. folder: the disk whose
    free bytes count; with_root: whether the process itself counts, or those below it only."""
    try:
        import psutil
    except ImportError:
        return None
    with contextlib.suppress(ImportError):
        # Here, not with the first sample: a fork in the middle of an import is a trap.
        import pynvml  # noqa: F401
    return Sampler(psutil, pid, folder=folder, with_root=with_root)


@cache
def this_host() -> str:
    """The name of this machine, as it stands in the names of metrics."""
    return host_name(socket.gethostname())


@dataclass(frozen=True)
class _Sums:
    """What only grows: seconds and bytes; None where the machine does not tell."""

    at_s: float
    cpu_s: float
    host_cpu_s: float
    disk: tuple[int, int] | None
    network: tuple[int, int] | None


class Sampler:
    """Samples one tree of processes; each sample is what was used since the one before.

    Not for two threads at once. `sample` never raises for a process that ended or may not be read.
    """

    def __init__(self, psutil: Any, pid: int, *, folder: str, with_root: bool) -> None:
        self._psutil, self._pid, self._folder, self._with_root = psutil, pid, folder, with_root
        self._before: _Sums | None = None

    def sample(self) -> Sample:
        """Key of `measures` -> value in its unit. The first holds facts of the host, and nothing
        that is so much per second."""
        processes = list(self._processes())
        found = self._levels(processes)
        sums, before = self._sums(processes), self._before
        self._before = sums
        if before is None:
            found |= self._facts()
        elif sums.at_s > before.at_s:
            found |= _rates(before, sums, most_percent=100.0 * self._n_cores())
        for number, device in enumerate(_gpus(os.getpid())):
            found |= {f"gpu/{number}/{key}": value for key, value in _gpu_use(device)}
        return found

    def _processes(self) -> Iterator[Any]:
        try:
            root = self._psutil.Process(self._pid)
            yield root
            yield from root.children(recursive=True)
        except self._psutil.Error:
            return  # it has ended

    def _levels(self, processes: list[Any]) -> Sample:
        memory = self._psutil.virtual_memory()
        own = [process for process in processes if self._with_root or process.pid != self._pid]
        sizes = [size for process in own if (size := self._asked(process, "memory_info"))]
        found = {
            "memory_bytes": float(sum(size.rss for size in sizes)),
            "process_count": float(len(sizes)),
            "host_memory_used_bytes": float(memory.used),
            "host_memory_available_bytes": float(memory.available),
        }
        with contextlib.suppress(OSError):
            found["disk_free_bytes"] = float(self._psutil.disk_usage(self._folder).free)
        return found

    def _facts(self) -> Sample:
        found = {
            "cpu_count": float(self._n_cores()),
            "host_memory_total_bytes": float(self._psutil.virtual_memory().total),
        }
        n_gpus = len(_gpus(os.getpid()))
        return found | ({"gpu_count": float(n_gpus)} if n_gpus else {})

    def _n_cores(self) -> int:
        return int(self._psutil.cpu_count() or 1)

    def _sums(self, processes: list[Any]) -> _Sums:
        times = [(p.pid, used) for p in processes if (used := self._asked(p, "cpu_times"))]
        # What an ended child used is its parent's from then on: no process is lost, none twice.
        cpu_s = sum(
            getattr(used, "children_user", 0.0) + getattr(used, "children_system", 0.0)
            for _, used in times
        ) + sum(used.user + used.system for pid, used in times if self._counts(pid))
        host = self._psutil.cpu_times()
        disk = [used for p in processes if (used := self._asked(p, "io_counters"))]
        return _Sums(
            time.monotonic(),
            cpu_s,
            sum(getattr(host, name, 0.0) for name in BUSY),
            (sum(d.read_bytes for d in disk), sum(d.write_bytes for d in disk)) if disk else None,
            self._network(),
        )

    def _counts(self, pid: int) -> bool:
        return self._with_root or pid != self._pid

    def _network(self) -> tuple[int, int] | None:
        # nowrap would take a lock, which a fork might inherit.
        with contextlib.suppress(OSError):
            cards = self._psutil.net_io_counters(pernic=True, nowrap=False)
            real = [card for name, card in cards.items() if name not in LOOPBACK]
            if real:
                return sum(c.bytes_recv for c in real), sum(c.bytes_sent for c in real)
        return None

    def _asked(self, process: Any, what: str) -> Any:
        """What a process tells of itself; None when it has ended, or neither may nor can tell."""
        try:
            return getattr(process, what)()
        except (self._psutil.Error, AttributeError, OSError):
            return None


def _rates(before: _Sums, now: _Sums, *, most_percent: float) -> Sample:
    took_s = now.at_s - before.at_s

    def percent(old: float, new: float) -> float:
        # A process that left the tree takes its sum away; one that came brings it along.
        return round(min(most_percent, max(0.0, 100.0 * (new - old) / took_s)), 1)

    found = {
        "cpu_percent": percent(before.cpu_s, now.cpu_s),
        "host_cpu_percent": percent(before.host_cpu_s, now.host_cpu_s),
    }
    for old, new, keys in (
        (before.disk, now.disk, ("disk_read", "disk_write")),
        (before.network, now.network, ("network_receive", "network_send")),
    ):
        if old is not None and new is not None:
            for key, was, grown in zip(keys, old, new, strict=True):
                found[f"{key}_bytes_per_second"] = float(round(max(0, grown - was) / took_s))
    return found


def gpus_now() -> list[dict[str, Any]]:
    """Each GPU of this machine: its `name`, `memory_bytes`, and what it is used as in a sample;
    without what it does not tell. Empty without GPUs, or without pynvml."""
    return [_gpu_facts(device) | dict(_gpu_use(device)) for device in _gpus(os.getpid())]


def _gpu_facts(device: Any) -> dict[str, Any]:
    import pynvml

    found: dict[str, Any] = {}
    with contextlib.suppress(pynvml.NVMLError):
        name = pynvml.nvmlDeviceGetName(device)
        found["name"] = name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
    with contextlib.suppress(pynvml.NVMLError):
        found["memory_bytes"] = float(pynvml.nvmlDeviceGetMemoryInfo(device).total)
    return found


@cache
def _gpus(pid: int) -> tuple[Any, ...]:
    """The devices of this machine, asked for once in a process (`pid`): a driver that is missing
    or broken stays so, and a fork may not use what its parent opened."""
    try:
        import pynvml

        pynvml.nvmlInit()
        n = pynvml.nvmlDeviceGetCount()
        return tuple(pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(n))
    except Exception:
        # No package, no driver, no device, no right to it: none of them is news to anybody.
        return ()


def _gpu_use(device: Any) -> Iterator[tuple[str, float]]:
    """(key, value) of one device, without what it does not know."""
    import pynvml

    readings: dict[str, Callable[[], Any]] = {
        "utilization_percent": lambda: pynvml.nvmlDeviceGetUtilizationRates(device).gpu,
        "memory_used_bytes": lambda: pynvml.nvmlDeviceGetMemoryInfo(device).used,
        "power_watts": lambda: pynvml.nvmlDeviceGetPowerUsage(device) / 1000,
        "temperature_celsius": lambda: pynvml.nvmlDeviceGetTemperature(
            device, pynvml.NVML_TEMPERATURE_GPU
        ),
    }
    for key, read in readings.items():
        with contextlib.suppress(pynvml.NVMLError):
            yield key, float(read())

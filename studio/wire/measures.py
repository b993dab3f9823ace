"""What a machine is measured by: the names of the metrics, their units and words. Pure.

`system/<host>/<key>` is how the studio's own samples are called. MLflow leaves the host out when
there is one machine only, and has keys of its own, as W&B has. `{gpu}` stands for the number of a
device.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

PREFIX = "system/"
UNNAMED = "unnamed"
MAX_HOST = 100
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f/\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True)
class Measure:
    """One kind of samples. unit: "%", "B", "B/s", "W", "°C", or "" for a count; `factor` turns the
    logged values into it. group: which of them are drawn together; words: what tells them apart
    there. is_run: of the run's own processes, not of the whole host."""

    key: str
    group: str
    unit: str
    words: str
    factor: float = 1.0
    is_run: bool = False


_MEGA, _MEBI = 1e6, float(1 << 20)
# Of the processor 100 % is one core; what MLflow logs is the share of all cores: another chart.
MEASURES = (
    Measure("cpu_percent", "cpu", "%", "Run's processes", is_run=True),
    Measure("host_cpu_percent", "cpu", "%", "Host"),
    Measure("memory_bytes", "memory", "B", "Run's processes", is_run=True),
    Measure("host_memory_used_bytes", "memory", "B", "Host, used"),
    Measure("host_memory_available_bytes", "memory", "B", "Host, available"),
    Measure("process_count", "processes", "", "Run's processes", is_run=True),
    Measure("disk_read_bytes_per_second", "disk", "B/s", "Read by the run", is_run=True),
    Measure("disk_write_bytes_per_second", "disk", "B/s", "Written by the run"),
    Measure("disk_free_bytes", "disk_space", "B", "Free"),
    Measure("network_receive_bytes_per_second", "network", "B/s", "Received by the host"),
    Measure("network_send_bytes_per_second", "network", "B/s", "Sent by the host"),
    Measure("gpu/{gpu}/utilization_percent", "gpu", "%", "GPU {gpu}"),
    Measure("gpu/{gpu}/memory_used_bytes", "gpu_memory", "B", "GPU {gpu}"),
    Measure("gpu/{gpu}/power_watts", "gpu_power", "W", "GPU {gpu}"),
    Measure("gpu/{gpu}/temperature_celsius", "gpu_temperature", "°C", "GPU {gpu}"),
    # Said once, beside the host's name.
    Measure("cpu_count", "facts", "", "cores"),
    Measure("host_memory_total_bytes", "facts", "B", "memory"),
    Measure("gpu_count", "facts", "", "GPUs"),
    # MLflow's.
    Measure("cpu_utilization_percentage", "cpu_share", "%", "Host"),
    Measure("system_memory_usage_megabytes", "memory", "B", "Host, used", _MEGA),
    Measure("system_memory_usage_percentage", "memory_share", "%", "Host"),
    Measure("disk_usage_megabytes", "disk_space", "B", "Used", _MEGA),
    Measure("disk_available_megabytes", "disk_space", "B", "Free", _MEGA),
    Measure("disk_usage_percentage", "disk_share", "%", "Host"),
    Measure("network_receive_megabytes", "network_total", "B", "Received", _MEGA),
    Measure("network_transmit_megabytes", "network_total", "B", "Sent", _MEGA),
    Measure("gpu_{gpu}_utilization_percentage", "gpu", "%", "GPU {gpu}"),
    Measure("gpu_{gpu}_memory_usage_megabytes", "gpu_memory", "B", "GPU {gpu}", _MEGA),
    # Of AMD's devices.
    Measure("gpu_{gpu}_memory_usage_gigabytes", "gpu_memory", "B", "GPU {gpu}", 1e9),
    Measure("gpu_{gpu}_memory_usage_percentage", "gpu_memory_share", "%", "GPU {gpu}"),
    Measure("gpu_{gpu}_power_usage_watts", "gpu_power", "W", "GPU {gpu}"),
    Measure("gpu_{gpu}_power_usage_percentage", "gpu_power_share", "%", "GPU {gpu}"),
    # W&B's, of imported runs; its MB are 1,048,576 bytes.
    Measure("cpu", "cpu_share", "%", "Run's processes", is_run=True),
    Measure("proc.memory.rssMB", "memory", "B", "Run's processes", _MEBI, is_run=True),
    Measure("proc.memory.availableMB", "memory", "B", "Host, available", _MEBI),
    Measure("proc.memory.percent", "memory_share", "%", "Run's processes", is_run=True),
    Measure("memory_percent", "memory_share", "%", "Host"),
    Measure("disk./.usagePercent", "disk_share", "%", "Host"),
    Measure("network.recv", "network_total", "B", "Received"),
    Measure("network.sent", "network_total", "B", "Sent"),
    Measure("gpu.{gpu}.gpu", "gpu", "%", "GPU {gpu}"),
    Measure("gpu.{gpu}.memoryAllocatedBytes", "gpu_memory", "B", "GPU {gpu}"),
    Measure("gpu.{gpu}.memoryAllocated", "gpu_memory_share", "%", "GPU {gpu}"),
    Measure("gpu.{gpu}.powerWatts", "gpu_power", "W", "GPU {gpu}"),
    Measure("gpu.{gpu}.powerPercent", "gpu_power_share", "%", "GPU {gpu}"),
    Measure("gpu.{gpu}.temp", "gpu_temperature", "°C", "GPU {gpu}"),
)


def _pattern(measure: Measure) -> str:
    return re.escape(measure.key).replace(re.escape("{gpu}"), r"(\d{1,4})")


_KNOWN = [(re.compile(_pattern(measure)), measure) for measure in MEASURES]


@dataclass(frozen=True)
class Reading:
    """What the name of a metric says. host: "" where it names none; measure: None for a name that
    is in no table, whose words then are what is left of it."""

    host: str
    measure: Measure | None
    words: str


def name_of(host: str, key: str) -> str:
    """The metric of a key; `host` as `host_name` gives it."""
    return f"{PREFIX}{host}/{key}"


def host_name(text: str) -> str:
    """A host's name as a part of a metric's: without what cannot be stored, shown or split."""
    return _UNFIT.sub("_", text.strip())[:MAX_HOST] or UNNAMED


def read_name(name: str) -> Reading | None:
    """What the name of a metric says; None for one that measures no machine."""
    if not name.startswith(PREFIX):
        return None
    rest = name.removeprefix(PREFIX)
    if found := _known("", rest):
        return found
    host, slash, key = rest.partition("/")
    if not slash:
        return Reading("", None, rest)
    return _known(host, key) or Reading(host, None, key)


def _known(host: str, key: str) -> Reading | None:
    for pattern, measure in _KNOWN:
        if match := pattern.fullmatch(key):
            number = match[1] if match.groups() else ""
            return Reading(host, measure, measure.words.replace("{gpu}", number))
    return None

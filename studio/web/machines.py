"""Metrics of machines as hosts and charts: which of them are drawn together. Pure.

Bytes are shown in the unit that fits the most there ever was, so that a zoom does not change it.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from studio.metrics.models import Metric
from studio.web.formats import SIZES, count, number, size
from studio.wire.measures import Measure, Reading, read_name

# Group -> title of its chart, in the order of the page.
TITLES = {
    "cpu": "CPU",
    "cpu_share": "CPU in use",
    "memory": "Memory",
    "memory_share": "Memory in use",
    "gpu": "GPU",
    "gpu_memory": "GPU memory",
    "gpu_memory_share": "GPU memory in use",
    "gpu_power": "GPU power",
    "gpu_power_share": "GPU power in use",
    "gpu_temperature": "GPU temperature",
    "disk": "Disk",
    "disk_space": "Disk space",
    "disk_share": "Disk in use",
    "network": "Network",
    "network_total": "Network since the start",
    "processes": "Processes",
}
NOTES = {"cpu": "100 % is one core", "cpu_share": "100 % is all cores"}
FACTS, OTHER = "facts", "other:"
# A chart with more lines tells none of them apart.
MAX_LINES = 16
NATURAL = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class Line:
    """One metric of a chart; `words` name it there. Its values times `factor` are in the unit of
    `measures`."""

    metric: Metric
    words: str
    measure: Measure | None

    @property
    def factor(self) -> float:
        return self.measure.factor if self.measure else 1.0

    @property
    def most(self) -> float:
        ends = (self.metric.min, self.metric.max)
        return max((abs(end) * self.factor for end in ends if end is not None), default=0.0)


@dataclass(slots=True)
class Panel:
    """One chart of a host. n_left_out: lines that are too many."""

    key: str
    title: str
    unit: str
    lines: list[Line] = field(default_factory=list)
    n_left_out: int = 0

    @property
    def scale(self) -> tuple[str, float]:
        """(unit as people read it, what the values are divided by)."""
        if not self.unit.startswith("B"):
            return self.unit, 1.0
        most = max((line.most for line in self.lines), default=0.0)
        power = 0
        while most >= 1000 ** (power + 1) and power < len(SIZES) - 1:
            power += 1
        return self.unit.replace("B", SIZES[power], 1), 1000.0**power

    @property
    def version(self) -> str:
        return "-".join(str(line.metric.n_points) for line in self.lines)


@dataclass(slots=True)
class Host:
    """A machine: `name` as in its metrics ("" where they name none), charts by key, facts."""

    name: str
    panels: dict[str, Panel] = field(default_factory=dict)
    facts: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        return self.name or "Machine without a name"

    @property
    def key(self) -> str:
        """Its name as an id of an element."""
        return sha256(self.name.encode()).hexdigest()[:10]

    @property
    def lines(self) -> list[Line]:
        return [line for panel in self.panels.values() for line in panel.lines]

    @property
    def ended_at(self) -> float:
        """When its latest sample was taken, in epoch seconds."""
        return max((line.metric.last_at or 0.0 for line in self.lines), default=0.0)


def hosts_of(metrics: Iterable[Metric]) -> list[Host]:
    """The hosts by name with their charts in the order of TITLES, metrics of no known measure
    behind them, each in a chart of its own."""
    hosts: dict[str, Host] = {}
    for metric in metrics:
        reading = read_name(metric.name)
        if reading is None:
            continue
        host = hosts.setdefault(reading.host, Host(reading.host))
        measure = reading.measure
        if measure is not None and measure.group == FACTS:
            host.facts.append(_fact(measure, metric))
        else:
            new = _panel(reading)
            panel = host.panels.setdefault(new.key, new)
            panel.lines.append(Line(metric, reading.words, measure))
    for host in hosts.values():
        _put_in_order(host)
    named = sorted(hosts.values(), key=lambda host: natural(host.name))
    return [host for host in named if host.panels]


def _panel(reading: Reading) -> Panel:
    if reading.measure:
        group = reading.measure.group
        return Panel(group, TITLES[group], reading.measure.unit)
    return Panel(OTHER + reading.words, reading.words.strip() or "No name", "")


def _put_in_order(host: Host) -> None:
    place = {key: i for i, key in enumerate(TITLES)}
    panels = sorted(host.panels.values(), key=lambda p: (place.get(p.key, len(place)), p.key))
    host.panels = {panel.key: panel for panel in panels}
    for panel in panels:
        panel.lines.sort(key=lambda line: (not _is_run(line), natural(line.words)))
        panel.n_left_out = max(0, len(panel.lines) - MAX_LINES)
        del panel.lines[MAX_LINES:]


def _is_run(line: Line) -> bool:
    return line.measure is not None and line.measure.is_run


def _fact(measure: Measure, metric: Metric) -> str:
    """As in "64 cores", "126 GB memory"."""
    value = metric.last if metric.last is not None else math.nan
    if not math.isfinite(value):
        return f"? {measure.words}"
    shown = size(int(value)) if measure.unit == "B" else count(int(value))
    words = measure.words.removesuffix("s") if value == 1 else measure.words
    return f"{shown} {words}"


def natural(text: str) -> list[tuple[int, str]]:
    """Sorts node2 before node10."""
    parts = NATURAL.split(text)
    return [(int(part[:18]), "") if part.isdecimal() else (0, part) for part in parts]


def label_of(host: Host, panel: Panel) -> str:
    """The chart in one sentence, for those who cannot see it."""
    unit, divisor = panel.scale
    lasts = [f"{line.words} {_last(line, unit, divisor)}" for line in panel.lines]
    return f"Chart of {panel.title}, {host.title}: last {', '.join(lasts)}"


def _last(line: Line, unit: str, divisor: float) -> str:
    if line.metric.last is None:
        return line.metric.last_text or "unknown"
    return f"{number(line.metric.last * line.factor / divisor, 4)} {unit}".strip()


def heads_of(panel: Panel) -> Sequence[str]:
    """What stands above the columns of its table: words and unit of each line."""
    unit, _ = panel.scale
    return [f"{line.words} ({unit})" if unit else line.words for line in panel.lines]

"""What was measured as Markdown: tables, targets, and the machine it was measured on. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from benchmarks.measure import Sample

HEAD = (
    *("measured", "n", "median", "p95", "CPU a call", "others", "limit", "ratio", "target", "met"),
)


@dataclass(frozen=True, slots=True)
class Target:
    """What the figure must reach: at most `bound`, or at least it where more is better."""

    bound: float
    is_least: bool = False

    def is_met_by(self, value: float) -> bool:
        return value >= self.bound if self.is_least else value <= self.bound


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `value` and `p95` are in `unit`; `cpu_ms` is CPU a call, None where not taken.

    `limit` is the same job at its barest, measured in the same run, in the same unit.
    `foreign` is the share of the machine that others used meanwhile. `is_cpu_whole`: whether the
    CPU is all that the call took, and none of it was spent in a database server.
    """

    name: str
    unit: str
    n: int
    value: float
    p95: float | None = None
    cpu_ms: float | None = None
    limit: float | None = None
    target: Target | None = None
    foreign: float | None = None
    is_cpu_whole: bool = True

    @classmethod
    def of_sample(
        cls,
        name: str,
        taken: Sample,
        *,
        limit: float | None = None,
        target: Target | None = None,
        is_cpu_whole: bool = True,
    ) -> Self:
        """The row of a sample of times in ms."""
        return cls(
            name,
            "ms",
            taken.n,
            taken.p50,
            taken.p95,
            cpu_ms=taken.cpu_ms,
            limit=limit,
            target=target,
            foreign=taken.foreign,
            is_cpu_whole=is_cpu_whole,
        )

    @property
    def ratio(self) -> float | None:
        """How many times the limit it takes (or, where more is better, what share of it)."""
        if self.limit is None or self.limit == 0:
            return None
        return self.value / self.limit

    @property
    def is_met(self) -> bool | None:
        """Whether the target is met; a time is missed only when its median and its CPU miss it. CPU
        that is not the whole excuses no median."""
        if self.target is None:
            return None
        if self.target.is_met_by(self.value):
            return True
        is_time = self.unit == "ms" and not self.target.is_least and self.is_cpu_whole
        return is_time and self.cpu_ms is not None and self.target.is_met_by(self.cpu_ms)


@dataclass(frozen=True, slots=True)
class Group:
    """Figures that belong together; `about` says what is timed and what the limit is."""

    title: str
    about: str
    rows: Sequence[Row]
    notes: Sequence[str] = field(default=())


def figure(value: float | None) -> str:
    """Three significant digits, thousands with commas."""
    if value is None:
        return "–"
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    if abs(value) >= 1_000:
        return f"{round(value, 2 - math.floor(math.log10(abs(value)))):,.0f}"
    return f"{value:.{digits}f}"


def cells(row: Row) -> tuple[str, ...]:
    """The row as texts in the order of HEAD."""

    def with_unit(value: float | None) -> str:
        return f"{figure(value)} {row.unit}" if value is not None else "–"

    ratio = row.ratio
    target = "–"
    if row.target is not None:
        target = f"{'≥' if row.target.is_least else '≤'} {with_unit(row.target.bound)}"
    return (
        row.name,
        f"{row.n:,}",
        with_unit(row.value),
        with_unit(row.p95),
        f"{figure(row.cpu_ms)} ms" if row.cpu_ms is not None else "–",
        f"{row.foreign:.0%}" if row.foreign is not None else "–",
        with_unit(row.limit),
        f"{figure(ratio)} ×" if ratio is not None else "–",
        target,
        {None: "–", True: "yes", False: "**no**"}[row.is_met],
    )


def table(rows: Sequence[Row]) -> str:
    """A Markdown table of the rows."""
    lines = [HEAD, ("---",) * len(HEAD), *(cells(row) for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def section(group: Group) -> str:
    """A group as a section of the document."""
    notes = "".join(f"\n- {note}" for note in group.notes)
    return f"## {group.title}\n\n{group.about}\n\n{table(group.rows)}\n" + (
        notes + "\n" if notes else ""
    )


def document(groups: Sequence[Group], machine: Mapping[str, str]) -> str:
    """The whole of RESULTS.md."""
    facts = "\n".join(f"- {name}: {value}" for name, value in machine.items())
    judged = [row for group in groups for row in group.rows if row.is_met is not None]
    n_met = sum(bool(row.is_met) for row in judged)
    head = (
        "# Results of `make bench`\n\n"
        "Written by `python -m benchmarks`; every figure, limits included, was measured in one "
        "run.\n\n"
        f"{facts}\n\n"
        f"{n_met} of {len(judged)} targets are met. A target on a time counts as missed when both "
        "the median and the CPU a call miss it, so that a busy machine can't fail it; where a "
        "database server shares the work, the median alone counts. The limit is "
        "the same job at its barest on this machine; the ratio is the median over it. “Others” is "
        "the share of the machine that other processes used meanwhile.\n\n"
        "Of other trackers two are measured in the same run: `mlflow server`, beside the door of "
        "its clients, and Trackio, beside Ingest."
    )
    return "\n\n".join([head, *(section(group).rstrip() for group in groups)]) + "\n"

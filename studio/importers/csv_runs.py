"""Runs out of a table: one row a run, or one row a point."""

import hashlib
import re
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from studio.importers.csv_heads import Head, heads_of, long_heads
from studio.importers.csv_text import moment, number, plain, rows_of
from studio.importers.naming import origin_of
from studio.importers.records import Points, RunRecord, SourceError, Unreadable
from studio.importers.sources import no_tick
from studio.runs.status import Status
from studio.wire.checks import MAX_INT, MAX_TIME_S

STATUSES = {
    **{status.value.lower(): status for status in Status},
    **{status.label.lower(): status for status in Status},
    **dict.fromkeys(("finished", "success", "succeeded", "done", "ok"), Status.COMPLETED),
    **dict.fromkeys(("crashed", "error", "errored"), Status.FAILED),
    **dict.fromkeys(("killed", "cancelled", "aborted", "stopped"), Status.CANCELED),
}
PIECE_POINTS, MAX_LONG_POINTS = 8_000, 20_000_000
# Each metric of each run takes as much as 25 points, however few it has.
MAX_LONG_SERIES = 1_000_000
MAX_PROBLEMS = 20


class CsvRuns:
    """A file of either kind, told apart by its head: with columns for a run, a metric and a value
    it has a row for each point."""

    source, label = "csv", "CSV"

    def __init__(self, path: Path, tick: Callable[[], None] = no_tick) -> None:
        self.path, self.tick = path, tick
        with rows_of(path) as rows:
            first = next(rows, None)
        if first is None:
            raise SourceError(f"“{path.name}” is empty.")
        self.long = long_heads(first[1])
        self.heads = [] if self.long else heads_of(first[1])
        self.n_cells = len(first[1])
        # A table of no known place: its name tells it from others.
        self.title = path.stem

    def count(self) -> int | None:
        return None

    def read(self) -> Iterator[RunRecord | Unreadable]:
        yield from self._read_long(self.long) if self.long else self._read_wide()

    def _read_wide(self) -> Iterator[RunRecord | Unreadable]:
        with rows_of(self.path, self.tick) as rows:
            next(rows)
            for number_of_line, cells in rows:
                place = f"line {number_of_line}"
                if len(cells) != self.n_cells:
                    told = f"It has {len(cells)} cells, the first row has {self.n_cells}."
                    yield Unreadable(place, told)
                    continue
                row = _Row(self.title)
                for head, cell in zip(self.heads, cells, strict=True):
                    row.take(head, plain(cell), place)
                yield row.record(place)

    def _read_long(self, heads: dict[str, int]) -> Iterator[RunRecord | Unreadable]:
        """The whole table first, packed: rows of one run may stand anywhere in it."""
        found: dict[tuple[str, str], _Span] = {}
        n_points = n_series = 0
        with rows_of(self.path, self.tick) as rows:
            next(rows)
            for number_of_line, cells in rows:
                point = _point(heads, cells, f"line {number_of_line}", self.n_cells)
                if isinstance(point, Unreadable):
                    yield point
                    continue
                experiment = point.experiment or self.title
                n_series += found.setdefault((experiment, point.run), _Span()).take(point)
                n_points += 1
                if n_points > MAX_LONG_POINTS or n_series > MAX_LONG_SERIES:
                    raise SourceError(
                        f"“{self.path.name}” has more than {MAX_LONG_POINTS:,} points, or "
                        f"{MAX_LONG_SERIES:,} metrics of runs: split it into files of whole runs."
                    )
        for (experiment, run), span in found.items():
            yield span.record(run, experiment, self.title)


@dataclass(slots=True)
class _Point:
    run: str
    metric: str
    value: float
    step: int | None
    time: float
    experiment: str


def _point(heads: dict[str, int], cells: list[str], place: str, n: int) -> _Point | Unreadable:
    if len(cells) != n:
        return Unreadable(place, f"It has {len(cells)} cells, the first row has {n}.")
    texts = {family: plain(cells[at]).strip() for family, at in heads.items()}
    if not texts["run"] or not texts["metric"]:
        return Unreadable(place, "It names no run or no metric.")
    column = "value"
    try:
        value = number(texts["value"])
        column = "step"
        step = _step(texts.get("step", ""))
        column = "time"
        time = moment(texts["time"]).timestamp() if texts.get("time") else 0.0
        if time > MAX_TIME_S:
            raise ValueError("no calendar has it")
    except (ValueError, OverflowError, OSError):
        return Unreadable(place, f"“{texts[column][:80]}” in the column “{column}” is none.")
    return _Point(
        texts["run"], texts["metric"], value, step, max(0.0, time), texts.get("experiment", "")
    )


def _step(text: str) -> int | None:
    if not text:
        return None
    try:
        step = int(text)
    except ValueError:
        whole = number(text)
        step = int(whole)
        if step != whole:
            raise
    if abs(step) > MAX_INT:
        raise ValueError("a step has 64 bits")
    return step


@dataclass(slots=True)
class _Column:
    """The points of one metric: 24 bytes each."""

    steps: "array[int]" = field(default_factory=lambda: array("q"))
    times: "array[float]" = field(default_factory=lambda: array("d"))
    values: "array[float]" = field(default_factory=lambda: array("d"))
    next_step: int = 0


@dataclass(slots=True)
class _Span:
    """The points of a run, and from when to when they were logged."""

    metrics: dict[str, _Column] = field(default_factory=dict)
    first: float | None = None
    last: float = 0.0

    def take(self, point: "_Point") -> bool:
        """Whether it is the first of its metric. A point without a step gets the one after the
        greatest."""
        column = self.metrics.get(point.metric)
        if is_first := column is None:
            column = self.metrics[point.metric] = _Column()
        step = min(column.next_step, MAX_INT) if point.step is None else point.step
        column.next_step = max(column.next_step, step + 1)
        column.steps.append(step)
        column.times.append(point.time)
        column.values.append(point.value)
        if point.time:
            self.first = point.time if self.first is None else min(self.first, point.time)
            self.last = max(self.last, point.time)
        return is_first

    def record(self, run: str, experiment: str, title: str) -> RunRecord:
        began = datetime.fromtimestamp(self.first or 0.0, UTC)
        return RunRecord(
            origin=origin_of("csv", f"{title}/{experiment}/{run}"),
            experiment=experiment,
            name=run,
            status=Status.COMPLETED,
            created_at=began,
            started_at=began,
            ended_at=datetime.fromtimestamp(max(self.last, self.first or 0.0), UTC),
            points=self.points,
            problems=() if self.first else (NO_TIME,),
        )

    def points(self) -> Iterator[Points]:
        for name, column in self.metrics.items():
            for start in range(0, len(column.steps), PIECE_POINTS):
                part = slice(start, start + PIECE_POINTS)
                yield Points(
                    name,
                    column.steps[part].tolist(),
                    column.times[part].tolist(),
                    column.values[part].tolist(),
                )


NO_TIME = "The table has no time of it: it is stored as one of 1970."


@dataclass(slots=True)
class _Row:
    """One run as its cells fill it."""

    title: str
    facts: dict[str, Any] = field(default_factory=dict)
    labels: dict[str, dict[str, Any]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def take(self, head: Head, cell: str, place: str) -> None:
        text = cell.strip()
        if not head.family or not text:
            return
        try:
            if head.family in ("tag", "param", "property"):
                self.labels.setdefault(head.family, {})[head.key] = cell
            elif head.family == "metric":
                self.labels.setdefault("metric", {})[head.key] = number(text)
            else:
                self.facts[head.family] = _fact(head.family, text)
        except (ValueError, OverflowError, OSError):
            if len(self.problems) < MAX_PROBLEMS:
                self.problems.append(f"{place}, column “{head.text[:80]}”: “{text[:80]}” is none.")

    def record(self, place: str) -> RunRecord | Unreadable:
        facts = self.facts
        name, uid = facts.get("name", ""), facts.get("uid", "")
        if not name and not uid:
            return Unreadable(place, "It has no name.")
        experiment = facts.get("experiment", self.title)
        started, ended = facts.get("started"), facts.get("ended")
        created = facts.get("created") or started or ended
        if started and not ended and "duration" in facts:
            ended = self._ended(started, facts["duration"], place)
        if created is None:
            created = datetime.fromtimestamp(0, UTC)
            self.problems.append(f"{place}: {NO_TIME}")
        at = min((ended or created).timestamp(), MAX_TIME_S)
        origin = f"uid/{uid}" if uid else f"{self.title}/{experiment}/{name}/{created.isoformat()}"
        return RunRecord(
            origin=origin_of("csv", origin),
            experiment=experiment,
            name=name or uid,
            status=facts.get("status", Status.COMPLETED),
            created_at=created,
            started_at=started,
            ended_at=ended,
            uid=uid,
            description=facts.get("description", ""),
            submitter=facts.get("submitter", ""),
            tags={**facts.get("tags", {}), **self.labels.get("tag", {})},
            properties=self.labels.get("property", {}),
            parameters=self.labels.get("param", {}),
            points=partial(_last_values, self.labels.get("metric", {}), at),
            problems=tuple(self.problems),
            version=self._version(),
        )

    def _ended(self, started: datetime, duration: float, place: str) -> datetime | None:
        try:
            return started + timedelta(seconds=duration)
        except (ValueError, OverflowError):
            self.problems.append(f"{place}, column “duration”: “{duration:g}” is none.")
            return None

    def _version(self) -> str:
        return hashlib.sha256(repr((self.facts, self.labels)).encode()).hexdigest()


def _fact(family: str, text: str) -> Any:
    """The value of a column that every run has. Raises ValueError."""
    if family in ("created", "started", "ended"):
        return moment(text)
    if family == "duration":
        return max(0.0, number(text))
    if family == "status":
        if text.lower() not in STATUSES:
            raise ValueError("no status")
        return STATUSES[text.lower()]
    return _pairs(text) if family == "tags" else text


def _pairs(text: str) -> dict[str, str | None]:
    """Tags as the export writes them (`exports.csv_lines`): `key: value; key`, quoted with \" where
    a mark stands in one."""
    found: dict[str, str | None] = {}
    for part in _split(text, ";"):
        key, *value = _split(part, ":", most=1)
        if name := _unquoted(key):
            found[name] = _unquoted(value[0]) if value else None
    return found


def _split(text: str, mark: str, *, most: int = -1) -> list[str]:
    """The parts between the marks that are not in quotes."""
    parts: list[str] = []
    current, is_quoted, is_escaped = "", False, False
    for sign in text:
        if sign == mark and not is_quoted and len(parts) != most:
            parts.append(current)
            current = ""
            continue
        current += sign
        is_quoted ^= sign == '"' and not is_escaped
        is_escaped = sign == "\\" and not is_escaped
    return [*parts, current]


def _unquoted(text: str) -> str:
    clean = text.strip()
    if len(clean) > 1 and clean[0] == clean[-1] == '"':
        return re.sub(r"\\(.)", r"\1", clean[1:-1], flags=re.DOTALL)
    return clean


def _last_values(metrics: dict[str, float], at: float) -> Iterator[Points]:
    """One point a metric: all that a table tells of it."""
    for name, value in metrics.items():
        yield Points(name, [0], [max(0.0, at)], [value])

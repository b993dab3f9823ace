"""Runs out of what W&B left on a disk: folders of (offline) runs, and exported histories."""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from studio.artifacts.paths import storable_path
from studio.importers.archive_zip import load
from studio.importers.csv_text import rows_of
from studio.importers.naming import is_time, origin_of
from studio.importers.parquet_rows import parquet_rows
from studio.importers.records import FileRecord, Points, RunRecord, SourceError, Unreadable
from studio.importers.sources import no_tick
from studio.importers.wandb_log import Damaged, messages
from studio.importers.wandb_values import (
    FILES,
    Gathering,
    flat,
    labels,
    merged,
    point_of,
    sampled,
)
from studio.runs.status import Status
from studio.wire.checks import MAX_INT
from studio.wire.measures import host_name

MAIN_LOG = "logs/output.txt"
HISTORIES = ("history.jsonl", "history.csv", "history.parquet")
MAX_JSON_BYTES = 16 << 20


class WandbRuns:
    """A folder with logs (`run-ID.wandb`) or exported histories anywhere below it."""

    source, label = "wandb", "W&B"

    def __init__(self, root: Path, tick: Callable[[], None] = no_tick) -> None:
        self.root, self.tick = root.resolve(), tick

    def count(self) -> int | None:
        return len(self._logs()) + len(self._exports())

    def read(self) -> Iterator[RunRecord | Unreadable]:
        for run_id, logs in self._logs().items():
            yield self._of_log(run_id, logs)
        for history in self._exports():
            yield self._of_export(history)

    def _logs(self) -> dict[str, list[Path]]:
        """run id -> its logs, the oldest first: a run that was resumed has several."""
        found: dict[str, list[Path]] = {}
        for path in sorted(self._files()):
            if path.suffix == ".wandb" and path.name.startswith("run-"):
                found.setdefault(path.stem.removeprefix("run-"), []).append(path)
        return found

    def _exports(self) -> list[Path]:
        by_folder: dict[Path, Path] = {}
        for path in sorted(self._files()):
            if path.name in HISTORIES:
                by_folder.setdefault(path.parent, path)
        return list(by_folder.values())

    def _files(self) -> Iterator[Path]:
        for parent, _, names in os.walk(self.root):
            for name in names:
                self.tick()
                path = Path(parent, name)
                if path.is_file() and not path.is_symlink():
                    yield path

    def _of_log(self, run_id: str, logs: list[Path]) -> RunRecord | Unreadable:
        place = logs[0].relative_to(self.root).as_posix()
        try:
            found = _survey(logs, self.tick)
        except OSError as error:
            return Unreadable(place, f"{error.strerror}.")
        if found.run is None:
            why = found.problems[0] if found.problems else "It tells of no run."
            return Unreadable(place, why)
        run, began = found.run, found.began
        created = datetime.fromtimestamp(began, UTC)
        return RunRecord(
            origin=origin_of("wandb", f"{run.project}/{run.run_id or run_id}"),
            experiment=run.project or "uncategorized",
            name=run.display_name or run_id,
            status=found.ended_as,
            created_at=created,
            started_at=created,
            ended_at=datetime.fromtimestamp(max(began, found.ended), UTC),
            description=run.notes,
            tags=dict.fromkeys(run.tags),
            properties=found.properties,
            parameters=labels(found.config),
            points=partial(_log_points, logs, host_name(run.host), began, self.tick),
            files=partial(_files_of, [log.parent / "files" for log in logs]),
            problems=tuple(found.problems),
            version=f"{len(logs)}:{sum(log.stat().st_size for log in logs)}",
        )

    def _of_export(self, history: Path) -> RunRecord | Unreadable:
        """A folder with a history and, if it is there, config.json and summary.json."""
        folder = history.parent
        name = folder.relative_to(self.root).as_posix()
        name = folder.name if name == "." else name
        try:
            began_at, ended_at = _times_of(history, self.tick)
            config, summary = _json_of(folder / "config.json"), _json_of(folder / "summary.json")
        except (ValueError, OSError, LookupError, SourceError) as error:
            return Unreadable(name, f"{history.name} can't be read: {error}.")
        began = datetime.fromtimestamp(began_at, UTC)
        return RunRecord(
            origin=origin_of("wandb-export", f"{self.root.name}/{name}"),
            experiment=self.root.name,
            name=name,
            status=Status.COMPLETED,
            created_at=began,
            started_at=began,
            ended_at=datetime.fromtimestamp(ended_at, UTC),
            parameters=labels(_plain_config(config)),
            points=partial(_export_points, history, summary, self.tick),
        )


@dataclass(slots=True)
class _Survey:
    """What the logs of a run say of it, but for its history. began, ended: seconds since 1970."""

    run: Any = None
    config: dict[str, Any] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)
    began: float = 0.0
    ended: float = 0.0
    ended_as: str = Status.RUNNING
    problems: list[str] = field(default_factory=list)


def _survey(logs: list[Path], tick: Callable[[], None]) -> _Survey:
    found, left_out = _Survey(), Gathering()
    for log in logs:
        # Going on again, until this log too tells of an end.
        found.ended_as = Status.RUNNING
        try:
            for message in messages(log):
                tick()
                _note(found, message, left_out)
        except ValueError as error:
            found.problems.append(f"{log.parent.name}: {error}.")
    if left_out.left_out:
        names = ", ".join(sorted(left_out.left_out)[:10])
        found.problems.append(f"Values that have no place here were left out: {names}.")
    return found


def _note(found: _Survey, message: Any, seen: Gathering) -> None:
    if message.HasField("run"):
        found.run = found.run or message.run
        found.config |= merged(message.run.config.update)
        start = message.run.start_time
        began = start.seconds + start.nanos / 1e9
        found.began = found.began or (began if is_time(began) else 0.0)
        _note_facts(found, message.run, "run_group", "job_type", "sweep_id", "host")
        _note_facts(found, message.run.git, "commit", "remote_url")
    elif message.HasField("environment"):
        _note_facts(found, message.environment, "os", "python", "program")
        _note_facts(found, message.environment.git, "commit", "remote_url")
    elif message.HasField("config"):
        found.config |= merged(message.config.update)
    elif message.HasField("history"):
        row = merged(message.history.item)
        for _ in seen.take(row, 0, row.get("_timestamp")):
            pass
        found.ended = max(found.ended, seen.last_time)
    elif message.HasField("exit"):
        found.ended_as = Status.FAILED if message.exit.exit_code else Status.COMPLETED
        found.properties["wandb.exit_code"] = str(message.exit.exit_code)
        ended = found.began + message.exit.runtime
        found.ended = max(found.ended, ended if is_time(ended) else 0.0)


def _note_facts(found: _Survey, message: Any, *names: str) -> None:
    for name in names:
        if text := getattr(message, name):
            found.properties.setdefault(f"wandb.{name}", text)


def _log_points(
    logs: list[Path], host: str, began: float, tick: Callable[[], None]
) -> Iterator[Points]:
    """The history and the samples of the machine; then, as one point each, what was only put into
    the summary."""
    rows, samples, summary = Gathering(), Gathering(), dict[str, Any]()
    for log in logs:
        try:
            for message in messages(log):
                tick()
                if message.HasField("history"):
                    row = merged(message.history.item)
                    step = message.history.step.num or _step_of(row.get("_step"), 0)
                    yield from rows.take(row, step, row.get("_timestamp"))
                elif message.HasField("summary"):
                    summary |= merged(message.summary.update)
                elif message.HasField("stats"):
                    at = message.stats.timestamp.seconds + message.stats.timestamp.nanos / 1e9
                    step = max(0, int(at - began)) if is_time(at) else samples.last_step
                    yield from samples.take(sampled(message.stats.item, host), step, at)
        except Damaged:
            # Told of by the survey.
            continue
    yield from samples.rest()
    yield from rows.rest()
    yield from _only_summed(rows, summary)


def _only_summed(rows: Gathering, summary: dict[str, Any]) -> Iterator[Points]:
    for name, value in flat(summary):
        point = point_of(value)
        if point and point[0] == "scalar" and not name.startswith("_") and not rows.has(name):
            yield Points(name, [rows.last_step], [rows.last_time], [point[1]])


def _step_of(value: Any, otherwise: int) -> int:
    is_whole = isinstance(value, int | float) and value == value and abs(value) <= MAX_INT
    return int(value) if is_whole else otherwise


def _files_of(folders: list[Path]) -> Iterator[FileRecord]:
    """What a run saved: its console as its main log, everything else below `outputs/`."""
    for folder in folders:
        for parent, names, files in os.walk(folder):
            names.sort()
            for name in sorted(files):
                path = Path(parent, name)
                if path.is_symlink() or not path.is_file():
                    continue
                label = path.relative_to(folder).as_posix()
                label = MAIN_LOG if label == "output.log" else f"{FILES}/{storable_path(label)}"
                yield FileRecord(label, path.stat().st_size, partial(_open, path))


def _open(path: Path) -> BinaryIO:
    return path.open("rb")


def _export_points(
    history: Path, summary: dict[str, Any], tick: Callable[[], None]
) -> Iterator[Points]:
    rows = Gathering()
    for row, step, time in _rows_of(history, tick):
        yield from rows.take(row, step, time)
    yield from rows.rest()
    yield from _only_summed(rows, summary)


def _times_of(history: Path, tick: Callable[[], None]) -> tuple[float, float]:
    """The first and the last time that it tells. Raises ValueError, SourceError."""
    first, last = math.inf, 0.0
    for _, _, time in _rows_of(history, tick, ("_timestamp",)):
        if is_time(time):
            first, last = min(first, time), max(last, time)
    return min(first, last), last


def _rows_of(
    history: Path, tick: Callable[[], None], wanted: Sequence[str] = ()
) -> Iterator[tuple[dict[str, Any], int, float]]:
    """(row, step, seconds since 1970, NaN where it tells none), with the wanted columns at least.
    Raises ValueError, SourceError."""
    if history.suffix == ".parquet":
        found = parquet_rows(history, tick, wanted)
    else:
        found = _READERS[history.suffix](history, tick)
    for number, row in enumerate(found):
        time, at = row.get("_timestamp"), math.nan
        if isinstance(time, int | float) and is_time(time):
            at = float(time)
        yield row, _step_of(row.get("_step"), number), at


def _csv_rows(path: Path, tick: Callable[[], None]) -> Iterator[dict[str, Any]]:
    with rows_of(path, tick, separator=",") as rows:
        _, names = next(rows, (0, []))
        for _, cells in rows:
            yield {name: _cell(cell) for name, cell in zip(names, cells, strict=False) if cell}


def _cell(text: Any) -> Any:
    try:
        return float(text)
    except (ValueError, TypeError):
        return text if isinstance(text, str) else None


def _json_rows(path: Path, tick: Callable[[], None]) -> Iterator[dict[str, Any]]:
    with path.open("rb") as stream:
        while line := stream.readline(MAX_JSON_BYTES):
            tick()
            row = load(line) if line.strip() else {}
            if not isinstance(row, dict):
                raise ValueError("a line is no object")
            yield row


_READERS = {".csv": _csv_rows, ".jsonl": _json_rows}


def _json_of(path: Path) -> dict[str, Any]:
    if not path.is_file() or path.is_symlink():
        return {}
    if path.stat().st_size > MAX_JSON_BYTES:
        raise ValueError(f"{path.name} has more than {MAX_JSON_BYTES:,} bytes")
    found = load(path.read_bytes())
    if not isinstance(found, dict):
        raise ValueError(f"{path.name} is no object")
    return found


def _plain_config(config: dict[str, Any]) -> dict[str, Any]:
    """W&B writes {name: {"value": …, "desc": …}} in places."""
    return {
        name: one["value"] if isinstance(one, dict) and "value" in one else one
        for name, one in config.items()
    }

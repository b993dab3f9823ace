"""`mlflow-db`: the database behind an MLflow server, schemas of 2.x and 3.x."""

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from studio.importers.local_files import files_below, folder_within, look_of
from studio.importers.mlflow import (
    PIECE,
    SOURCE,
    Found,
    WrongValue,
    batched,
    dataset_record,
    model_record,
    record_of,
)
from studio.importers.mlflow_tables import Tables, open_tables
from studio.importers.records import FileRecord, Note, Points, RunRecord, SourceError, Unreadable
from studio.importers.sources import SourceOptions
from studio.lineage.models import MODELS_FOLDER

GROUP = 100
# Of what is read of a group of runs at once.
MAX_CHARS = 256_000_000
# What MLflow stores for infinities.
INFINITE = 1.7976931348623157e308
NEEDED = {"experiments": {"experiment_id", "name"}, "runs": {"run_uuid", "status", "start_time"}}
NO_FILES = "Files of runs were left out: name the folder that holds them with --artifacts."
Labels = dict[str, dict[str, str]]


class DatabaseReader:
    """Reads the runs of all experiments, the oldest first."""

    source = SOURCE

    def __init__(self, tables: Tables, options: SourceOptions) -> None:
        self.tables, self.options = tables, options
        self.label = f"the MLflow database {tables.name}"
        for table, columns in NEEDED.items():
            if not columns <= tables.columns.get(table, set()):
                raise SourceError(f"“{tables.name}” is no database of MLflow: see its {table}.")

    def count(self) -> int | None:
        sql = f"SELECT count(*) FROM runs r JOIN experiments e {self._joined()}"  # noqa: S608
        return int(next(self.tables.rows(sql))[0])

    def _joined(self) -> str:
        joined = "ON e.experiment_id = r.experiment_id"
        if self.options.deleted:
            return joined
        for table, short in (("experiments", "e"), ("runs", "r")):
            if "lifecycle_stage" in self.tables.columns[table]:
                joined += f" AND coalesce({short}.lifecycle_stage, 'active') <> 'deleted'"
        return joined

    def read(self) -> Iterator[RunRecord | Unreadable | Note]:
        if self.options.artifacts is None:
            yield Note(NO_FILES)
        known = self.tables.columns["runs"]
        names = ("name", "user_id", "end_time", "artifact_uri")
        more = ", ".join(f"r.{name}" if name in known else "NULL" for name in names)
        sql = (
            f"SELECT r.run_uuid, e.name, r.status, r.start_time, e.experiment_id, {more} "  # noqa: S608
            f"FROM runs r JOIN experiments e {self._joined()} ORDER BY r.start_time, r.run_uuid"
        )
        for group in batched(_bounded(self.tables.rows(sql), every=GROUP), GROUP):
            yield from self._group(group)

    def _group(self, rows: Sequence[tuple[Any, ...]]) -> Iterator[RunRecord | Unreadable]:
        ids = [str(row[0]) for row in rows]
        tags, parameters = self._labels("tags", ids), self._labels("params", ids)
        counts, datasets = self._counts(ids), self._datasets(ids)
        models = self._models(ids)
        for row in rows:
            uid, experiment, status, start, number, name, user, end, address = row
            uid = str(uid)
            found = Found(
                run_id=uid,
                experiment=str(experiment),
                status=status,
                name=str(name or ""),
                user=str(user or ""),
                start_ms=start,
                end_ms=end,
                tags=tags[uid],
                parameters=parameters[uid],
                points=partial(self._points, uid),
            )
            problems = found.problems
            found.datasets = [dataset_record(facts, labels) for facts, labels in datasets[uid]]
            folders = {"": self._folder(address, number, uid)}
            for facts, params, labels in models[uid]:
                try:
                    found.models.append(model_record(facts, parameters=params, tags=labels))
                except WrongValue as error:
                    problems.append(str(error))
                    continue
                under = f"{MODELS_FOLDER}{facts['model_id']}/"
                where = str(facts["artifact_location"])
                folders[under] = folder_within(where, self.options.artifacts)
            there = {under: folder for under, folder in folders.items() if folder is not None}
            found.files = partial(_files, there)
            plain = [*map(str, row), found.tags, found.parameters, counts[uid], len(found.models)]
            text = json.dumps([*plain, look_of(*there.values())], sort_keys=True)
            found.version = hashlib.sha256(text.encode(errors="replace")).hexdigest()
            try:
                yield record_of(found)
            except WrongValue as error:
                yield Unreadable(uid[:80], str(error))

    def _folder(self, address: object, experiment: object, uid: str) -> Path | None:
        """Where the files of a run lie: at its own address, or as a server lays them out."""
        root = self.options.artifacts
        if root is None:
            return None
        places = (str(address or ""), root / str(experiment) / uid / "artifacts")
        found = (folder_within(str(place), root) for place in places)
        return next((folder for folder in found if folder is not None), None)

    def _of(self, table: str, columns: str, ids: Sequence[str], by: str) -> Iterator[Any]:
        if table not in self.tables.columns:
            return iter(())
        marks = ", ".join("?" * len(ids))
        sql = f"SELECT {by}, {columns} FROM {table} WHERE {by} IN ({marks})"  # noqa: S608
        return _bounded(self.tables.rows(sql, ids))

    def _labels(self, table: str, ids: Sequence[str], by: str = "run_uuid") -> Labels:
        found: Labels = defaultdict(dict)
        names = {"logged_model_params": "param_key, param_value"}
        names["logged_model_tags"] = "tag_key, tag_value"
        for uid, key, value in self._of(table, names.get(table, "key, value"), ids, by):
            found[str(uid)][str(key)] = "" if value is None else str(value)
        return found

    def _counts(self, ids: Sequence[str]) -> dict[str, int]:
        found: dict[str, int] = defaultdict(int)
        if "metrics" in self.tables.columns:
            marks = ", ".join("?" * len(ids))
            sql = f"SELECT run_uuid, count(*) FROM metrics WHERE run_uuid IN ({marks}) GROUP BY 1"  # noqa: S608
            found.update({str(uid): int(n) for uid, n in self.tables.rows(sql, ids)})
        return found

    def _datasets(self, ids: Sequence[str]) -> dict[str, list[tuple[dict[str, str], Any]]]:
        found: dict[str, list[tuple[dict[str, str], Any]]] = defaultdict(list)
        if not {"inputs", "datasets", "input_tags"} <= self.tables.columns.keys():
            return found
        marks = ", ".join("?" * len(ids))
        sql = (
            "SELECT i.destination_id, i.input_uuid, d.name, d.digest, d.dataset_source_type, "  # noqa: S608
            "d.dataset_source, d.dataset_schema, d.dataset_profile FROM inputs i "
            "JOIN datasets d ON d.dataset_uuid = i.source_id "
            "WHERE i.source_type = 'DATASET' AND i.destination_type = 'RUN' "
            f"AND i.destination_id IN ({marks})"
        )
        uses = list(_bounded(self.tables.rows(sql, ids)))
        labels: Labels = defaultdict(dict)
        for part in batched([str(use[1]) for use in uses], GROUP):
            for use, key, value in self._of("input_tags", "name, value", part, "input_uuid"):
                labels[str(use)][str(key)] = str(value or "")
        names = ("name", "digest", "source_type", "source", "schema", "profile")
        for run_id, use, *facts in uses:
            found[str(run_id)].append((dict(zip(names, facts, strict=True)), labels[str(use)]))
        return found

    def _models(self, ids: Sequence[str]) -> dict[str, list[tuple[dict[str, Any], Any, Any]]]:
        found: dict[str, list[tuple[dict[str, Any], Any, Any]]] = defaultdict(list)
        names = "model_id, name, artifact_location, creation_timestamp_ms, status, model_type"
        rows = list(self._of("logged_models", names, ids, "source_run_id"))
        params: Labels = {}
        tags: Labels = {}
        for part in batched([str(row[1]) for row in rows], GROUP):
            params |= self._labels("logged_model_params", part, "model_id")
            tags |= self._labels("logged_model_tags", part, "model_id")
        for run_id, *row in rows:
            facts = dict(zip(names.split(", "), row, strict=True))
            uid = str(facts["model_id"])
            found[str(run_id)].append((facts, params.get(uid, {}), tags.get(uid, {})))
        return found

    def _points(self, uid: str) -> Iterator[Points | Unreadable]:
        known = self.tables.columns.get("metrics")
        if not known:
            return
        more = ", ".join(name if name in known else "0" for name in ("step", "is_nan"))
        sql = f"SELECT key, timestamp, value, {more} FROM metrics "  # noqa: S608
        sql += f"WHERE run_uuid = ? ORDER BY {self.tables.in_order}"
        for rows in batched(_bounded(self.tables.rows(sql, [uid]), every=PIECE), PIECE):
            by_name: dict[str, list[tuple[int, float, float]]] = defaultdict(list)
            for name, at_ms, value, step, is_nan in rows:
                try:
                    point = (int(step), int(at_ms) / 1000, _value(value, is_nan))
                except (TypeError, ValueError, OverflowError) as error:
                    yield Unreadable(str(name)[:80], f"Not a point: {error}.")
                    continue
                by_name[str(name)].append(point)
            for name, points in by_name.items():
                steps, times, values = zip(*points, strict=True)
                yield Points(name, steps, times, values)


def _bounded(rows: Iterable[tuple[Any, ...]], *, every: int = 0) -> Iterator[tuple[Any, ...]]:
    """The rows, as long as they have a reasonable size together, or so many of them have. A column
    with a default takes no room in a file, however many rows have it. Raises SourceError."""
    n_chars = 0
    for number, row in enumerate(rows):
        if every and number % every == 0:
            n_chars = 0
        n_chars += sum(len(value) for value in row if isinstance(value, str | bytes))
        if n_chars > MAX_CHARS:
            raise SourceError(
                f"What belongs together in the database has more than {MAX_CHARS:,} characters: "
                "MLflow has written no such rows."
            )
        yield row


def _value(value: Any, is_nan: Any) -> float:
    number = float(value)
    if is_nan or math.isnan(number):
        return math.nan
    return math.copysign(math.inf, number) if abs(number) >= INFINITE else number


def _files(folders: dict[str, Path]) -> Iterator[FileRecord | Unreadable]:
    for under, folder in folders.items():
        yield from files_below(folder, under=under)


@contextmanager
def open_database(source: str | Path, options: SourceOptions) -> Iterator[DatabaseReader]:
    """Raises SourceError."""
    with open_tables(str(source), options.tick) as tables:
        yield DatabaseReader(tables, options)


@contextmanager
def open_database_file(path: Path, options: SourceOptions) -> Iterator[DatabaseReader]:
    """An uploaded SQLite file. Raises SourceError."""
    with open_tables(f"sqlite:///{path}", options.tick) as tables:
        reader = DatabaseReader(tables, options)
        reader.label = "an uploaded MLflow database"
        yield reader

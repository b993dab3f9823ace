"""A small upload never fills the memory of who imports it, and what is large on purpose comes."""

import hashlib
import io
import itertools
import json
import resource
import sqlite3
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from django.db.models import Sum

from studio.artifacts.models import Artifact
from studio.importers.archive_zip import ArchiveZip
from studio.importers.csv_runs import CsvRuns
from studio.importers.importing import GROUP_BYTES, Import
from studio.importers.mlflow_database import open_database_file
from studio.importers.records import Points, RunRecord, SourceError, Unreadable
from studio.importers.sources import SourceOptions
from studio.importers.studio_zip import StudioZip
from studio.importers.wandb_runs import WandbRuns
from studio.importers.wish import Wish
from studio.metrics.models import MetricChunk
from studio.runs.actions import complete_run
from studio.wire.checks import MAX_TEXT
from tests import make
from tests.exports.archives import written
from tests.importers import made_mlruns, made_wandb
from tests.importers.made_up import Listed, bring, record

Pieces = Callable[[bytes], Iterable[bytes]]


def megabytes() -> int:
    """The most that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def packed(path: Path, text: str, n_rows: int, **how: Any) -> Path:
    """A history whose one text is in all rows, and once in the file."""
    path.parent.mkdir()
    same = pa.DictionaryArray.from_arrays(pa.array([0] * n_rows, pa.int32()), pa.array([text]))
    parquet.write_table(pa.table({"x": same}), path, compression="zstd", **how)
    assert path.stat().st_size < 100_000
    return path


def test_a_parquet_file_that_unpacks_without_end_costs_its_run(tmp_path: Path) -> None:
    packed(tmp_path / "many times" / "history.parquet", "a" * 5_000_000, 1_000)
    packed(tmp_path / "plain" / "history.parquet", "a" * 5_000_000, 1_000, store_schema=False)
    packed(tmp_path / "rows" / "history.parquet", "a", 21_000_000)
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "history.parquet").write_bytes(b"PAR1" + bytes(1_000))
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "history.jsonl").write_text('{"loss": 1}\n')
    before = megabytes()
    listed = list(WandbRuns(tmp_path).read())
    found = {one.name: one for one in listed if isinstance(one, RunRecord)}
    told = {one.place: one.why for one in listed if isinstance(one, Unreadable)}
    with pytest.raises(ValueError, match="too much memory"):
        list(found["plain"].points())
    n_points, longest = 0, 0
    for piece in found["many times"].points():
        assert not isinstance(piece, Unreadable)
        n_points += len(piece.values)
        longest = max(longest, *map(len, piece.values))

    assert (n_points, longest) == (1_000, MAX_TEXT)
    assert found.keys() == {"many times", "good", "plain"}
    assert told.keys() == {"rows", "damaged"}
    assert "21,000,000 rows of 1 columns; at most 20,000,000 rows" in told["rows"]
    assert megabytes() - before < 300


def rewritten(archive: bytes, path: Path, **folders: Pieces) -> Path:
    """The archive with other bytes in its members of these folders, as if of another studio."""
    sums = {}
    with (
        zipfile.ZipFile(io.BytesIO(archive)) as old,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            if name == "checksums.txt":
                continue
            data, digest = old.read(name), hashlib.sha256()
            if name == "studio.json":
                data = json.dumps({**json.loads(data), "place": "0" * 32}).encode() + b"\n"
            with new.open(name, "w") as member:
                for piece in folders.get(name.split("/")[0], lambda data: [data])(data):
                    member.write(piece)
                    digest.update(piece)
            sums[name] = digest.hexdigest()
        new.writestr("checksums.txt", "".join(f"{sum}  {name}\n" for name, sum in sums.items()))
    return path


def events_of(uid: str, n: int) -> Pieces:
    line = {"run": uid, "at": "", "kind": "x", "actor": "", "after": "é" * 1_000, "message": ""}
    block = (json.dumps(line, ensure_ascii=False) + "\n").encode() * 1_000
    return lambda data: itertools.repeat(block, n // 1_000)


@pytest.mark.django_db
def test_a_history_of_many_events_is_never_held_whole(
    workspace: Any, people: Any, run: Any, settings: Any, tmp_path: Path
) -> None:
    settings.STUDIO_HOME = tmp_path
    complete_run(run, by=make.actor(people.bob))
    n = 100_000
    path = rewritten(written(workspace), tmp_path / "a.zip", events=events_of(run.uid, n))
    assert path.stat().st_size < 2_000_000
    other = make.workspace("other", owner=people.alice, contributor=people.bob)
    before = megabytes()
    work = Import(StudioZip(ArchiveZip(path)), Wish(workspace=other, by=make.actor(people.bob)))
    list(work.steps())

    (history,) = Artifact.objects.filter(run__workspace=other, path="imported/history.jsonl")
    assert history.n_bytes > n * 2_000
    assert megabytes() - before < 100
    assert not list((tmp_path / "imports").iterdir())


@pytest.mark.django_db
def test_lines_of_an_archive_that_hold_too_much_are_told(
    workspace: Any, run: Any, tmp_path: Path
) -> None:
    def many(data: bytes) -> Iterator[bytes]:
        line = json.loads(data)
        yield json.dumps({**line, "x": []}).encode()[:-2]
        yield b"[]," * 4_000_000 + b"[]]}\n"

    def texts(data: bytes) -> Iterator[bytes]:
        yield json.dumps({**json.loads(data), "x": '[{",' * 2_000_000}).encode() + b"\n"

    archive = written(workspace)
    before = megabytes()
    (told,) = StudioZip(ArchiveZip(rewritten(archive, tmp_path / "a.zip", runs=many))).read()
    assert isinstance(told, Unreadable)
    assert "more than 4,000,000 values" in told.why
    assert megabytes() - before < 100
    (found,) = StudioZip(ArchiveZip(rewritten(archive, tmp_path / "b.zip", runs=texts))).read()
    assert isinstance(found, RunRecord)


@pytest.mark.django_db
def test_heavy_runs_are_stored_in_smaller_groups(workspace: Any) -> None:
    """Each of them is gone before many more are read."""
    alive, most = set[int](), 0

    class Heavy(str):
        def __del__(self) -> None:
            alive.discard(id(self))

    class Reader(Listed):
        def read(self) -> Iterator[RunRecord | Unreadable]:
            nonlocal most
            for i in range(20):
                text = Heavy("x")
                alive.add(id(text))
                most = max(most, len(alive))
                yield record(f"run {i}", name=text, weight=GROUP_BYTES // 4)
                del text

    work = Import(
        Reader(), Wish(workspace=workspace, by=make.actor(make.contributor_of(workspace)))
    )
    list(work.steps())

    assert work.report.n_new == 20
    assert most <= 8


@pytest.mark.django_db
def test_long_texts_of_a_metric_are_stored_before_many_wait(workspace: Any) -> None:
    most = 0

    def texts() -> Iterator[Points]:
        nonlocal most
        for step in range(4_000):
            if step % 100 == 0:
                stored = MetricChunk.objects.aggregate(n=Sum("n_points"))["n"] or 0
                most = max(most, step - stored)
            yield Points("note", [step], [1.0], [f"{step:020000}"], "text")

    report = bring(workspace, record(points=texts))

    assert report.n_points == 4_000
    assert 0 < most < 1_500


def test_a_row_of_a_table_that_never_ends_is_refused(tmp_path: Path) -> None:
    before = megabytes()
    for name, content in {
        "one line": b"name\n" + b"," * 50_000_000,
        "many lines": b'name\n"' + b'x\n","' * 10_000_000,
    }.items():
        file = tmp_path / f"{name}.csv"
        file.write_bytes(content)
        with pytest.raises(SourceError, match="a row has more than 8,388,608 characters"):
            list(CsvRuns(file).read())
        folder = tmp_path / name
        folder.mkdir()
        (folder / "history.csv").write_bytes(content)
        (told,) = WandbRuns(folder).read()
        assert isinstance(told, Unreadable)
    assert megabytes() - before < 300


def test_a_record_of_wandb_that_holds_too_much_ends_its_log(tmp_path: Path) -> None:
    made = made_wandb.record
    rows = [made(history={"loss": 1}), made(history={"x": "[]," * 12_000_000})]
    folder = made_wandb.write(tmp_path / "a", made(run={"project": "vision"}), *rows)
    (run,) = WandbRuns(folder).read()

    assert isinstance(run, RunRecord)
    assert "has more than 33,554,432 bytes" in run.problems[0]
    pieces = [piece for piece in run.points() if isinstance(piece, Points)]
    assert [piece.name for piece in pieces] == ["loss"]


def test_a_table_of_points_of_very_many_metrics_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studio.importers.csv_runs.MAX_LONG_SERIES", 3)
    file = tmp_path / "points.csv"
    for names, n_runs in (("abc", 1), ("abcd", 0)):
        rows = "".join(f"run,{name},1\n" for name in names * 2)
        file.write_text(f"run,metric,value\n{rows}")
        if n_runs:
            assert len(list(CsvRuns(file).read())) == n_runs
            continue
        with pytest.raises(SourceError, match="3 metrics of runs: split it"):
            list(CsvRuns(file).read())


@pytest.mark.parametrize(("table", "column"), [("tags", "value"), ("runs", "name")])
def test_a_database_whose_rows_are_larger_than_its_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str, column: str
) -> None:
    monkeypatch.setattr("studio.importers.mlflow_database.MAX_CHARS", 20_000_000)
    path = made_mlruns.database(tmp_path / "many.db", 120)
    with sqlite3.connect(path) as db:
        db.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        db.execute(f"ALTER TABLE {table} ADD COLUMN {column} TEXT DEFAULT '{'x' * 250_000}'")
    db.close()

    assert path.stat().st_size < 1_000_000
    with open_database_file(path, SourceOptions()) as reader, pytest.raises(SourceError) as told:
        list(reader.read())
    assert "more than 20,000,000 characters" in str(told.value)

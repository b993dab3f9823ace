"""A small upload never fills the memory of who imports it, and what is large on purpose comes."""

import resource
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from studio.importers.csv_runs import CsvRuns
from studio.importers.records import Points, RunRecord, SourceError, Unreadable
from studio.importers.wandb_runs import WandbRuns
from studio.wire.checks import MAX_TEXT
from tests.importers import made_wandb


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

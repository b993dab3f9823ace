"""Tables become runs: our own exports, those of other programs, and points one a row."""

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from studio.exports.formats import CSV
from studio.exports.table import table_of
from studio.importers.csv_heads import MAX_COLUMNS
from studio.importers.csv_runs import CsvRuns
from studio.importers.importing import Import
from studio.importers.records import RunRecord, SourceError, Unreadable
from studio.importers.wish import Wish
from studio.metrics.actions import record_batch
from studio.runs.actions import change_tags, complete_run, rename_run
from studio.runs.models import Run
from studio.search.columns import parse_columns
from studio.search.order import NEWEST, Order
from studio.wire import Batch, Series
from tests import make

BATCH = "6f1ed002-ab55-4a33-9d2b-1c1f0a4a4c11"


def read(folder: Path, content: str | bytes, name: str = "sweep.csv") -> list[Any]:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(CsvRuns(file).read())


def points(record: RunRecord) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for piece in record.points():
        assert not isinstance(piece, Unreadable)
        found.setdefault(piece.name, []).extend(zip(piece.steps, piece.values, strict=True))
    return found


@pytest.mark.django_db
@pytest.mark.data
def test_our_own_export_comes_back(experiment: Any, people: Any, tmp_path: Path) -> None:
    by = make.actor(people.bob)
    run = make.run(experiment, parameters={"lr": "-0.5", "a,b": "adam", "w": "=1+1"})
    tags = {"quality": "good; very", "flag": None, 'a"b': "x: \\y\n"}
    change_tags(run, by=by, put=tags)
    rename_run(run, "=cmd|' /C calc'!A0", by=by)
    record_batch(run, Batch(BATCH, (Series("loss", "scalar", [1.0], [math.nan], [3]),)), by=by)
    run = complete_run(run, by=by)
    columns = (
        "name,experiment,status,tags,submitted,started,ended,duration,submitter,target,type,"
        'number,description,star,children,tag.quality,param.lr,param."a,b",param.w,metric.loss,'
        "metric.loss:min"
    )
    order = Order(NEWEST, experiment.workspace, None)
    table = table_of(Run.objects.of(experiment.workspace), parse_columns(columns), order)
    (found,) = read(tmp_path, b"".join(CSV.write(table)))

    assert found.problems == ()
    assert (found.uid, found.name, found.status) == (run.uid, run.display_name, "Completed")
    times = (found.created_at, found.started_at, found.ended_at)
    assert times == (run.created_at, run.started_at, run.ended_at)
    assert found.tags == tags
    assert found.parameters == {"lr": "-0.5", "a,b": "adam", "w": "=1+1"}
    ((step, value),) = points(found)["loss"]
    assert step == 0
    assert math.isnan(value)
    assert found.submitter == "bob"


def test_tables_of_other_programs_are_read(tmp_path: Path) -> None:
    head = ("Name", "State", "Created", "Notes", "lr", "config.depth", "summary.acc")
    row = ("first é", "crashed", "2024-05-01T12:00:00Z", "a note", "1e-3", "4", "0,5")
    ways = {
        "semicolons": ";".join(head) + "\r\n" + ";".join(row) + "\r\n",
        "tabs": "\t".join(head) + "\n\n" + "\t".join(row),
        "mark": "\ufeff" + "|".join(head) + "\n" + "|".join(row) + "\n",
        "utf-16": (";".join(head) + "\n" + ";".join(row)).encode("utf-16"),
        "windows": (";".join(head) + "\n" + ";".join(row)).encode("cp1252"),
        "quoted": ",".join(f'"{x}"' for x in head) + "\n" + ",".join(f'"{x}"' for x in row),
    }
    for way, content in ways.items():
        (found,) = read(tmp_path, content)
        assert isinstance(found, RunRecord), (way, found)
        assert (found.name, found.status, found.experiment) == ("first é", "Failed", "sweep"), way
        assert found.created_at == datetime(2024, 5, 1, 12, tzinfo=UTC)
        assert found.description == "a note"
        assert found.parameters == {"lr": "1e-3", "depth": "4"}
        assert points(found) == {"acc": [(0, 0.5)]}


def test_a_problem_names_its_line_and_its_column(tmp_path: Path) -> None:
    text = (
        "name,status,started,duration,metric.loss\n"
        'a,Completed,2024-05-01 12:00:00,60,"0.5"\n'
        "b,sleeping,yesterday,1,much\n"
        "c,Completed\n"
        ',Completed,1714564800,1,"1"\n'
        'd,,1714564800.5,"2",\n'
    )
    first, second, short, nameless, last = read(tmp_path, text)

    assert (first.ended_at - first.started_at).total_seconds() == 60
    told = " ".join(second.problems)
    for words in ("line 3, column “status”: “sleeping”", "“started”", "“metric.loss”: “much”"):
        assert words in told
    assert short == Unreadable("line 4", "It has 2 cells, the first row has 5.")
    assert nameless == Unreadable("line 5", "It has no name.")
    assert last.created_at.timestamp() == 1714564800.5
    assert [one.origin for one in read(tmp_path, text) if isinstance(one, RunRecord)] == [
        one.origin for one in (first, second, last)
    ]


def test_points_one_a_row_are_gathered_by_run(tmp_path: Path) -> None:
    text = (
        "run,metric,step,value,time\n"
        "a,loss,0,1.0,1714564800\n"
        "b,loss,9223372036854775807,nan,1714564801\n"
        "a,acc,,0.25,1714564802\n"
        "a,loss,1,0.5,1714564803\n"
        "a,acc,,0.75,2024-05-01T13:00:00+02:00\n"
        "a,loss,1.5,0,1714564804\n"
        "a,loss,2,high,\n"
        ",loss,2,1,\n"
    )
    *broken, first, second = read(tmp_path, text)

    assert [(one.place, one.why) for one in broken] == [
        ("line 7", "“1.5” in the column “step” is none."),
        ("line 8", "“high” in the column “value” is none."),
        ("line 9", "It names no run or no metric."),
    ]
    assert points(first) == {"loss": [(0, 1.0), (1, 0.5)], "acc": [(0, 0.25), (1, 0.75)]}
    assert first.started_at == datetime(2024, 5, 1, 11, tzinfo=UTC)
    assert points(second)["loss"][0][0] == 2**63 - 1


def test_what_is_no_table_is_refused_in_words(tmp_path: Path) -> None:
    cases: dict[str, str | bytes] = {
        "is empty": "\n\n",
        "No column is called": "a,b\n1,2\n",
        "is there twice": "name,lr,lr\na,1,2\n",
        "can't be read after line 2": 'name,x\na,"' + "y" * (1 << 21),
        "can't be read after line 0": b"name\n\xff\x81",
    }
    for words, content in cases.items():
        with pytest.raises(SourceError, match=words):
            read(tmp_path, content)


def test_a_table_of_very_many_columns_is_refused_at_once(tmp_path: Path) -> None:
    many = "name," + ",".join(f"p{i}" for i in range(200_000))
    for words, head in {
        "200,001 columns; at most 20,000 are read. Leave out": many,
        "column 2, “xxxx": "name," + "x" * 2_000,
        # A pattern that goes back and forth would need hours for it.
        "column 1, “:at-min": ":at-min(" * 100_000,
    }.items():
        with pytest.raises(SourceError, match=words):
            read(tmp_path, f"{head}\n")
    widest = "name," + ",".join(f"p{i}" for i in range(MAX_COLUMNS - 1))
    (found,) = read(tmp_path, f"{widest}\na{',1' * (MAX_COLUMNS - 1)}\n")

    assert len(found.parameters) == MAX_COLUMNS - 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("2024-05-01T12:00:00Z,1e12,1", "line 2, column “duration”: “1e+12” is none."),
        ("2024-05-01T12:00:00Z,inf,1", "line 2, column “duration”: “inf” is none."),
        ("9999-12-31T23:59:59Z,60,1", "line 2, column “duration”: “60” is none."),
        ("0001-01-01T00:00:00+14:00,,1", "before 1970"),
        ("9999-12-31T23:59:59-14:00,,1", "in the future"),
        ("2024-05-01T12:00:00Z,nan,1", ""),
        ("2024-05-01T12:00:00Z,-inf,1e999", ""),
    ],
)
def test_an_odd_cell_costs_that_cell(workspace: Any, tmp_path: Path, row: str, told: str) -> None:
    file = tmp_path / "sweep.csv"
    file.write_text(f"name,started,duration,metric.loss\na,{row}\nb,2024-05-01T12:00:00Z,60,0.5\n")
    wish = Wish(workspace=workspace, by=make.actor(make.contributor_of(workspace)))
    work = Import(CsvRuns(file), wish)
    list(work.steps())

    assert (work.report.n_new, work.report.n_skipped) == (2, 0)
    assert told in " ".join(problem.why for problem in work.report.problems)
    assert set(Run.objects.values_list("display_name", flat=True)) == {"a", "b"}


def test_a_point_at_no_time_of_the_calendar_is_left_out(tmp_path: Path) -> None:
    odd, run = read(
        tmp_path,
        "run,metric,step,value,time\na,loss,0,1,9999-12-31T23:59:59-14:00\na,loss,1,1,1714564800\n",
    )

    assert odd == Unreadable("line 2", "“9999-12-31T23:59:59-14:00” in the column “time” is none.")
    assert points(run) == {"loss": [(1, 1.0)]}

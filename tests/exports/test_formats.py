"""The three formats hold the list's values, whatever people wrote in them."""

import math
from array import array
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from studio.exports.csv_lines import csv_text
from studio.exports.formats import FORMATS
from studio.exports.table import UID, Table, table_of
from studio.metrics.models import Metric
from studio.runs.actions import change_tags
from studio.runs.models import Run
from studio.search.column_values import values_for
from studio.search.columns import parse_columns
from studio.search.order import NEWEST, Order
from tests import make
from tests.exports.reading import READERS

pytestmark = [pytest.mark.django_db, pytest.mark.data]

COLUMNS = (
    "name,experiment,status,tags,submitted,started,ended,duration,submitter,target,type,number,"
    'description,star,children,tag.quality,property.commit,param.lr,param."a,b",metric.loss,'
    "metric.loss:min,metric.words,uid"
)
HOSTILE = [
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1",
    "＝1+1",
    "  =1+1",
    "\u200b=1+1",
    "\ufeff@x",
    "-",
]
HARMLESS = [
    'say "hi", twice',
    "two\nlines",
    "two\r\nlines",
    "a\u2028b\u0085c",
    "\u202egnp.exe",
    "\u202e\u2066abc",
    "😀 emoji",
    "1;2",
    "a=b",
    "bell\x07",
    "'quoted",
]


def store(experiment: Any, names: list[str]) -> list[Any]:
    runs = []
    for name in names:
        run = make.run(experiment, parameters={"lr": "-0.5", "a,b": "adam"}, properties={})
        Run.objects.filter(pk=run.pk).update(display_name=name)
        runs.append(run)
    return runs


def written(experiment: Any, kind: str, columns: str = COLUMNS, user: Any = None) -> list[Any]:
    order = Order(NEWEST, experiment.workspace, user)
    runs = Run.objects.of(experiment.workspace)
    table = table_of(runs, parse_columns(columns), order)
    return READERS[kind](FORMATS[kind].write(table))


@pytest.fixture
def full(experiment: Any, people: Any) -> Any:
    """A run with something in every column, a child run, and a run with next to nothing."""
    by = make.actor(people.bob)
    run = make.run(experiment, parameters={"lr": "0.1", "a,b": "1"}, properties={"commit": "f00"})
    change_tags(run, by=by, put={"quality": "good; very", "flag": None, 'a"b': "x: y"})
    facts = {"workspace": run.workspace, "run": run}
    Metric.objects.create(**facts, name="loss", last_text="NaN", min=0.25, max=3.0)
    Metric.objects.create(**facts, name="words", last_text='["a"]', kind="table")
    run.stars.create(user=people.bob)
    make.run(experiment, parent=run)
    ended = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    done = Run.objects.filter(pk=run.pk)
    done.update(status="Completed", ended_at=ended, duration_s=1234.5678)
    return done.get()


def test_json_lines_are_the_values_of_the_api(full: Any, experiment: Any, people: Any) -> None:
    api = make.Api(people.bob, experiment.workspace)
    listed = api.get("/runs", columns=COLUMNS, children="true").json()["items"]
    found = written(experiment, "jsonl", user=people.bob)

    assert found[1] == listed[1]["columns"]
    assert next(iter(found[1])) == "uid"
    assert found[1]["metric.loss"] == "NaN"
    assert found[1]["tags"] == {"quality": "good; very", "flag": None, 'a"b': "x: y"}
    assert [row["uid"] for row in found] == [item["uid"] for item in listed]


def test_parquet_has_the_values_of_the_list(full: Any, experiment: Any, people: Any) -> None:
    columns = parse_columns(COLUMNS)
    values = values_for([full], columns, user=people.bob)[full.pk]
    row = written(experiment, "parquet", user=people.bob)[1]

    assert math.isnan(row.pop("metric.loss"))
    assert row.pop("children") == {"n": 1, "completed": 0, "failed": 0, "canceled": 0}
    assert row.pop("metric.words") is None
    told = {str(column): values[column] for column in columns}
    assert row == {text: told[text] for text in row}
    assert row.keys() | {"metric.loss", "children", "metric.words"} == told.keys()


def test_parquet_is_typed(full: Any, experiment: Any) -> None:
    table = table_of(
        Run.objects.of(experiment.workspace),
        parse_columns(COLUMNS),
        Order(NEWEST, experiment.workspace),
    )
    data = b"".join(FORMATS["parquet"].write(table))
    types = {field.name: field.type for field in parquet.read_schema(pa.BufferReader(data))}

    assert types["submitted"] == pa.timestamp("us", tz="UTC")
    assert types["duration"] == types["metric.loss:min"] == pa.float64()
    assert types["number"] == pa.int64()
    assert types["star"] == pa.bool_()
    assert types["tags"] == pa.map_(pa.string(), pa.string())
    assert types["name"] == types["param.lr"] == types["tag.quality"] == pa.string()


def test_csv_is_what_a_spreadsheet_and_a_program_read(
    full: Any, experiment: Any, people: Any
) -> None:
    row = written(experiment, "csv", user=people.bob)[1]

    assert row == {
        "uid": full.uid,
        "name": full.display_name,
        "experiment": "vision",
        "status": "Completed",
        "tags": '"a\\"b": "x: y"; flag; quality: "good; very"',
        "submitted": f"{full.created_at:%Y-%m-%dT%H:%M:%S.%f}Z",
        "started": f"{full.started_at:%Y-%m-%dT%H:%M:%S.%f}Z",
        "ended": "2026-01-02T03:04:05.000006Z",
        "duration": "1234.5678",
        "submitter": "bob",
        "target": "",
        "type": "interactive",
        "number": str(full.number),
        "description": "",
        "star": "true",
        "children": "n: 1; completed: 0; failed: 0; canceled: 0",
        "tag.quality": "good; very",
        "property.commit": "f00",
        "param.lr": "0.1",
        'param."a,b"': "1",
        "metric.loss": "NaN",
        "metric.loss:min": "0.25",
        "metric.words": '["a"]',
    }


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_hostile_names_come_back_as_they_were(experiment: Any, kind: str) -> None:
    names = HOSTILE + HARMLESS
    store(experiment, names)

    assert [row["name"] for row in written(experiment, kind)] == names[::-1]


@pytest.mark.any_database
def test_no_cell_of_a_csv_is_a_formula(experiment: Any) -> None:
    store(experiment, HOSTILE + HARMLESS)

    found = [row["name"] for row in written(experiment, "csv")][::-1]

    assert found == [f"'{name}" for name in HOSTILE] + HARMLESS


def test_a_tag_is_no_formula_either(experiment: Any) -> None:
    run = make.run(experiment)
    change_tags(run, by=make.actor(run.submitter), put={"a": "=1+1", "=b": None})
    row = written(experiment, "csv", "tag.a,tags")[0]

    assert row == {"uid": run.uid, "tag.a": "'=1+1", "tags": "'=b; a: =1+1"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-0.5, "-0.5"),
        (-3, "-3"),
        (1e-300, "1e-300"),
        (math.nan, "NaN"),
        (-math.inf, "-Infinity"),
        ("-0.5", "-0.5"),
        ("+1e5", "+1e5"),
        ("-Infinity", "-Infinity"),
        ("-1-1", "'-1-1"),
        ("-1e5x", "'-1e5x"),
        ("-1\n", "'-1\n"),
        ("-١", "'-١"),
        (True, "true"),
        (None, ""),
    ],
)
def test_a_number_stays_a_number(value: Any, text: str) -> None:
    assert csv_text(value) == text


class HalfCharacter(Table):
    """What no text let in holds, and an older database might."""

    def blocks(self) -> Iterator[list[Any]]:
        yield [["\ud800"]]


@pytest.mark.parametrize("kind", FORMATS)
def test_half_a_character_breaks_no_file(kind: str) -> None:
    pieces = FORMATS[kind].write(HalfCharacter((UID,), array("q", [1])))

    assert READERS[kind](pieces) == [{"uid": "\ud800" if kind == "jsonl" else "?"}]

"""Points of a metric as rows: the last ones for a page, all of them as CSV."""

import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from studio.metrics.models import Kind, Metric
from studio.metrics.packing import Points
from studio.metrics.series import points_of
from studio.web.documents import is_document, problem_of, raw_json
from studio.web.figures import NOT_FINITE
from studio.web.formats import number
from studio.wire import dump_numbers

MAX_ROWS = 200
MAX_COLUMNS = 50
MAX_CELL = 500
ROWS_AT_ONCE = 2_000
# What a spreadsheet takes for the start of a formula.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


@dataclass(frozen=True, slots=True)
class Cell:
    """`text` is shown, `exact` is the whole value."""

    text: str
    exact: str
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows as people read them, newest first; `n_rows` counts all there are."""

    columns: list[str]
    rows: list[list[Cell]]
    n_rows: int
    # Of a document that is no table: why, and the document as JSON.
    problem: str = ""
    raw: str = ""

    @property
    def n_left_out(self) -> int:
        return self.n_rows - len(self.rows)


def table_of(metric: Metric, points: Points) -> Table:
    """The last points, newest first; the last document as its own table."""
    if is_document(metric.kind) and len(points):
        return document_table(metric.kind, list(points.values)[-1])
    n = len(points)
    last = points.part(max(0, n - MAX_ROWS), n)
    columns = columns_of(metric, last)
    rows = [
        [cell(value) for value in row] for row in reversed(list(rows_of(metric, last, columns)))
    ]
    return Table(["Step", "Time (UTC)", *columns], rows, n)


def document_table(kind: str, document: Any) -> Table:
    """The document as a table of its own, or why it is none."""
    if problem := problem_of(kind, document):
        return Table([], [], 0, problem, raw_json(document))
    return DOCUMENTS[kind](document["data"])


def columns_of(metric: Metric, points: Points) -> list[str]:
    """The value columns: a table's own in the order they first appear, else one."""
    if metric.kind != Kind.TABLE:
        return ["Value"]
    return list(dict.fromkeys(key for row in points.values for key in row))[:MAX_COLUMNS]


def rows_of(metric: Metric, points: Points, columns: list[str]) -> Iterator[list[Any]]:
    """step, time and values of each point; values as they are."""
    is_table = metric.kind == Kind.TABLE
    for step, time, value in zip(points.steps, points.times, points.values, strict=True):
        values = [value.get(key) for key in columns] if is_table else [plain(value)]
        yield [int(step), moment(float(time)), *values]


def plain(value: Any) -> Any:
    """An image as its path, a document as JSON, an array's number as Python's own."""
    if isinstance(value, dict):
        return value["path"] if set(value) == {"path"} else json.dumps(value, ensure_ascii=False)
    return float(value) if isinstance(value, float) else value


def moment(time: float) -> str:
    """Epoch seconds as ISO 8601 UTC; what no calendar holds stays a number."""
    try:
        return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
    except (OverflowError, ValueError, OSError):
        return repr(time)


def cell(value: Any) -> Cell:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Cell(number_text(value), str(word_of(value)), is_number=True)
    exact = "" if value is None else str(value)
    text = exact if len(exact) <= MAX_CELL else f"{exact[: MAX_CELL - 1]}…"
    return Cell(text or "–", exact[:MAX_CELL])


def number_text(value: float) -> str:
    """As `number`; an integer beyond the range of a double by its digits."""
    is_huge = isinstance(value, int) and abs(value) > sys.float_info.max
    return str(value)[:MAX_CELL] if is_huge else number(value)


def word_of(value: Any) -> Any:
    """A number that is not finite in the word that programs read back; else the value itself."""
    return dump_numbers([value])[0] if isinstance(value, float) else value


def matrix_table(data: dict[str, Any]) -> Table:
    labels = [str(label) for label in data["class_labels"]]
    rows = [
        [cell(label), *map(cell, row)] for label, row in zip(labels, data["matrix"], strict=True)
    ]
    return Table(["true \\ predicted", *labels], rows, len(rows))


def accuracy_rows(data: dict[str, Any]) -> Table:
    rows = [
        [cell(str(label)), cell(threshold), *map(cell, counts)]
        for label, table in zip(data["class_labels"], data["probability_tables"], strict=True)
        for threshold, counts in zip(data["probability_thresholds"], table, strict=True)
    ]
    columns = ["Class", "Threshold", *("True positives", "False positives")]
    return Table([*columns, "True negatives", "False negatives"], rows[:MAX_ROWS], len(rows))


def bins_table(data: dict[str, Any]) -> Table:
    """Residuals or predictions: one row a bin, its edges first."""
    keys = [key for key in ("bin_counts", "bin_averages", "bin_errors") if key in data]
    edges = data["bin_edges"]
    columns = zip(edges, edges[1:], *(data[key] for key in keys), strict=False)
    rows = [[cell(value) for value in row] for row in columns]
    words = {"bin_counts": "Count", "bin_averages": "Mean prediction", "bin_errors": "Error"}
    return Table(["From", "To", *(words[key] for key in keys)], rows[:MAX_ROWS], len(rows))


DOCUMENTS: dict[str, Callable[[dict[str, Any]], Table]] = {
    Kind.CONFUSION_MATRIX: matrix_table,
    Kind.ACCURACY_TABLE: accuracy_rows,
    Kind.RESIDUALS: bins_table,
    Kind.PREDICTIONS: bins_table,
}


def csv_of(metric: Metric) -> Iterator[str]:
    """All points by step as CSV text, a piece at a time; no cell is a formula (1 query)."""
    points = points_of(metric)
    columns = columns_of(metric, points)
    yield _lines([["step", "time", *(columns if metric.kind == Kind.TABLE else ["value"])]])
    for start in range(0, len(points), ROWS_AT_ONCE):
        part = points.part(start, start + ROWS_AT_ONCE)
        yield _lines(rows_of(metric, part, columns))


def csv_lines(head: list[str], rows: Iterable[list[Any]]) -> Iterator[str]:
    """A head and rows as CSV text, a piece at a time; no cell is a formula."""
    yield _lines([head])
    rest = iter(rows)
    while part := list(islice(rest, ROWS_AT_ONCE)):
        yield _lines(part)


def _lines(rows: Any) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([safe(value) for value in row] for row in rows)
    return text.getvalue()


def safe(value: Any) -> Any:
    """The value so that no spreadsheet runs it: such texts get an apostrophe in front."""
    if isinstance(value, float):
        return word_of(value)
    if isinstance(value, str) and value.startswith(FORMULA_STARTS) and value not in NOT_FINITE:
        return f"'{value}"
    return "" if value is None else value

"""A table as JSON Lines: an object a run, each value as in the JSON API."""

import json
import math
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from studio.exports.table import Table, iso
from studio.runs.rollup import Rollup
from studio.search.column_values import Cell


def write_json_lines(table: Table) -> Iterator[bytes]:
    """A piece for each block. Only ASCII, so nothing inside a value looks like a line's end."""
    keys = [str(column) for column in table.columns]
    for rows in table.blocks():
        lines = (dict(zip(keys, map(json_value, row), strict=True)) for row in rows)
        yield "".join(f"{json.dumps(line, allow_nan=False)}\n" for line in lines).encode()


def json_value(value: Cell) -> Any:
    """A cell as a value of JSON; a number that is not finite is its name."""
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, Rollup):
        return {
            "n": value.n,
            "completed": value.n_completed,
            "failed": value.n_failed,
            "canceled": value.n_canceled,
        }
    if isinstance(value, float) and not math.isfinite(value):
        return number_name(value)
    return value


def number_name(value: float) -> str:
    """NaN, Infinity or -Infinity."""
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"

"""A table as Parquet, typed, written while it is sent.

pyarrow is imported by the first export: a web process that makes none stays 70 MB smaller.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

from studio.exports.json_lines import json_value
from studio.exports.table import Row, Table
from studio.search.column_values import Cell
from studio.search.columns import Column

GROUP_ROWS = 5_000
CHILDREN = ("n", "completed", "failed", "canceled")
_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class _Pipe:
    """A file to write to; what was written is taken out piece by piece."""

    closed = False

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.n_bytes = 0

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self.pieces.append(piece)
        self.n_bytes += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self.n_bytes

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        self.closed = True

    def take(self) -> bytes:
        taken, self.pieces = b"".join(self.pieces), []
        return taken


def write_parquet(table: Table) -> Iterator[bytes]:
    """A piece for each row group, then the footer: a file that broke off has none, and no reader
    takes it for whole."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    pipe = _Pipe()
    schema = pa.schema([(str(column), _type(column)) for column in table.columns])
    readers = [_READERS.get(_kind(column), _text) for column in table.columns]
    writer = ParquetWriter(pipe, schema)
    for rows in _groups(table):
        columns = [
            pa.array([read(row[at]) for row in rows], schema.types[at])
            for at, read in enumerate(readers)
        ]
        writer.write_batch(pa.record_batch(columns, schema=schema))
        yield pipe.take()
    writer.close()
    yield pipe.take()


def _groups(table: Table) -> Iterator[list[Row]]:
    held: list[Row] = []
    for rows in table.blocks():
        held += rows
        if len(held) >= GROUP_ROWS:
            yield held
            held = []
    if held:
        yield held


def _kind(column: Column) -> str:
    """What the values of a column are in a typed file. Parameters are texts, like tags: what is a
    number in one run may be a word in the next."""
    if column.family in ("param", "number"):
        return {"param": "text", "number": "integer"}[column.family]
    return column.type


def _type(column: Column) -> Any:
    import pyarrow as pa

    number, text = pa.float64(), pa.string()
    types = {
        "integer": pa.int64(),
        "number": number,
        "duration": number,
        "time": pa.timestamp("us", tz="UTC"),
        "flag": pa.bool_(),
        "tags": pa.map_(text, text),
        "children": pa.struct([(name, pa.int64()) for name in CHILDREN]),
    }
    return types.get(_kind(column), text)


def _as_it_is(value: Cell) -> Any:
    return value


def _number(value: Cell) -> float | None:
    """A number, also one that is not finite; what a metric of another kind shows is none."""
    return _NOT_FINITE.get(value) if isinstance(value, str) else value  # type: ignore[return-value]


def _text(value: Cell) -> str | None:
    return None if value is None else str(value).encode("utf-8", "replace").decode()


def _tags(value: Cell) -> Any:
    if not isinstance(value, dict):
        return None
    return [(_text(key), _text(text)) for key, text in value.items()]


_READERS: dict[str, Callable[[Cell], Any]] = {
    "integer": _as_it_is,
    "number": _number,
    "duration": _number,
    "time": _as_it_is,
    "flag": _as_it_is,
    "tags": _tags,
    "children": json_value,
}

"""Reads the rows of a Parquet file: `python -m studio.importers.parquet_worker`.

A file of a few kB can hold gigabytes, so it is read where memory is limited. Standard input is the
file itself, the one argument the names of the columns that are wanted as JSON, [] for all. The
answer is a JSON object a line, a row without what it does not have; the last line is a list: [] at
the end of the file, [reason] where it can't be read on. Imports no Django and is given no secrets.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

MEMORY_LIMIT_BYTES = 2 << 30
# A row is some bytes of the file where a column repeats itself: more are made up.
MAX_ROWS, MAX_CELLS = 20_000_000, 1_000_000_000
BATCH_ROWS, BATCH_CELLS = 1_000, 200_000
MAX_COLUMNS = 20_000
# A text that the file holds once is held once for each of these.
FEW_ROWS = 20
# As wire.checks.MAX_TEXT: longer texts are cut there.
MAX_TEXT = 20_000
# Of each column that is being read.
BUFFER_BYTES = 1 << 16


def main() -> None:
    """Answer with the rows."""
    for what, limit in (
        (resource.RLIMIT_AS, MEMORY_LIMIT_BYTES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (limit, limit))
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace")
    # Whatever a library prints must not land in the answer.
    os.dup2(2, 1)
    encoded = json.JSONEncoder(default=_no_value).encode
    end: list[str] = []
    try:
        with os.fdopen(os.dup(0), "rb") as file:
            for row in rows(file, json.loads(sys.argv[1])):
                out.write(encoded(row) + "\n")
    except MemoryError:
        end = ["reading it takes too much memory"]
    except (Exception, RecursionError) as error:  # told to the caller
        end = [(str(error) or type(error).__name__)[:500]]
    json.dump(end, out)
    out.write("\n")
    out.flush()
    # Threads of a library may hold on to what is broken.
    os._exit(0)


def rows(file: BinaryIO, wanted: list[str]) -> Iterator[dict[str, Any]]:
    """The rows with the wanted columns that are there. Raises ValueError for a file that is too
    large."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    pa.set_cpu_count(1)
    found = ParquetFile(file, memory_map=False, pre_buffer=False, buffer_size=BUFFER_BYTES)
    n_rows, n_columns = found.metadata.num_rows, found.metadata.num_columns
    if n_rows > MAX_ROWS or n_columns > MAX_COLUMNS or n_rows * n_columns > MAX_CELLS:
        raise ValueError(
            f"it has {n_rows:,} rows of {n_columns:,} columns; at most {MAX_ROWS:,} rows, "
            f"{MAX_COLUMNS:,} columns and {MAX_CELLS:,} values are read"
        )
    columns = [name for name in found.schema_arrow.names if not wanted or name in wanted]
    if not columns:
        return
    size = max(1, min(BATCH_ROWS, BATCH_CELLS // max(1, n_columns)))
    for batch in found.iter_batches(batch_size=size, columns=columns, use_threads=False):
        for at in range(0, batch.num_rows, FEW_ROWS):
            for row in batch.slice(at, FEW_ROWS).to_pylist():
                yield {name: _cut(value) for name, value in row.items() if value is not None}


def _cut(value: Any) -> Any:
    return value[:MAX_TEXT] if isinstance(value, str) else value


def _no_value(value: object) -> list[object]:
    """What has no place in JSON has none among the metrics of a run either."""
    return []


if __name__ == "__main__":
    main()

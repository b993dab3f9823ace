"""Looks into Parquet files and archives: `python -m studio.artifacts.preview_worker`.

A file of a few kB can claim gigabytes, so it is read where memory and time are limited. Standard
input is the file itself, the one argument a JSON request {kind, first, n_rows, n_columns, n_chars},
and the answer one JSON object: {columns, rows, n_columns, n_rows, facts} or {error}. Nothing is
extracted. Imports no Django and is given no secrets.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tarfile
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice
from typing import Any, BinaryIO

MEMORY_LIMIT_BYTES = 2 << 30
BUDGET_S = 5
ARCHIVE_COLUMNS = ["Name", "Bytes", "Modified"]
Request = dict[str, Any]


def main() -> None:
    """Answer the one request."""
    for what, limit in (
        (resource.RLIMIT_AS, MEMORY_LIMIT_BYTES),
        (resource.RLIMIT_CPU, BUDGET_S),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (limit, limit))
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace")
    # Whatever a library prints must not land in the answer.
    os.dup2(2, 1)
    request = json.loads(sys.argv[1])
    try:
        with os.fdopen(os.dup(0), "rb") as file:
            answer = READERS[request["kind"]](file, request)
    except (Exception, RecursionError, MemoryError) as error:  # told to the caller
        answer = {"error": f"{type(error).__name__}: {error}"[:500]}
    json.dump(answer, out)
    out.flush()
    # Threads of a library may hold on to what is broken.
    os._exit(0)


def read_parquet(file: BinaryIO, request: Request) -> dict[str, Any]:
    """The rows from number `first` (from 0) on, of the first columns."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    pa.set_cpu_count(1)
    found = ParquetFile(file, memory_map=False, pre_buffer=False)
    facts, schema = found.metadata, found.schema_arrow
    columns = schema.names[: request["n_columns"]]
    kinds = [str(schema.field(n).type)[:40] for n in range(len(columns))]
    return {
        "columns": [
            f"{name[: request['n_chars']]} ({kind})"
            for name, kind in zip(columns, kinds, strict=True)
        ],
        "rows": parquet_rows(found, columns, request),
        "n_columns": len(schema.names),
        "n_rows": facts.num_rows,
        "facts": [
            ["Row groups", str(facts.num_row_groups)],
            ["Written by", str(facts.created_by)[:200]],
        ],
    }


def parquet_rows(found: Any, columns: list[str], request: Request) -> list[list[str]]:
    skip = request["first"]
    rows: list[list[str]] = []
    for group in range(found.metadata.num_row_groups):
        n_in_group = found.metadata.row_group(group).num_rows
        if skip >= n_in_group:
            skip -= n_in_group
            continue
        for batch in found.iter_batches(
            batch_size=request["n_rows"], row_groups=[group], columns=columns, use_threads=False
        ):
            kept = batch.slice(min(skip, batch.num_rows), request["n_rows"] - len(rows))
            skip = max(0, skip - batch.num_rows)
            values = [kept.column(n).to_pylist() for n in range(kept.num_columns)]
            rows += [
                [cell_text(value, request["n_chars"]) for value in row]
                for row in zip(*values, strict=True)
            ]
            if len(rows) >= request["n_rows"]:
                return rows
    return rows


def cell_text(value: Any, n_chars: int) -> str:
    """A value on its own line of at most so many characters; nothing for a missing one."""
    if value is None:
        return ""
    text = repr(value[:n_chars]) if isinstance(value, bytes) else str(value)
    return text[:n_chars] + ("…" if len(text) > n_chars else "")


def read_zip(file: BinaryIO, request: Request) -> dict[str, Any]:
    """The names that a ZIP archive holds."""
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        first = request["first"]
        shown = members[first : first + request["n_rows"]]
        rows = [
            [
                member.filename[: request["n_chars"]],
                str(member.file_size),
                "{:04}-{:02}-{:02} {:02}:{:02}".format(*member.date_time[:5]),
            ]
            for member in shown
        ]
    return {"columns": ARCHIVE_COLUMNS, "rows": rows, "n_columns": 3, "n_rows": len(members)}


def read_tar(file: BinaryIO, request: Request) -> dict[str, Any]:
    """The names that a TAR archive holds; how many there are is told only when all were seen."""
    first, n_rows = request["first"], request["n_rows"]
    with tarfile.open(fileobj=file, mode=request.get("mode", "r:")) as archive:
        members = list(islice(archive, first, first + n_rows + 1))
        rows = [
            [
                member.name[: request["n_chars"]],
                "" if member.isdir() else str(member.size),
                day_of(member.mtime),
            ]
            for member in members[:n_rows]
        ]
    total = None if len(members) > n_rows else first + len(members)
    return {"columns": ARCHIVE_COLUMNS, "rows": rows, "n_columns": 3, "n_rows": total}


def day_of(mtime: float) -> str:
    try:
        return datetime.fromtimestamp(mtime, UTC).strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError, OSError):
        return ""


def read_tar_gz(file: BinaryIO, request: Request) -> dict[str, Any]:
    """As `read_tar`, through gzip."""
    return read_tar(file, {**request, "mode": "r:gz"})


READERS: dict[str, Callable[[BinaryIO, Request], dict[str, Any]]] = {
    "parquet": read_parquet,
    "zip": read_zip,
    "tar": read_tar,
    "tar.gz": read_tar_gz,
}

if __name__ == "__main__":
    main()

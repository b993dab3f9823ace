"""Exported files read back with other people's readers."""

import csv
import io
import json
from collections.abc import Iterable
from typing import Any

import pyarrow.parquet as parquet
from pyarrow import BufferReader

Rows = list[dict[str, Any]]


def body_of(answer: Any) -> bytes:
    assert answer.status_code == 200, answer.content
    return answer.getvalue()


def read_csv(pieces: Iterable[bytes]) -> Rows:
    text = b"".join(pieces).decode()
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def read_json_lines(pieces: Iterable[bytes]) -> Rows:
    return [json.loads(line) for line in b"".join(pieces).decode().splitlines()]


def read_parquet(pieces: Iterable[bytes]) -> Rows:
    return parquet.read_table(BufferReader(b"".join(pieces))).to_pylist(maps_as_pydicts="strict")


READERS = {"csv": read_csv, "jsonl": read_json_lines, "parquet": read_parquet}

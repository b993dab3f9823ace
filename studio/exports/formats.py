"""The formats of an export."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from studio.exports.csv_lines import write_csv
from studio.exports.json_lines import write_json_lines
from studio.exports.parquet import write_parquet
from studio.exports.table import Table


@dataclass(frozen=True, slots=True)
class Format:
    """name: also the ending of the file; label: what people call it."""

    name: str
    label: str
    content_type: str
    write: Callable[[Table], Iterator[bytes]]


FORMATS = {
    one.name: one
    for one in (
        Format("csv", "CSV", "text/csv; charset=utf-8", write_csv),
        Format("jsonl", "JSON Lines", "application/x-ndjson", write_json_lines),
        Format("parquet", "Parquet", "application/vnd.apache.parquet", write_parquet),
    )
}
CSV = FORMATS["csv"]

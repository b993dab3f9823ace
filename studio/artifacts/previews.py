"""What a file of a run looks like, told by its bytes: a table, code, an image, or facts.

Bounded in bytes, rows and time. Nothing of a file is run, decoded or extracted; HTML, SVG and XML
are text. None means that the viewer of lines shows it best.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice

from studio.artifacts import logs, preview_process, preview_tables, viewing
from studio.artifacts.models import Artifact
from studio.artifacts.preview_images import HEAD_BYTES, MAX_PIXELS, size_of_image
from studio.artifacts.preview_process import PreviewFailed
from studio.artifacts.preview_tables import NoTable, Table
from studio.blobs import BlobNotFound
from studio.runs.coloured_lines import LIMIT as MAX_CODE
from studio.runs.coloured_lines import coloured
from studio.runs.colouring import Span, language_of
from studio.runs.markdown import LIMIT_BYTES, render_markdown

MAX_TABLE_BYTES = 8_000_000
MAX_JSON_BYTES = 512 * 1024
MAX_JSON_CHARS = 1_000_000
MAX_IMAGE_BYTES = 50_000_000
PARQUET_ROWS, PARQUET_COLUMNS = 100, 60
ARCHIVE_NAMES = 500
DUMP_BYTES = 256
_NPY = re.compile(
    rb"'descr': *(?P<descr>'[^']{1,40}'|\[.{0,2000}?\]), *'fortran_order': *(?P<order>True|False),"
    rb" *'shape': *\((?P<shape>[0-9, ]{0,400})\)"
)


@dataclass(frozen=True, slots=True)
class DumpRow:
    """16 bytes: where they begin, in hexadecimal, and as letters."""

    offset: str
    octets: str
    letters: str


@dataclass(frozen=True, slots=True)
class Preview:
    """kind: "code" (lines), "table", "markdown" (html, cleaned), "image" or "facts" (dump of the
    first bytes); facts and note, in words, stand with any. is_source: the numbers of the lines are
    those of the file; is_text: the lines can be read as they are, too."""

    kind: str
    note: str = ""
    facts: list[tuple[str, str]] = field(default_factory=list)
    lines: list[list[Span]] = field(default_factory=list)
    table: Table | None = None
    html: str = ""
    dump: list[DumpRow] = field(default_factory=list)
    is_source: bool = True
    is_text: bool = True


def preview_of(artifact: Artifact, *, first: int = 0) -> Preview | None:
    """The preview of a file that no longer grows, of a table the rows from `first` (from 0) on;
    None for text that is best read as numbered lines. What cannot be read says so in its note."""
    head = logs.read_window(artifact, 0, HEAD_BYTES).data
    try:
        if viewing.type_of_image(head[:16]):
            return image(artifact, head)
        if kind := packed_kind(artifact, head):
            return packed(artifact, kind, first=first)
        if b"\0" in head[:8192] or not looks_like_text(head[:8192]):
            return bytes_of(artifact, head)
        return text_preview(artifact, first=first)
    except (PreviewFailed, BlobNotFound) as error:
        words = "Storage has lost this file." if isinstance(error, BlobNotFound) else str(error)
        return bytes_of(artifact, head, note=words)


def looks_like_text(head: bytes) -> bool:
    """Whether most of it reads as UTF-8, without what only binary files have."""
    text = head.decode("utf-8", "replace")
    strange = sum(sign == "�" or (sign < " " and sign not in "\t\n\r\f\x1b\b") for sign in text)
    return strange * 10 <= len(text)


def image(artifact: Artifact, head: bytes) -> Preview:
    """An image when it is known to be small enough for a browser, else its facts."""
    size = size_of_image(head)
    facts = [("Pixels", f"{size[0]:,} × {size[1]:,}")] if size else []
    if size is None:
        return bytes_of(artifact, head, note="It does not tell how large the image is.")
    if size[0] * size[1] > MAX_PIXELS or artifact.n_bytes > MAX_IMAGE_BYTES:
        note = "The image is too large to be shown here: at most 50 million pixels and 50 MB are."
        return bytes_of(artifact, head, note=note, facts=facts)
    return Preview("image", facts=facts, is_text=False)


def packed_kind(artifact: Artifact, head: bytes) -> str:
    """The reader of `preview_worker` for it, "" for none."""
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    if head.startswith(b"PAR1"):
        return "parquet"
    if head[257:262] == b"ustar":
        return "tar"
    is_tar = artifact.path.lower().endswith((".tar.gz", ".tgz"))
    return "tar.gz" if is_tar and head.startswith(b"\x1f\x8b") else ""


def packed(artifact: Artifact, kind: str, *, first: int) -> Preview:
    """Rows of a Parquet file or names of an archive. Raises PreviewFailed."""
    n_rows, n_columns = (PARQUET_ROWS, PARQUET_COLUMNS) if kind == "parquet" else (ARCHIVE_NAMES, 3)
    request = {"kind": kind, "first": first, "n_rows": n_rows, "n_columns": n_columns}
    found = preview_process.ask(artifact, {**request, "n_chars": preview_tables.MAX_CELL})
    total, rows = found["n_rows"], found["rows"]
    table = Table(
        found["columns"],
        rows,
        first,
        found["n_columns"],
        n_rows=total,
        has_more=len(rows) == n_rows and (total is None or first + len(rows) < total),
    )
    facts = [(str(name), str(value)) for name, value in found.get("facts", [])]
    return Preview("table", table=table, facts=facts, is_text=False)


def text_preview(artifact: Artifact, *, first: int) -> Preview | None:
    name = artifact.path.lower()
    reader = next((read for ending, read in TEXT_KINDS.items() if name.endswith(ending)), None)
    if reader:
        return reader(artifact, first)
    return code(artifact)


def read_text(artifact: Artifact, most: int) -> tuple[str, bool]:
    """At most the first `most` bytes as text, and whether that is all."""
    window = logs.read_window(artifact, 0, most)
    return window.data.decode("utf-8", "replace").removeprefix("\ufeff"), window.end >= window.size


def code(artifact: Artifact) -> Preview | None:
    """Lines in the colours of the language that the name tells; None without one, or for more
    than colours are made for."""
    language = language_of(artifact.path)
    if not language or artifact.n_bytes > MAX_CODE:
        return None
    text, _ = read_text(artifact, MAX_CODE)
    return Preview("code", lines=coloured(text, language)) if text else None


def delimited(artifact: Artifact, first: int) -> Preview | None:
    text, is_whole = read_text(artifact, MAX_TABLE_BYTES)
    mark = "\t" if artifact.path.lower().endswith(".tsv") else ""
    return table_of(
        artifact,
        lambda: preview_tables.read_delimited(text, first=first, is_whole=is_whole, delimiter=mark),
        is_whole=is_whole,
    )


def json_lines(artifact: Artifact, first: int) -> Preview | None:
    text, is_whole = read_text(artifact, MAX_TABLE_BYTES)
    return table_of(
        artifact,
        lambda: preview_tables.read_json_lines(text, first=first, is_whole=is_whole),
        is_whole=is_whole,
    )


def table_of(artifact: Artifact, read: Callable[[], Table], *, is_whole: bool) -> Preview | None:
    """The table, else the first lines as they are with why it is none; None for an empty file."""
    if not artifact.n_bytes:
        return None
    try:
        table = read()
    except NoTable as error:
        return plain_head(artifact, str(error))
    note = "" if is_whole else "Rows of the first 8 MB are shown; the download has all."
    return Preview("table", table=table, note=note)


def plain_head(artifact: Artifact, note: str) -> Preview:
    """The beginning of a text as it is."""
    text, is_whole = read_text(artifact, 64 * 1024)
    more = "" if is_whole else " These are the first 64 KB; Raw shows all."
    return Preview("code", note=note + more, lines=coloured(text, ""))


def pretty_json(artifact: Artifact, first: int) -> Preview | None:
    """JSON with indents, in colours; as it is when it is too much, too deep or not valid."""
    if not artifact.n_bytes:
        return None
    text, is_whole = read_text(artifact, MAX_JSON_BYTES)
    if not is_whole:
        return plain_head(artifact, "JSON above 512 KB is shown as it is.")
    try:
        value = json.loads(text)
        # Deep lists make indents that are many times the file.
        pieces = islice(json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(value), 200_000)
        pretty, n_chars = [], 0
        for piece in pieces:
            pretty.append(piece)
            n_chars += len(piece)
            if n_chars > MAX_JSON_CHARS:
                return plain_head(artifact, "JSON this deep is shown as it is.")
    except RecursionError:
        return plain_head(artifact, "JSON this deep is shown as it is.")
    except ValueError:
        return plain_head(artifact, "This is not valid JSON.")
    return Preview("code", lines=coloured("".join(pretty), "json"), is_source=False)


def markdown(artifact: Artifact, first: int) -> Preview | None:
    """Markdown as descriptions show it: cleaned, without anything from elsewhere."""
    if artifact.n_bytes > LIMIT_BYTES or not artifact.n_bytes:
        return None
    text, _ = read_text(artifact, LIMIT_BYTES)
    # Bytes that are no text have grown.
    fits = len(text.encode()) <= LIMIT_BYTES
    return Preview("markdown", html=render_markdown(text)) if fits else None


TEXT_KINDS: dict[str, Callable[[Artifact, int], Preview | None]] = {
    **dict.fromkeys((".jsonl", ".ndjson"), json_lines),
    **dict.fromkeys((".json", ".ipynb"), pretty_json),
    **dict.fromkeys((".csv", ".tsv"), delimited),
    **dict.fromkeys((".md", ".markdown"), markdown),
}


def bytes_of(
    artifact: Artifact, head: bytes, *, note: str = "", facts: list[tuple[str, str]] | None = None
) -> Preview:
    """The facts of any file with its first 256 bytes."""
    known = [("Size", f"{artifact.n_bytes:,} bytes"), ("Type", kind_of(artifact, head))]
    if artifact.digest:
        known.append(("SHA-256", artifact.digest))
    return Preview(
        "facts",
        note=note,
        facts=[*known, *(facts or []), *array_facts(head)],
        dump=dump_of(head[:DUMP_BYTES]),
        is_text=False,
    )


def kind_of(artifact: Artifact, head: bytes) -> str:
    version = re.match(rb"%PDF-(\d\.\d)", head)
    if version:
        return f"PDF {version[1].decode()}; a browser would run what is in it, so download it"
    if head.startswith(b"\x93NUMPY"):
        return "NumPy array"
    return artifact.content_type


def array_facts(head: bytes) -> list[tuple[str, str]]:
    """Shape and type of a NumPy array by its header, which is read as text and never evaluated."""
    found = _NPY.search(head[:4096]) if head.startswith(b"\x93NUMPY") else None
    if not found:
        return []
    order = "columns first" if found["order"] == b"True" else "rows first"
    return [
        ("Shape", f"({found['shape'].decode().strip()})"),
        ("Numbers", found["descr"].decode("latin-1").strip("'")[:200]),
        ("Order", order),
    ]


def dump_of(data: bytes) -> list[DumpRow]:
    rows = (data[at : at + 16] for at in range(0, len(data), 16))
    return [
        DumpRow(
            f"{n * 16:08x}",
            row.hex(" "),
            "".join(chr(octet) if 32 <= octet < 127 else "·" for octet in row),
        )
        for n, row in enumerate(rows)
    ]

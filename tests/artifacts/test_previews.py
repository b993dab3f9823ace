"""What files look like by their bytes, and that no bytes do harm."""

import io
import json
import struct
import tarfile
import zipfile
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from studio.artifacts.actions import put_artifact
from studio.artifacts.preview_images import size_of_image
from studio.artifacts.previews import Preview, preview_of
from tests import make

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


@pytest.fixture
def look(run: Any, people: Any) -> Any:
    """The preview of a file of the given name and bytes."""

    def preview(name: str, data: bytes, first: int = 0) -> Preview | None:
        stored = put_artifact(run, name, io.BytesIO(data), by=make.actor(people.bob))
        return preview_of(stored, first=first)

    return preview


def zipped(**members: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return held.getvalue()


def tarred(mode: Any) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode=mode) as archive:
        for n in range(3):
            archive.addfile(tarfile.TarInfo(f"../../file-{n}"), io.BytesIO(b""))
    return held.getvalue()


def columnar(table: dict[str, Any], **options: Any) -> bytes:
    held = io.BytesIO()
    parquet.write_table(pa.table(table), held, **options)
    return held.getvalue()


def test_rows_are_read_by_delimiter_page_by_page(look: Any) -> None:
    data = b"epoch;loss, mean\n" + b"".join(b'%d;"0,%d"\n' % (n, n) for n in range(1, 701))
    table = look("a.csv", data).table
    assert (table.columns, table.rows[0], len(table.rows)) == (
        ["epoch", "loss, mean"],
        ["1", "0,1"],
        500,
    )
    assert (table.has_more, table.n_rows) == (True, None)
    rest = look("a.csv", data, first=500).table
    assert (rest.rows[0], len(rest.rows), rest.n_rows) == (["501", "0,501"], 200, 700)


def test_lines_of_json_are_rows(look: Any) -> None:
    table = look("a.jsonl", b'{"a": 1, "b": [2]}\n{"c": "x"}\n').table
    assert (table.columns, table.rows) == (["a", "b", "c"], [["1", "[2]", ""], ["", "", "x"]])


def test_parquet_is_read_across_row_groups(look: Any) -> None:
    data = columnar({"n": list(range(1000)), "s": ["x" * 900] * 1000}, row_group_size=150)
    table = look("a.parquet", data, first=295).table
    assert table.columns == ["n (int64)", "s (string)"]
    assert [row[0] for row in table.rows] == [str(n) for n in range(295, 395)]
    assert (table.n_rows, table.has_more, len(table.rows[0][1])) == (1000, True, 201)


@pytest.mark.parametrize(
    ("name", "data", "names"),
    [
        ("a.zip", zipped(**{"../up": b"x", "<b>": b"yy"}), ["../up", "<b>"]),
        ("a.tar", tarred("w"), ["../../file-0", "../../file-1", "../../file-2"]),
        ("a.tar.gz", tarred("w:gz"), ["../../file-0", "../../file-1", "../../file-2"]),
    ],
)
def test_archives_list_their_names(look: Any, name: str, data: bytes, names: list[str]) -> None:
    table = look(name, data).table
    assert [row[0] for row in table.rows] == names
    assert table.n_rows == len(names)


def test_json_is_indented_and_code_is_coloured(look: Any) -> None:
    pretty = look("a.json", b'{"a":[1,NaN]}')
    assert ["".join(text for _, text in line) for line in pretty.lines][1] == '  "a": ['
    assert look("a.py", b"import os\n").lines[0][0] == ("kn", "import ")


def test_an_array_tells_its_shape(look: Any) -> None:
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 224), }\n"
    data = b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header + b"\0" * 99
    assert {("Shape", "(3, 224)"), ("Numbers", "<f4")} <= set(look("a.npy", data).facts)


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (PNG + struct.pack(">II", 50_000, 50_000), (50_000, 50_000)),
        (b"GIF89a" + struct.pack("<HH", 3, 4), (3, 4)),
        (b"\xff\xd8\xff\xe0\0\x04ab\xff\xc2\0\x11\x08\0\x05\0\x06" + b"\0" * 9, (6, 5)),
        (b"RIFF\0\0\0\0WEBPVP8X" + b"\0" * 8 + b"\x01\0\0\x02\0\0", (2, 3)),
        (b"RIFF\0\0\0\0WEBPVP8L" + b"\0" * 5 + struct.pack("<I", 1 | 2 << 14), (2, 3)),
        (b"RIFF\0\0\0\0WEBPVP8 " + b"\0" * 10 + struct.pack("<HH", 7, 8), (7, 8)),
        (b"\xff\xd8\xff\xe0\0\0" * 3, None),
        (PNG, None),
    ],
)
def test_the_size_of_an_image_is_in_its_head(data: bytes, size: Any) -> None:
    assert size_of_image(data) == size


# A dictionary of one value, told of sixty times: small here and on disk, 2.4 GB for who reads it.
LONG_VALUE = pa.DictionaryArray.from_arrays([0] * 60, ["A" * 40_000_000])
BOMB = columnar({"a": LONG_VALUE}, store_schema=False)
HOSTILE: list[tuple[str, bytes, str, str]] = [
    ("huge.png", PNG + struct.pack(">II", 50_000, 50_000), "facts", "too large"),
    ("cut.png", PNG, "facts", "does not tell"),
    ("page.png", b"<html><script>alert(1)</script>", "None", ""),
    ("page.html", b"<script>alert(1)</script>", "code", ""),
    ("a.svg", b"<svg onload='alert(1)'/>", "code", ""),
    ("a.xml", b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "code", ""),
    ("cell.csv", b'a,b\n"' + b"x" * 10_000_000 + b'",1\n', "table", "first 8 MB"),
    ("long.csv", b'a,b\n"' + b"x" * 1_000_000 + b'",1\n', "code", "not read as a table"),
    ("wide.csv", b",".join(b"c%d" % n for n in range(100_000)) + b"\n1\n", "table", ""),
    ("nul.csv", b"a,b\n1,\0\n", "facts", ""),
    ("blank.csv", b"\n\n", "code", "no line of names"),
    ("deep.json", b"[" * 100_000 + b"]" * 100_000, "code", "deep"),
    ("indent.json", b"[" * 400 + b",".join([b"1"] * 200_000) + b"]" * 400, "code", "deep"),
    ("digits.json", b"9" * 10_000, "code", "not valid"),
    ("half.json", b'{"a": ', "code", "not valid"),
    ("large.json", json.dumps(["x" * 99] * 9_000).encode(), "code", "512 KB"),
    ("deep.jsonl", b"[" * 100_000 + b"\n", "code", "JSON object"),
    ("a.parquet", b"PAR1" + b"\xff" * 500 + b"PAR1", "facts", "damaged"),
    ("cut.parquet", columnar({"a": [1]})[:-9], "facts", "damaged"),
    ("bomb.parquet", BOMB, "facts", "damaged|memory"),
    ("none.zip", b"PK\x03\x04" + b"\0" * 99, "facts", "damaged"),
    ("a.tgz", b"\x1f\x8b\x08" + b"\xff" * 99, "facts", "damaged"),
    ("a.pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n\0/JavaScript", "facts", ""),
    ("a.npy", b"\x93NUMPY\x01\0\xff\xff" + b"[" * 5000, "facts", ""),
    ("a.md", b"<script>alert(1)</script> [x](javascript:alert(1))", "markdown", ""),
    ("bad.md", b"\xff" * 400 + b"a" * 9_000, "markdown", ""),
    ("empty.csv", b"", "None", ""),
    ("empty", b"", "None", ""),
]


@pytest.mark.parametrize(
    ("name", "data", "kind", "words"), HOSTILE, ids=[name for name, *_ in HOSTILE]
)
def test_no_bytes_do_harm(look: Any, name: str, data: bytes, kind: str, words: str) -> None:
    shown = look(name, data)
    assert (shown.kind if shown else "None") == kind
    if words:
        assert any(word in shown.note for word in words.split("|"))
    if kind == "markdown":
        assert "script" not in shown.html.replace("&lt;script", "").replace("/script", "")
    if name == "wide.csv":
        assert (len(shown.table.columns), shown.table.n_columns) == (200, 100_000)

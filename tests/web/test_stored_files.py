"""Every kind of file on its page, in a folder and in a bucket, which gives no descriptors."""

import io
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from studio.artifacts import preview_process
from studio.artifacts.actions import put_artifact
from studio.artifacts.attachments import attach_image
from studio.artifacts.logs import append_log
from studio.artifacts.models import MAIN_LOG
from tests import make
from tests.artifacts.test_previews import columnar, tarred, zipped
from tests.blobs.bucket import serving
from tests.web.pages import read

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"\0\0\0\x02" * 2 + b"\0" * 24
ARCHIVE = zipped(**{"inside.txt": b"x"})
# Name, bytes, what the page shows of them.
KINDS: list[tuple[str, bytes, str]] = [
    ("a.zip", ARCHIVE, "inside.txt"),
    ("a.tar", tarred("w"), "file-2"),
    ("a.tar.gz", tarred("w:gz"), "file-2"),
    ("a.tgz", tarred("w:gz"), "file-2"),
    ("a.parquet", columnar({"loss": [0.25, 0.125]}), "0.125"),
    ("a.csv", b"epoch,loss\n1,0.25\n", "0.25"),
    ("a.tsv", b"epoch\tloss\n1\t0.25\n", "0.25"),
    ("a.jsonl", b'{"loss": 0.25}\n', "0.25"),
    ("a.json", b'{"loss": 0.25}', "0.25"),
    ("a.md", b"# Heading\n", "Heading"),
    ("a.py", b"import os\n", "import"),
    ("a.txt", b"plain words\n", "plain words"),
    ("a.png", PNG, "/image/outputs/a.png"),
    ("a.npy", b"\x93NUMPY\x01\0\x40\0{'descr': '<f4', 'fortran_order': False, 'shape': (3, 224), }",
     "(3, 224)"),
    ("a.pdf", b"%PDF-1.7\n\0", "PDF 1.7"),
    ("a.bin", b"\0\1\2", "00 01 02"),
    ("empty.txt", b"", "artifacts-log"),
    ("broken.zip", b"PK\x03\x04" + b"\0" * 99, "damaged"),
]  # fmt: skip


@pytest.fixture(scope="module")
def bucket_url() -> Iterator[str]:
    with serving() as found:
        yield found.url


@pytest.fixture
def bucket(bucket_url: str, settings: Any) -> None:
    settings.STUDIO_STORAGE_URL = bucket_url


@pytest.fixture(params=["folder", "bucket"])
def _stored(request: pytest.FixtureRequest) -> None:
    if request.param == "bucket":
        request.getfixturevalue("bucket")


@pytest.fixture
def put(run: Any, people: Any) -> Any:
    by = make.actor(people.bob)
    return lambda path, data: put_artifact(run, path, io.BytesIO(data), by=by)


@pytest.fixture
def page(run: Any, carol_client: Client) -> Any:
    """A page of the run as a reader sees it."""
    return lambda path, query=None, **more: carol_client.get(
        f"{run.page_path}/{path}", query or {}, **more
    )


@pytest.mark.usefixtures("_stored")
@pytest.mark.parametrize(("name", "data", "shown"), KINDS, ids=[name for name, *_ in KINDS])
def test_a_file_is_shown_and_downloaded(
    put: Any, page: Any, name: str, data: bytes, shown: str
) -> None:
    put(f"outputs/{name}", data)

    for view in ({}, {"view": "raw"}):
        answer = page("logs", {"path": f"outputs/{name}", **view})
        assert answer.status_code == 200
    assert shown in page("logs", {"path": f"outputs/{name}"}).content.decode()
    assert page(f"files/outputs/{name}").getvalue() == data
    part = page(f"files/outputs/{name}", headers={"Range": "bytes=1-2"})
    assert part.getvalue() == data[1:3]
    assert page(f"image/outputs/{name}").getvalue() == data
    whole = page("zip", {"prefix": "outputs"}).getvalue()
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert archive.read(f"outputs/{name}") == data


@pytest.mark.usefixtures("_stored")
def test_a_log_is_shown_and_searched(run: Any, people: Any, page: Any) -> None:
    append_log(run, MAIN_LOG, 0, b"first\nsecond\n", by=make.actor(people.bob))

    assert "second" in page("logs", {"path": MAIN_LOG}).content.decode()
    found = page("find", {"path": MAIN_LOG, "find": "SECOND"})
    assert "<mark>second</mark>" in found.content.decode()
    assert page(f"files/{MAIN_LOG}", {"lines": "2"}).getvalue() == b"second\n"


@pytest.mark.usefixtures("_stored")
def test_an_image_of_a_description_is_shown(run: Any, people: Any, carol_client: Client) -> None:
    image = attach_image(run, "a.png", io.BytesIO(PNG), by=make.actor(people.bob))

    answer = carol_client.get(f"/w/lab/attachments/{image.digest}")
    assert (answer.status_code, answer.getvalue()) == (200, PNG)


def test_what_is_too_large_to_be_fetched_says_so(
    bucket: None, put: Any, page: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("outputs/a.zip", ARCHIVE)
    monkeypatch.setattr(preview_process, "MAX_FETCHED_BYTES", len(ARCHIVE) - 1)

    text = read(page("logs", {"path": "outputs/a.zip"})).text
    assert "too large to be fetched from the storage" in text
    assert "inside.txt" not in text


def test_what_takes_too_long_to_be_fetched_says_so(
    bucket: None, put: Any, page: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("outputs/a.zip", ARCHIVE)
    monkeypatch.setattr(preview_process, "FETCH_LIMIT_S", -1.0)

    assert "took too long" in read(page("logs", {"path": "outputs/a.zip"})).text


def test_a_full_disk_is_no_error_of_the_page(
    full_disk: Path, bucket: None, put: Any, page: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("outputs/a.zip", b"PK\x03\x04" + b"x" * 400_000)
    monkeypatch.setattr(tempfile, "tempdir", str(full_disk))

    assert "no room" in read(page("logs", {"path": "outputs/a.zip"})).text

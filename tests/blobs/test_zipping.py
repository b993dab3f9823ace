"""ZIP streams: unpackable by any program, small in memory, inert names."""

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from studio.blobs import ZipMember, safe_label, zip_stream


def member(label: str, data: bytes = b"x") -> ZipMember:
    return ZipMember(label, lambda: io.BytesIO(data), len(data))


def zipped(*members: ZipMember) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(b"".join(zip_stream(members))))


def test_every_member_comes_back_whole(tmp_path: Path) -> None:
    noise, text = os.urandom(700_000), b"line\n" * 200_000
    archive = zipped(member("a/noise.png", noise), member("b/text.txt", text), member("é", b""))
    assert archive.testzip() is None
    assert archive.namelist() == ["a/noise.png", "b/text.txt", "é"]
    assert (archive.read("a/noise.png"), archive.read("b/text.txt")) == (noise, text)
    assert archive.getinfo("a/noise.png").compress_type == zipfile.ZIP_STORED
    assert archive.getinfo("b/text.txt").compress_size < 50_000


def test_no_members_make_an_empty_zip() -> None:
    assert zipped().namelist() == []


def test_the_executable_mark_survives() -> None:
    archive = zipped(ZipMember("run.sh", lambda: io.BytesIO(b"#!"), 2, executable=True))
    assert archive.getinfo("run.sh").external_attr >> 16 == 0o100755


def test_a_file_that_grows_is_cut_and_one_that_shrank_is_whole() -> None:
    archive = zipped(
        ZipMember("grew", lambda: io.BytesIO(b"0123456789"), 4),
        ZipMember("shrank", lambda: io.BytesIO(b"01"), 4),
    )
    assert (archive.read("grew"), archive.read("shrank")) == (b"0123", b"01")
    assert archive.testzip() is None


def test_an_error_in_a_member_ends_the_stream_with_it() -> None:
    def gone() -> io.BytesIO:
        raise FileNotFoundError("gone")

    with pytest.raises(FileNotFoundError):
        list(zip_stream([member("a"), ZipMember("b", gone, 1)]))


@pytest.mark.parametrize(
    "label",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "..\\..\\x",
        "C:\\x",
        "C:x",
        "\\\\host\\share",
        "a/../../b",
        "....//x",
        ".. /x",
        "...",
        "a\0b",
        "a\nb",
        "a\x1b[31m",
        "",
        "/",
        ".",
        "..",
        "a//b/./c",
        "con",
        "NUL.txt",
        "x:stream",
        "\u202egnp.exe",
        "\ud800",
        "x" * 5000,
        "é" * 300,
        "a/",
        "~/x",
    ],
)
def test_no_label_leads_out_of_the_folder_it_is_unpacked_to(label: str, tmp_path: Path) -> None:
    name = safe_label(label)
    assert name
    assert not name.startswith("/")
    assert "\\" not in name
    assert ":" not in name
    assert all(part.strip(". ") for part in PurePosixPath(name).parts)
    assert name.isprintable()
    assert all(len(part.encode()) <= 201 for part in name.split("/"))
    zipped(member(label)).extractall(tmp_path / "in")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files == [tmp_path / "in" / name]


def test_equal_labels_are_numbered_also_where_case_does_not_count() -> None:
    archive = zipped(
        *(member(label) for label in ("a.txt", "A.txt", "a.txt", "d", "d/e", "x/y", "x"))
    )
    names = archive.namelist()
    assert names == ["a.txt", "A (2).txt", "a (3).txt", "d", "d (folder)/e", "x/y", "x (2)"]
    assert len({name.casefold() for name in names}) == 7


def test_another_program_unpacks_it(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(b"".join(zip_stream([member("d/a.txt", b"hello" * 9_999), member("b.png")])))
    code = "import shutil, sys; shutil.unpack_archive(sys.argv[1], sys.argv[2])"
    subprocess.run([sys.executable, "-c", code, path, tmp_path / "out"], check=True)
    assert (tmp_path / "out" / "d" / "a.txt").read_bytes() == b"hello" * 9_999


def test_members_are_opened_one_at_a_time_and_leave_in_small_pieces() -> None:
    opened: list[int] = []

    def members() -> "list[ZipMember]":
        return [ZipMember(f"{n}.png", lambda n=n: _counted(n), 2_000_000) for n in range(5)]

    def _counted(n: int) -> io.BytesIO:
        opened.append(n)
        return io.BytesIO(os.urandom(2_000_000))

    stream = zip_stream(members())
    assert len(next(stream)) < 1_000_000
    assert opened == [0]
    assert max(len(piece) for piece in stream) < 1_000_000


def test_a_member_beyond_four_gigabytes_is_zip64(tmp_path: Path) -> None:
    class Zeros(io.RawIOBase):
        def read(self, n_bytes: int = -1) -> bytes:
            return b"\0" * n_bytes

    n_bytes = (1 << 30) + 5  # from here on the larger header is used; 4 GB would take too long
    pieces = zip_stream([ZipMember("big", lambda: Zeros(), n_bytes)])  # type: ignore[arg-type, return-value]
    archive = zipfile.ZipFile(io.BytesIO(b"".join(pieces)))
    assert archive.getinfo("big").file_size == n_bytes

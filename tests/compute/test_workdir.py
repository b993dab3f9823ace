"""Filling a working folder from a snapshot, and finding the outputs again."""

import hashlib
import io
import os
from pathlib import Path
from typing import BinaryIO

import pytest

from studio.compute import workdir

BLOBS = {hashlib.sha256(data).hexdigest(): data for data in (b"print(1)\n", b"", b"x" * 3_000_000)}
CODE, EMPTY, BIG = BLOBS


def open_blob(digest: str) -> BinaryIO:
    return io.BytesIO(BLOBS[digest])


def everything_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_files_arrive_whole_with_their_executable_bit(tmp_path: Path) -> None:
    files = [("train.py", CODE, False), ("bin/run.sh", CODE, True), ("a/b/ü data.bin", BIG, False)]
    assert workdir.materialise(files, open_blob, tmp_path / "work") == 3
    work = tmp_path / "work"
    assert everything_below(work) == ["a/b/ü data.bin", "bin/run.sh", "train.py"]
    assert (work / "a/b/ü data.bin").read_bytes() == BLOBS[BIG]
    assert os.access(work / "bin/run.sh", os.X_OK)
    assert not (work / "train.py").stat().st_mode & 0o111
    assert (work / "outputs").is_dir()


@pytest.mark.parametrize(
    "path",
    ["../x", "/etc/x", "a/../../x", "..", ".", "", "a//b", "a/", "./a", "a\0b", "..\\x", "\ud800"],
)
def test_a_path_that_is_not_plainly_inside_is_refused_before_anything_is_written(
    tmp_path: Path, path: str
) -> None:
    with pytest.raises(workdir.UnsafePath):
        workdir.materialise(
            [("good.py", CODE, False), (path, CODE, False)], open_blob, tmp_path / "work"
        )
    assert everything_below(tmp_path) == []


@pytest.mark.parametrize("path", ["link/x", "link", "dead"])
def test_a_symbolic_link_in_the_folder_leads_nowhere(tmp_path: Path, path: str) -> None:
    work, outside = tmp_path / "work", tmp_path / "outside"
    work.mkdir()
    outside.mkdir()
    (work / "link").symlink_to(outside)
    (work / "dead").symlink_to(outside / "new")
    with pytest.raises(workdir.UnsafePath):
        workdir.materialise([(path, CODE, False)], open_blob, work)
    assert everything_below(outside) == []


@pytest.mark.parametrize("pair", [("a", "a"), ("a", "a/b"), ("a/b", "a")])
def test_a_path_used_twice_is_refused(tmp_path: Path, pair: tuple[str, str]) -> None:
    files = [(path, EMPTY, False) for path in pair]
    with pytest.raises(workdir.UnsafePath):
        workdir.materialise(files, open_blob, tmp_path / "work")


def test_a_damaged_blob_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(workdir.DamagedBlob, match=r"train\.py"):
        workdir.materialise(
            [("train.py", CODE, False)], lambda _: io.BytesIO(b"other"), tmp_path / "work"
        )


def test_outputs_are_regular_files_only_and_links_are_not_followed(tmp_path: Path) -> None:
    outputs = tmp_path / "outputs"
    (outputs / "deep").mkdir(parents=True)
    (outputs / "model.bin").write_bytes(b"12345")
    (outputs / "deep" / "a.txt").write_text("a")
    (tmp_path / "secret").write_text("secret")
    (outputs / "secret").symlink_to(tmp_path / "secret")
    (outputs / "up").symlink_to(tmp_path)
    os.mkfifo(outputs / "pipe")
    found = {item.path: item.n_bytes for item in workdir.iter_outputs(tmp_path)}
    assert found == {"deep/a.txt": 1, "model.bin": 5}
    with pytest.raises(OSError):
        workdir.open_output(outputs / "secret")
    with workdir.open_output(outputs / "model.bin") as file:
        assert file.read() == b"12345"


def test_outputs_that_are_themselves_a_link_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret").write_text("secret")
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "outputs").symlink_to(tmp_path / "elsewhere")
    assert list(workdir.iter_outputs(tmp_path / "work")) == []
    assert list(workdir.iter_outputs(tmp_path / "missing")) == []


def test_removing_takes_read_only_folders_too_and_leaves_link_targets(tmp_path: Path) -> None:
    work = tmp_path / "work"
    (work / "locked").mkdir(parents=True)
    (work / "locked" / "file").touch()
    (work / "locked").chmod(0o500)
    (tmp_path / "kept").mkdir()
    (work / "link").symlink_to(tmp_path / "kept")
    workdir.remove(work)
    workdir.remove(work)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]

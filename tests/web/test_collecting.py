"""Static files are collected again only when something has changed."""

import os
from pathlib import Path
from typing import Any

import pytest

from studio.web.collecting import MARK, collect_static, fingerprint


def write(path: Path, text: str, *, at: int) -> None:
    """A file that was changed at a moment, in seconds since the epoch."""
    path.write_text(text)
    os.utime(path, (at, at))


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> Path:
    source = tmp_path / "source"
    source.mkdir()
    write(source / "a.css", "body {}", at=1_000)
    settings.STATICFILES_DIRS = [source]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STATIC_ROOT = tmp_path / "collected"
    return source


def test_the_same_files_are_collected_once(folder: Path, settings: Any) -> None:
    assert collect_static()
    collected = settings.STATIC_ROOT / "a.css"
    assert collected.read_text() == "body {}"
    collected.unlink()

    assert not collect_static()
    assert not collected.exists()


def test_another_text_time_or_file_collects_again(folder: Path, settings: Any) -> None:
    collect_static()
    write(folder / "a.css", "main { }", at=2_000)
    assert collect_static()
    write(folder / "a.css", "main { }", at=3_000)
    assert collect_static()
    write(folder / "b.css", "", at=1_000)
    assert collect_static()
    assert (settings.STATIC_ROOT / "b.css").exists()
    assert not collect_static()


def test_what_changed_this_very_second_is_looked_at_again(folder: Path) -> None:
    (folder / "a.css").write_text("main { }")

    assert collect_static()
    assert collect_static()


def test_a_collection_that_was_broken_off_begins_anew(folder: Path, settings: Any) -> None:
    collect_static()
    (settings.STATIC_ROOT / MARK).write_text("half")

    assert collect_static()
    assert (settings.STATIC_ROOT / MARK).read_text() == fingerprint()

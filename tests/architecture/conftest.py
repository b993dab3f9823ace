"""Tests that read all sources stay in one process, which reads each file once."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent
READERS = ("house_rules", "imports", "settings_docs", "sizes", "status_writer")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == HERE and item.path.stem.removeprefix("test_") in READERS:
            item.add_marker(pytest.mark.xdist_group("sources"))

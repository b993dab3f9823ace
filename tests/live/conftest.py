"""One real studio for all live tests of a module; faults get a studio of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.studio import Studio


@pytest.fixture(scope="session")
def shared_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    studio = Studio(tmp_path_factory.mktemp("studio")).start()
    yield studio
    studio.stop()
    show_log(studio)


@pytest.fixture
def own_studio(tmp_path: Path) -> Iterator[Studio]:
    studio = Studio(tmp_path / "studio").start()
    yield studio
    studio.stop()
    show_log(studio)


def show_log(studio: Studio) -> None:
    """The server's own words, which pytest shows beside a failed test."""
    print(studio.log.read_text()[-6000:])

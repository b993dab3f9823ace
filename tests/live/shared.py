"""One real studio for all tests of a process that leave it as they found it."""

from collections.abc import Iterator

import pytest

from tests.live.studio import Studio


@pytest.fixture(scope="session")
def shared_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    studio = Studio(tmp_path_factory.mktemp("studio")).start()
    yield studio
    studio.stop()
    show_log(studio)


def show_log(studio: Studio) -> None:
    """The server's own words, which pytest shows beside a failed test."""
    print(studio.log.read_text()[-6000:])

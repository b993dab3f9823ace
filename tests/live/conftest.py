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


@pytest.fixture
def own_studio(tmp_path: Path) -> Iterator[Studio]:
    studio = Studio(tmp_path / "studio").start()
    yield studio
    studio.stop()


@pytest.fixture(autouse=True)
def _show_log(request: pytest.FixtureRequest) -> Iterator[None]:
    """The server's own words beside a failed test."""
    yield
    for name in ("shared_studio", "own_studio"):
        if name in request.fixturenames:
            print(request.getfixturevalue(name).log.read_text()[-6000:])

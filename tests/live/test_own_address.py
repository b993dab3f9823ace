"""`manage.py up` asks itself under the address it listens on, whatever its public name is."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.studio import Studio

pytestmark = [pytest.mark.live]


@pytest.fixture
def taken_port() -> Iterator[int]:
    """As by a proxy on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


def test_a_public_name_that_this_machine_does_not_reach_stops_no_start(
    tmp_path: Path, taken_port: int
) -> None:
    public = f"https://studio.invalid:{taken_port}"
    named = {"STUDIO_BASE_URL": public, "STUDIO_ALLOWED_HOSTS": "studio.invalid"}
    studio = Studio(tmp_path / "studio", STUDIO_TRUST_PROXY="1", **named)
    try:
        studio.start()
        assert f"The studio is at {public}" in studio.log.read_text()
    finally:
        assert studio.stop() == 0


def test_a_start_on_a_port_that_is_taken_ends_at_once(tmp_path: Path, taken_port: int) -> None:
    public = {"STUDIO_BASE_URL": "https://studio.invalid"}
    studio = Studio(tmp_path / "studio", PORT=str(taken_port), **public)

    with pytest.raises(AssertionError, match=f"Port {taken_port} is taken"):
        studio.start()

"""What kind of file it is."""

from typing import Any

import pytest

from studio.artifacts import viewing
from studio.artifacts.logs import append_log
from studio.artifacts.models import MAIN_LOG
from tests import make


@pytest.fixture
def log(run: Any, people: Any) -> Any:
    """A log of the given bytes."""

    def write(data: bytes) -> Any:
        append_log(run, MAIN_LOG, 0, data, by=make.actor(people.bob))
        return run.artifacts.get()

    return write


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n....", "image/png"),
        (b"\xff\xd8\xff\xe0....", "image/jpeg"),
        (b"GIF89a....", "image/gif"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
        (b"RIFF\x10\0\0\0WAVEfmt ", ""),
        (b"<svg xmlns=", ""),
        (b"<html>", ""),
        (b"", ""),
    ],
)
def test_images_are_known_by_their_first_bytes(log: Any, head: bytes, kind: str) -> None:
    assert viewing.image_type(log(head)) == kind

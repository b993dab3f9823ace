"""Names that try to leave a run's files, in the ways that browsers and proxies may encode them."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from studio.artifacts.logs import append_log
from studio.artifacts.models import MAIN_LOG
from tests import make

SECRET = b"the canary sings"
DOTS = (
    "..",
    "%2e%2e",
    "%252e%252e",
    "%c0%ae%c0%ae",
    "%uff0e%uff0e",
    ".%00.",
    "..;",
    "....",
    ".%2e",
)
SLASHES = ("/", "%2f", "%252f", "%5c", "\\", "%c0%af", "//", "/./", "%u2215")
WAYS = [dots + slash for dots, slash in product(DOTS, SLASHES)]


@pytest.fixture
def canary(run: Any, people: Any) -> str:
    """A file beside the store; its name."""
    append_log(run, MAIN_LOG, 0, b"mine\n", by=make.actor(people.bob))
    store = Path(settings.STUDIO_STORAGE_URL.removeprefix("file://"))
    (store.parent / "canary").write_bytes(SECRET)
    return "canary"


def body(answer: Any) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def test_no_encoding_leads_out_of_the_files_of_a_run(
    run: Any, canary: str, carol_client: Client
) -> None:
    assert len(WAYS) >= 70
    for way in WAYS:
        name = way * 6 + canary
        asked = [
            carol_client.get(f"{run.page_path}/files/{name}"),
            carol_client.get(f"{run.page_path}/files/logs/{name}"),
            carol_client.get(f"{run.page_path}/log-lines", {"path": name}),
            carol_client.get(f"{run.page_path}/zip", {"prefix": f"logs/{name}"}),
        ]
        for answer in asked:
            assert answer.status_code < 500, name
            assert SECRET not in body(answer), name
        assert {answer.status_code for answer in asked[:2]} <= {301, 302, 400, 404}, name


def test_no_encoding_writes_outside_of_the_store(run: Any, api: Any, canary: str) -> None:
    store = Path(settings.STUDIO_STORAGE_URL.removeprefix("file://"))
    before = {path for path in store.parent.rglob("*") if not path.is_relative_to(store)}
    for way in WAYS:
        at = f"/runs/{run.uid}/artifacts/{way * 6}written"
        status = api.send("PUT", at, b"x", "application/octet-stream").status_code
        assert status in {201, 301, 302, 400, 404, 405, 422}, way
    after = {path for path in store.parent.rglob("*") if not path.is_relative_to(store)}
    assert after == before
    assert (store.parent / "canary").read_bytes() == SECRET

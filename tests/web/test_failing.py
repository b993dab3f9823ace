"""What people see while the database or the storage does not answer, and when the studio fails."""

import io
import logging
import re
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from studio.accounts.permissions import Actor
from studio.artifacts.actions import put_artifact

NOBODY = "s3://lab/x?endpoint=http://127.0.0.1:1&region=r"


@pytest.fixture
def page(alice_client: Client) -> Client:
    """Answers as the server gives them, where a test would otherwise see the exception."""
    alice_client.raise_request_exception = False
    return alice_client


def test_a_storage_that_is_away_is_503_on_pages_and_api(
    page: Client, api: Any, run: Any, settings: Any
) -> None:
    put_artifact(run, "outputs/a.txt", io.BytesIO(b"text"), by=Actor.system("test"))
    settings.STUDIO_STORAGE_URL = NOBODY
    api.client.raise_request_exception = False

    shown = page.get(f"{run.page_path}/files/outputs/a.txt")
    told = api.get(f"/runs/{run.uid}/artifacts/outputs/a.txt")

    assert (shown.status_code, shown["Retry-After"]) == (503, "2")
    assert "The storage of files does not answer." in shown.content.decode()
    assert f'href="{run.page_path}/files/outputs/a.txt"' in shown.content.decode()
    assert told.status_code == 503
    assert told["Retry-After"] == "1"


@pytest.mark.django_db(transaction=True)
def test_a_locked_database_is_503_on_a_page(page: Client, run: Any, settings: Any) -> None:
    def locked(execute: Any, sql: str, *rest: Any) -> Any:
        # What SQLite says after it waited; the lock itself is held in the fault tests.
        from django.db import OperationalError

        raise OperationalError("database is locked")

    with connection.execute_wrapper(locked):
        shown = page.get(f"{run.page_path}")

    assert (shown.status_code, shown["Retry-After"]) == (503, "2")
    assert "The database is busy" in shown.content.decode()


def test_a_failure_names_the_line_of_the_log_that_tells_more(
    page: Client, run: Any, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    def broken(execute: Any, sql: str, *rest: Any) -> Any:
        raise ZeroDivisionError("secret detail")

    with caplog.at_level(logging.ERROR), connection.execute_wrapper(broken):
        shown = page.get(f"{run.page_path}?secret=1")

    text = shown.content.decode()
    assert shown.status_code == 500
    assert "secret" not in text
    (reference,) = re.findall(r"<code>([0-9a-f]{8})</code>", text)
    assert f"reference={reference}" in caplog.text

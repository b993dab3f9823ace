"""One set of rows for all tests of a module: made once, and put back after each test.

For the long tables (everybody at every address), where making the rows costs more than the test.
A module makes its own rows in a fixture of the module's scope. With
`pytestmark = pytest.mark.usefixtures("lasting_people", "lasting_workspace")` its tests have these
as their `people` and `workspace`.
"""

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.test import override_settings

from tests.conftest import People, make_lab, make_people

HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(scope="module")
def lasting_storage(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where the bytes of the module's rows are."""
    return f"file://{tmp_path_factory.mktemp('lasting') / 'blobs'}"


@pytest.fixture(scope="module")
def lasting_rows(
    django_db_setup: None, django_db_blocker: Any, lasting_storage: str
) -> Iterator[None]:
    """Rows made by fixtures that ask for this one stay until the module's last test."""
    runs = Path(lasting_storage.removeprefix("file://")).with_name("runs")
    with (
        django_db_blocker.unblock(),
        override_settings(
            PASSWORD_HASHERS=HASHERS, STUDIO_STORAGE_URL=lasting_storage, STUDIO_RUNS_DIR=runs
        ),
        transaction.atomic(),
    ):
        yield
        transaction.set_rollback(True)


@pytest.fixture
def put_back(lasting_rows: None, db: None, lasting_storage: str, settings: Any) -> None:
    """What this test writes is gone after it: its own transaction is inside the module's."""
    settings.STUDIO_STORAGE_URL = lasting_storage


@pytest.fixture(scope="module")
def everybody(lasting_rows: None) -> People:
    return make_people()


@pytest.fixture(scope="module")
def lasting_lab(everybody: People) -> Any:
    return make_lab(everybody)


@pytest.fixture
def lasting_people(everybody: People, put_back: None) -> People:
    """Copies: what a test changes in them is seen by no other."""
    return deepcopy(everybody)


@pytest.fixture
def lasting_workspace(lasting_lab: Any, put_back: None) -> Any:
    return deepcopy(lasting_lab)

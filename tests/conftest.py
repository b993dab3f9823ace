"""People, a workspace and an API client for every test that touches the server.

alice owns the workspace, bob contributes, carol reads, dave is outside.
"""

import gc
import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Started in the background of a shell, we would ignore Ctrl-C, and so would every process that a
# test starts to interrupt it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

import hypothesis
import pytest
from django.test import Client

from tests import make
from tests.postgres import with_tables
from tests.prepared import copy_database, migrated

# Their fixtures are there for every test.
pytest_plugins = ["tests.chromium", "tests.lasting", "tests.live.shared"]

# Nothing is measured here: a busy machine may take long over an example.
hypothesis.settings.register_profile("studio", deadline=None)
hypothesis.settings.load_profile("studio")


@pytest.hookimpl(tryfirst=True)
def pytest_collection() -> None:
    # Ten thousand tests are collected to stay: looking for garbage in them is a fifth of that time.
    gc.disable()


# Begun last, one process would still be at them when the others have nothing left.
LONGEST = (
    "test_demo",
    "test_two_hosts",
    "test_p10_database_away",
    "test_p25_migrations",
    "test_away",
    "test_libraries",
    "test_p08_broker_loss",
    "test_journey",
    "test_every_page",
    "test_list_charts",
    "test_training_scripts",
    "test_run_list_state",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    rank = {name: at for at, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(rank)))


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
    gc.enable()


@dataclass(frozen=True)
class People:
    alice: Any
    bob: Any
    carol: Any
    dave: Any


def make_people() -> People:
    return People(*(make.user(name) for name in ("alice", "bob", "carol", "dave")))


def make_lab(people: People) -> Any:
    return make.workspace("lab", owner=people.alice, contributor=people.bob, reader=people.carol)


@pytest.fixture(scope="session")
def django_db_keepdb(django_db_modify_db_settings: None) -> bool:
    """Begin with a copy of tables that are made once for all processes of a test run."""
    from django.db import connection

    if connection.vendor != "sqlite":
        connection.settings_dict["TEST"]["TEMPLATE"] = with_tables()
        return False
    copy_database(migrated(), Path(connection.settings_dict["TEST"]["NAME"]))
    return True


@pytest.fixture(autouse=True)
def _fast_and_local(settings: Any, tmp_path: Path) -> None:
    """Cheap passwords, plain static files, bytes under the test's own folder."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    settings.STUDIO_STORAGE_URL = f"file://{tmp_path / 'blobs'}"
    settings.STUDIO_RUNS_DIR = tmp_path / "runs"


@pytest.fixture
def people(request: pytest.FixtureRequest, db: None) -> People:
    """The module's own where it uses `lasting_people`."""
    if "lasting_people" in request.fixturenames:
        return request.getfixturevalue("lasting_people")
    return make_people()


@pytest.fixture
def workspace(request: pytest.FixtureRequest, people: People) -> Any:
    """The module's own where it uses `lasting_workspace`."""
    if "lasting_workspace" in request.fixturenames:
        return request.getfixturevalue("lasting_workspace")
    return make_lab(people)


@pytest.fixture
def experiment(workspace: Any) -> Any:
    return make.experiment(workspace, "vision")


@pytest.fixture
def run(experiment: Any) -> Any:
    """A running interactive run of bob's."""
    return make.run(experiment)


@pytest.fixture
def alice_client(people: People, workspace: Any) -> Client:
    return make.client(people.alice)


@pytest.fixture
def bob_client(people: People, workspace: Any) -> Client:
    return make.client(people.bob)


@pytest.fixture
def carol_client(people: People, workspace: Any) -> Client:
    return make.client(people.carol)


@pytest.fixture
def dave_client(people: People, workspace: Any) -> Client:
    return make.client(people.dave)


@pytest.fixture
def api(people: People, workspace: Any) -> make.Api:
    """The JSON API as bob (contributor)."""
    return make.Api(people.bob, workspace)


@pytest.fixture
def full_disk(tmp_path: Path, settings: Any) -> Iterator[Path]:
    """Files go to a file system of 256 kB; without the right to mount, no file may grow past it."""
    folder = tmp_path / "small"
    folder.mkdir()
    settings.STUDIO_STORAGE_URL = f"file://{folder}"
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if os.geteuid() == 0 and subprocess.run(command, capture_output=True).returncode == 0:
        yield folder
        subprocess.run(["umount", "-l", str(folder)], check=True)
        return
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (256 << 10, before[1]))
    yield folder
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(scope="session", autouse=True)
def _remove_home() -> Iterator[None]:
    yield
    shutil.rmtree(os.environ["STUDIO_TEST_HOME"], ignore_errors=True)

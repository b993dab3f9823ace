"""People, a workspace and an API client for every test that touches the server.

alice owns the workspace, bob contributes, carol reads, dave is outside.
"""

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

import pytest
from django.test import Client

from tests import make
from tests.chromium import browser
from tests.live.shared import shared_studio

__all__ = ["browser", "shared_studio"]


@dataclass(frozen=True)
class People:
    alice: Any
    bob: Any
    carol: Any
    dave: Any


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
def people(db: None) -> People:
    return People(*(make.user(name) for name in ("alice", "bob", "carol", "dave")))


@pytest.fixture
def workspace(people: People) -> Any:
    return make.workspace("lab", owner=people.alice, contributor=people.bob, reader=people.carol)


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
    # Workers of pytest-xdist share the folder of the process that started them.
    if "PYTEST_XDIST_WORKER" not in os.environ:
        shutil.rmtree(os.environ["STUDIO_TEST_HOME"], ignore_errors=True)

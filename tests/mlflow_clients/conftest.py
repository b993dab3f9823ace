"""The clients of today and of the generation before: each one process for all tests."""

from collections.abc import Iterator

import pytest

from tests.mlflow_clients.client import BEFORE, TODAY, MlflowClient


@pytest.fixture(scope="session")
def today(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowClient]:
    yield from client(TODAY, tmp_path_factory)


@pytest.fixture(scope="session")
def before(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowClient]:
    yield from client(BEFORE, tmp_path_factory)


def client(environment: str, folders: pytest.TempPathFactory) -> Iterator[MlflowClient]:
    client = MlflowClient(environment, folders.mktemp("client") / "home")
    yield client
    client.stop()

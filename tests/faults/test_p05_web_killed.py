"""P5: what was acknowledged outlives the death of the web server's processes, however many."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.faults.trainings import LONG, Client
from tests.live.conftest import show_log
from tests.live.studio import Studio
from tests.waiting import wait_until

pytestmark = [pytest.mark.live, pytest.mark.faults]

N_CLIENTS = 4
N_POINTS = (100_000 if LONG else 4_000) // N_CLIENTS
KILL_EVERY_S = 0.5
# The embedded database always; a server's in the long form.
DATABASES = ["sqlite", "postgresql"] if LONG else ["sqlite"]


@contextlib.contextmanager
def database_of_its_own() -> Iterator[str]:
    """The address of a new database on the tests' PostgreSQL server."""
    server = os.environ.get("TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres")
    name = f"faults_{os.getpid()}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {name}")
    yield server.rpartition("/")[0] + f"/{name}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=DATABASES)
def studio(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Studio]:
    with contextlib.ExitStack() as stack:
        environment = {}
        if request.param == "postgresql":
            environment["DATABASE_URL"] = stack.enter_context(database_of_its_own())
        made = Studio(tmp_path / "studio", **environment).start()
        yield made
        made.stop()
        show_log(made)


def test_killed_processes_of_the_web_server_lose_double_and_mix_nothing(studio: Studio) -> None:
    clients = [Client(studio, f"value{i}", N_POINTS) for i in range(N_CLIENTS)]
    wait_until(lambda: all(client.n_acknowledged() for client in clients), 60, "first answers")
    n_kills, began = 0, time.monotonic()
    web = studio.child("web")
    while any(client.process.poll() is None for client in clients):
        for process in web.children():
            process.send_signal(signal.SIGKILL)
            n_kills += 1
        due = time.monotonic() + KILL_EVERY_S
        wait_until(lambda due=due: time.monotonic() >= due, 10)  # type: ignore[misc]
    assert n_kills > 2
    assert studio.child("web").pid == web.pid, "only its processes were killed"
    for client in clients:
        client.check()
    print(f"{n_kills} kills in {time.monotonic() - began:.0f} s, {N_POINTS * N_CLIENTS} points")

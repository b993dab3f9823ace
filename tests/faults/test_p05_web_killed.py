"""P5: what was acknowledged outlives the death of the web server's processes, however many."""

import contextlib
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.conftest import Promise
from tests.faults.trainings import LONG, Client
from tests.live.conftest import show_log
from tests.live.studio import Studio
from tests.postgres import address_of, database_of_its_own
from tests.waiting import answers, wait_until

pytestmark = [pytest.mark.live, pytest.mark.faults]

N_CLIENTS = 4
N_POINTS = (100_000 if LONG else 4_000) // N_CLIENTS
# After it answers again: a process that takes longer than this to start would else never serve.
KILL_AFTER_S = 0.5
# The embedded database always; a server's in the long form.
DATABASES = ["sqlite", "postgresql"] if LONG else ["sqlite"]


@pytest.fixture(params=DATABASES)
def studio(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Studio]:
    with contextlib.ExitStack() as stack:
        environment = {}
        if request.param == "postgresql":
            environment["DATABASE_URL"] = address_of(stack.enter_context(database_of_its_own()))
        made = Studio(tmp_path / "studio", **environment).start()
        yield made
        made.stop()
        show_log(made)


def is_going(clients: list[Client]) -> bool:
    return any(client.process.poll() is None for client in clients)


def test_killed_processes_of_the_web_server_lose_double_and_mix_nothing(
    studio: Studio, promise: Promise
) -> None:
    promise("P5", "web processes killed while programs log", n=N_POINTS * N_CLIENTS)
    clients = [Client(studio, f"value{i}", N_POINTS) for i in range(N_CLIENTS)]
    wait_until(lambda: all(client.n_acknowledged() for client in clients), 60, "first answers")
    n_kills, began = 0, time.monotonic()
    web = studio.child("web")
    while is_going(clients):
        for process in web.children():
            process.send_signal(signal.SIGKILL)
            n_kills += 1
        wait_until(lambda: answers(f"{studio.url}/healthz"), 60, "the web server to answer again")
        due = time.monotonic() + KILL_AFTER_S
        wait_until(lambda due=due: time.monotonic() >= due or not is_going(clients), 10)  # type: ignore[misc]
    assert n_kills > 0
    assert studio.child("web").pid == web.pid, "only its processes were killed"
    for client in clients:
        client.check()
    print(f"{n_kills} kills in {time.monotonic() - began:.0f} s, {N_POINTS * N_CLIENTS} points")

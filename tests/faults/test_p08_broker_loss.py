"""P8: a broker that is restarted, or loses all it held, costs no run and starts none twice."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.amount import form
from tests.faults.brokers import Broker, EmbeddedBroker, RabbitBroker, RedisBroker, rabbitmq
from tests.faults.conftest import SLOW, Promise, studio_on
from tests.faults.ledger import BOOK, Ledger
from tests.faults.pausing import paused
from tests.live.faults import rows
from tests.live.studio import Studio, status_of, write_script
from tests.waiting import answers, wait_until

pytestmark = [pytest.mark.live, pytest.mark.faults]

SLOTS = 2
BRIEF = BOOK + "print('ran')\n"
BLOCKER = BOOK + "while not os.path.exists(sys.argv[2]): time.sleep(0.05)\n"


@pytest.fixture(scope="module")
def rabbit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitBroker]:
    with rabbitmq(tmp_path_factory.mktemp("rabbitmq")) as broker:
        yield broker


@pytest.fixture(scope="module")
def studio_on_rabbitmq(
    rabbit: RabbitBroker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Studio]:
    yield from studio_on(rabbit.url, tmp_path_factory.mktemp("on-rabbitmq"))


@pytest.fixture(params=["embedded", "redis", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
def broker(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server(broker: str, calm_studio: Studio, request: pytest.FixtureRequest) -> Broker:
    if broker == "embedded":
        return EmbeddedBroker(calm_studio)
    if broker == "redis":
        return RedisBroker(request.getfixturevalue("redis"))
    found: RabbitBroker = request.getfixturevalue("rabbit")
    return found


def test_queued_runs_outlive_a_restart_and_a_loss_of_the_broker(
    calm_studio: Studio, server: Broker, promise: Promise, broker: str, tmp_path: Path
) -> None:
    n = form(12 if broker == "rabbitmq" else 6, 200)
    promise("P8 broker restarted, then emptied", n=n, broker=broker)
    ledger, source = Ledger.of(calm_studio, tmp_path), write_script(tmp_path / "src", BRIEF)
    n_rung = restarted_while_messages_wait(ledger, server, source, n // 2)
    emptied_while_slots_are_full(ledger, server, source, n - n // 2, tmp_path / "go")
    ledger.check()
    assert set(ledger.statuses().values()) == {"Completed"}
    query = (
        "SELECT MAX(j.n_attempts) FROM compute_job j JOIN runs_run r ON r.job_id = j.id"
        " JOIN runs_experiment e ON e.id = r.experiment_id WHERE e.name = ?"
    )
    assert rows(calm_studio, query, ledger.experiment) == [(1,)]
    cancel_s = submit_and_cancel(calm_studio, ledger, tmp_path / "last")
    wait_until(lambda: server.waiting() == 0, SLOW, "the worker to listen to the broker again")
    promise(ended=f"{n}/{n}", started_twice=0, messages_when_killed=n_rung,
            cancel_afterwards_s=cancel_s)  # fmt: skip


def restarted_while_messages_wait(ledger: Ledger, server: Broker, source: Path, n: int) -> int:
    """The worker is stopped, so that nothing takes the messages; how many waited."""
    with paused(ledger.studio, ledger.studio.child("worker").pid):
        ledger.submit(source, n=n, target="local")
        least = n - server.n_held
        assert least > 0
        # What a client sends is in the queue a moment later.
        wait_until(lambda: server.waiting() >= least, 10, f"{least} messages to wait")
        n_waiting = server.waiting()
        server.restart()
    ledger.all_ended(SLOW + n)
    return n_waiting


def emptied_while_slots_are_full(
    ledger: Ledger, server: Broker, source: Path, n: int, go: Path
) -> None:
    blocker = write_script(go.with_name("blocker"), BLOCKER)
    blockers = ledger.submit(blocker, n=SLOTS, target="local", arguments=[go])
    wait_until(lambda: set(ledger.effects.starts()) >= set(blockers), 60, "the slots to be full")
    ledger.submit(source, n=n, target="local")
    server.lose_everything()
    go.touch()
    ledger.all_ended(SLOW + n)


def submit_and_cancel(studio: Studio, ledger: Ledger, folder: Path) -> float:
    """One run that is started and cancelled; seconds from the request to its end."""
    source = write_script(folder, BLOCKER)
    (uid,) = ledger.submit(source, n=1, target="local", arguments=[folder / "never"])
    wait_until(lambda: ledger.effects.starts()[uid] == 1, 60, "its start")
    run: Any = studio.workspace.get_run(uid)
    began = time.monotonic()
    run.cancel()
    assert status_of(run, "Canceled") == "Canceled"
    return time.monotonic() - began


@pytest.mark.rabbitmq
@pytest.mark.parametrize("broker", ["rabbitmq"])
def test_a_run_is_submitted_and_cancelled_over_rabbitmq(
    calm_studio: Studio, rabbit: RabbitBroker, promise: Promise, broker: str, tmp_path: Path
) -> None:
    promise("P8 submit and cancel", n=1, broker=broker)
    ledger = Ledger.of(calm_studio, tmp_path)
    cancel_s = submit_and_cancel(calm_studio, ledger, tmp_path / "src")
    wait_until(lambda: rabbit.waiting() == 0, 20, "the worker to take the messages")
    wait_until(lambda: answers(f"{calm_studio.url}/readyz"), 10, "all parts to be ready")
    ledger.check()
    promise(cancel_s=cancel_s)

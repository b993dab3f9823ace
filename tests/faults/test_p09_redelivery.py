"""P9: a message that is delivered again while its run goes on starts nothing again."""

import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import redis as redis_library
from kombu import Connection

from tests.amount import form
from tests.faults.brokers import QUEUE, EmbeddedBroker
from tests.faults.conftest import SLOW, Promise
from tests.faults.crew import Crew
from tests.faults.ledger import BOOK, Ledger
from tests.faults.pausing import paused
from tests.live.faults import Redis
from tests.live.studio import Studio, write_script
from tests.waiting import wait_until

pytestmark = [pytest.mark.live, pytest.mark.faults]

# It lasts until its file is there.
LONG = BOOK + "while not os.path.exists(sys.argv[2]): time.sleep(0.05)\nprint('ran')\n"
VISIBILITY_S = form(3, 5)
RUN_S = form(8, 60)


@pytest.mark.parametrize("broker", ["redis"])
def test_a_run_longer_than_the_visibility_time_out_is_started_once(
    studio: Studio, crew: Crew, redis: Redis, promise: Promise, broker: str, tmp_path: Path
) -> None:
    promise(f"P9 run of {RUN_S} s, visibility time-out {VISIBILITY_S} s", n=2, broker=broker)
    ledger, source = Ledger.of(studio, tmp_path), write_script(tmp_path / "src", LONG)
    crew.start(
        DJANGO_SETTINGS_MODULE="tests.faults.short_visibility",
        TEST_VISIBILITY_S=str(VISIBILITY_S),
    )
    client = redis_library.from_url(redis.url)
    queue, go = f"target.{crew.target}", tmp_path / "go"
    crew.pause()
    # Redis hands a message to whoever asked before it was stopped; that request runs out.
    wait_until(lambda: not asked_for(client, queue), 10, "nobody to ask for messages")
    ledger.submit(source, n=2, target=crew.target, arguments=[go])
    with Connection(redis.url) as connection:
        # We take the messages, and never settle them: a worker that works for long looks the same.
        channel = connection.channel()
        taken = [take(channel, queue) for _ in range(2)]
        assert unsettled(client) >= 2
        crew.go_on()
        wait_until(lambda: sum(ledger.effects.starts().values()) == 2, 60, "the starts")
        began = time.monotonic()
        wait_until(lambda: unsettled(client) == 0, SLOW, "both to be delivered again and settled")
        wait_until(lambda: time.monotonic() - began > RUN_S, RUN_S + 5, "the long run")
        go.touch()
        assert set(ledger.all_ended(SLOW).values()) == {"Completed"}
    ledger.check()
    promise(starts=sum(ledger.effects.starts().values()), delivered_again=len(taken))


def asked_for(client: Any, queue: str) -> bool:
    """Whether somebody waits at Redis for messages of any queue of the stopped worker."""
    ours = [one for one in client.client_list() if one["cmd"] == "brpop" and "b" in one["flags"]]
    return len(ours) > 1  # the worker of the target `local` goes on asking


def take(channel: Any, queue: str) -> Any:
    message = channel.basic_get(queue)
    assert message is not None
    return message.delivery_tag


def unsettled(client: Any) -> int:
    return int(client.hlen("unacked"))


@pytest.mark.parametrize("broker", ["embedded"])
def test_a_message_that_comes_again_and_again_starts_a_run_once(
    calm_studio: Studio, promise: Promise, broker: str, tmp_path: Path
) -> None:
    n = form(5, 60)
    promise("P9 message delivered again during the run", n=n, broker=broker)
    ledger, source = Ledger.of(calm_studio, tmp_path), write_script(tmp_path / "src", LONG)
    server, go = EmbeddedBroker(calm_studio), tmp_path / "go"
    queue = server.folder / "queues" / f"q-{QUEUE}"
    with paused(calm_studio, calm_studio.child("worker").pid):
        ledger.submit(source, n=1, target="local", arguments=[go])
        (message,) = queue.glob("[0-9]*.msg")
        copy = shutil.copy(message, tmp_path)
    wait_until(lambda: sum(ledger.effects.starts().values()) == 1, 60, "the start")
    for _ in range(n):
        wait_until(lambda: not list(queue.glob("[0-9]*.msg")), 30, "the worker to take it")
        shutil.copy(copy, queue / message.name)
    wait_until(lambda: not list(queue.glob("[0-9]*.msg")), 30, "the worker to take the last")
    go.touch()
    assert set(ledger.all_ended(SLOW).values()) == {"Completed"}
    ledger.check()
    promise(starts=sum(ledger.effects.starts().values()), delivered_again=n)

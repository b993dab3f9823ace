"""The file broker between real processes: nothing lost, nothing doubled, rubbish survived."""

# kombu marks itself as typed, yet exports and annotates little:
# mypy: disable-error-code="no-untyped-call, attr-defined"

import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kombu import Exchange, Queue

from tests.broker import traffic
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts one role of traffic.py; kills what is left at the end."""
    processes: list[subprocess.Popen[bytes]] = []

    def run(*arguments: object) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "tests.broker.traffic", str(tmp_path)]
        process = subprocess.Popen([*command, *map(str, arguments)], cwd=ROOT)
        processes.append(process)
        return process

    yield run
    for process in processes:
        process.kill()
        process.wait()


def received(*ledgers: Path) -> list[str]:
    """Texts in the order they were received."""
    lines = [line for path in ledgers if path.exists() for line in path.read_text().splitlines()]
    return [line.split()[0] for line in lines]


def get_text(channel: Any, queue: str) -> str | None:
    """Take and acknowledge one message; None when the queue is empty."""
    message = channel.basic_get(queue)
    if message is None:
        return None
    message.ack()
    return str(message.payload)


def put_text(channel: Any, queue: str, text: str) -> None:
    message = channel.prepare_message(f'"{text}"', content_type="application/json")
    message["content-encoding"] = "utf-8"
    channel.basic_publish(message, "", queue)


def test_nothing_is_lost_or_doubled_when_a_consumer_is_killed(tmp_path: Path, start: Start) -> None:
    held, ledgers = tmp_path / "held", [tmp_path / "a", tmp_path / "b"]
    victim = start("hold", "work", held)
    senders = [start("send", "work", prefix, 150) for prefix in "xyz"]
    wait_until(lambda: len(received(held)) == 3, message="the consumer to hold three messages")
    for ledger in ledgers:
        start("receive", "work", ledger)
    wait_until(lambda: received(*ledgers), message="the traffic to flow")
    victim.kill()
    victim.wait()
    assert [sender.wait(20) for sender in senders] == [0, 0, 0]
    wait_until(lambda: len(received(*ledgers)) >= 450, 15, "all messages, the held ones too")
    assert Counter(received(*ledgers)) == {f"{p}-{n}": 1 for p in "xyz" for n in range(150)}


def test_messages_of_one_sender_arrive_in_order(tmp_path: Path) -> None:
    with traffic.connect(str(tmp_path)) as connection:
        channel = connection.channel()
        for index in range(50):
            put_text(channel, "line", str(index))
        assert [get_text(channel, "line") for _ in range(51)] == [*map(str, range(50)), None]


def test_an_unacknowledged_message_returns_to_its_place_when_the_channel_closes(
    tmp_path: Path,
) -> None:
    with traffic.connect(str(tmp_path)) as connection:
        channel = connection.channel()
        put_text(channel, "line", "first")
        put_text(channel, "line", "second")
        channel.basic_get("line")
        channel.close()
        other = connection.channel()
        assert [get_text(other, "line") for _ in range(3)] == ["first", "second", None]


@pytest.mark.parametrize(
    "rubbish", [b"", b"{", b"\xff\xfe", b"[]", b"null", b'{"properties": {}}', b"[" * 100_000]
)
def test_an_unreadable_message_is_dropped_and_the_next_one_arrives(
    tmp_path: Path, rubbish: bytes
) -> None:
    with traffic.connect(str(tmp_path)) as connection:
        channel = connection.channel()
        put_text(channel, "line", "good")
        folder = tmp_path / "queues" / "q-line"
        (folder / f"{0:020d}_{0:032x}.0.msg").write_bytes(rubbish)
        assert get_text(channel, "line") == "good"
        assert get_text(channel, "line") is None
        assert list(folder.iterdir()) == []


def test_a_message_that_kills_each_consumer_is_given_up(tmp_path: Path) -> None:
    with traffic.connect(str(tmp_path)) as connection:
        channel = connection.channel()
        put_text(channel, "line", "poison")
        folder = tmp_path / "queues" / "q-line"
        for _ in range(4):  # delivered once and returned three times
            code = (
                "import os, sys\nfrom tests.broker import traffic\n"
                "got = traffic.connect(sys.argv[1]).channel().basic_get('line')\n"
                "os._exit(9 if got is not None else 1)"
            )
            died = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT)
            assert died.returncode == 9
        assert get_text(channel, "line") is None
        assert list(folder.iterdir()) == []


def test_sending_to_a_queue_deleted_a_moment_ago_makes_it_again(tmp_path: Path) -> None:
    with traffic.connect(str(tmp_path)) as connection:
        channel = connection.channel()
        put_text(channel, "reply", "one")
        channel._drop_folder("reply")
        assert not (tmp_path / "queues" / "q-reply").exists()
        put_text(channel, "reply", "two")
        assert get_text(channel, "reply") == "two"


def test_a_fanout_reaches_every_bound_queue_once(tmp_path: Path) -> None:
    exchange = Exchange("all.nodes", type="fanout")
    with traffic.connect(str(tmp_path)) as connection:
        channel = connection.channel()
        queues = [Queue(f"node@{n}", exchange) for n in range(3)]
        for queue in queues:
            queue(channel).declare()
        queues[2](channel).delete()
        connection.Producer(channel, serializer="json").publish("hello", exchange=exchange)
        texts = [get_text(channel, f"node@{n}") for n in range(3) for _ in range(2)]
        assert texts == ["hello", None, "hello", None, None, None]


@pytest.mark.parametrize("name", ["../../escape", "a/b", "..", "x" * 400, "töpfe ünd ", "."])
def test_a_queue_name_never_leaves_the_folder(tmp_path: Path, name: str) -> None:
    home = tmp_path / "home"
    with traffic.connect(str(home)) as connection:
        channel = connection.channel()
        put_text(channel, name, "in")
        assert get_text(channel, name + "x") is None
        assert get_text(channel, name) == "in"
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
    assert all(path.parent == home / "queues" for path in home.rglob("q-*"))

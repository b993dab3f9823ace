"""Message brokers to fill, kill and empty: the embedded one, Redis, RabbitMQ."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import psutil
import redis
from kombu import Connection

from tests.live.faults import Redis
from tests.live.studio import Studio, free_port
from tests.waiting import wait_until

QUEUE = "target.local"


class Broker(Protocol):
    n_held: int  # messages that a stopped worker may have taken already

    def waiting(self) -> int:
        """How many messages wait for the workers of the target `local`."""

    def restart(self) -> None:
        """kill -9, then a start: what the broker kept only in memory is gone."""

    def lose_everything(self) -> None:
        """All queues and messages are gone, the broker answers."""


class EmbeddedBroker:
    """A folder: there is no process that could be restarted, so its folder goes each time."""

    n_held = 1

    def __init__(self, studio: Studio) -> None:
        self.folder = studio.folder / "home" / "broker"

    def waiting(self) -> int:
        return len(list((self.folder / "queues" / f"q-{QUEUE}").glob("[0-9]*.msg")))

    def restart(self) -> None:
        self.lose_everything()

    def lose_everything(self) -> None:
        # A worker or a server may make a part of it again at any moment.
        wait_until(self._is_removed, 10, "the folder to be gone")

    def _is_removed(self) -> bool:
        shutil.rmtree(self.folder, ignore_errors=True)
        return not self.folder.exists() or self.waiting() == 0


class RedisBroker:
    n_held = 1

    def __init__(self, server: Redis) -> None:
        self.server = server

    def _client(self) -> Any:
        return redis.from_url(self.server.url)

    def waiting(self) -> int:
        return int(self._client().llen(QUEUE))

    def restart(self) -> None:
        self.server.stop(signal.SIGKILL)
        self.server.start()

    def lose_everything(self) -> None:
        self._client().flushall()


def rabbitmq_server() -> str:
    """The server's own script: the one in PATH of Debian serves the machine's broker alone."""
    own = "/usr/lib/rabbitmq/bin/rabbitmq-server"
    return own if os.path.exists(own) else shutil.which("rabbitmq-server") or own


class RabbitBroker:
    """A RabbitMQ node of the test's own, beside whatever else the machine runs."""

    n_held = 4

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}//"
        (folder / "env.conf").touch()
        (folder / "plugins").write_text("[].")
        self.start()

    def start(self) -> None:
        here = {
            "HOME": str(self.folder),
            "RABBITMQ_NODENAME": f"faults{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq"),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "env.conf"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
        }
        with (self.folder / "rabbitmq.log").open("ab") as log:
            self.process = subprocess.Popen(
                [rabbitmq_server()],
                cwd=self.folder,
                env={**os.environ, **here},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(self._answers, 120, "RabbitMQ", every_s=0.2)

    def _answers(self) -> bool:
        assert self.process.poll() is None, (self.folder / "rabbitmq.log").read_text()[-3000:]
        try:
            with Connection(self.url, connect_timeout=2) as connection:
                connection.connect()
        except OSError:
            return False
        return True

    def waiting(self) -> int:
        with Connection(self.url) as connection:
            return int(connection.default_channel.queue_declare(QUEUE, passive=True).message_count)

    def restart(self) -> None:
        self.kill()
        self.start()

    def lose_everything(self) -> None:
        """Its queues are deleted under the feet of everyone: the worker's own too."""
        with Connection(self.url) as connection:
            for queue in ("studio", QUEUE, f"node.{socket.gethostname()}-local"):
                connection.default_channel.queue_delete(queue)

    def kill(self) -> None:
        for process in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.kill()
        self.process.wait(20)


@contextlib.contextmanager
def rabbitmq(folder: Path) -> Iterator[RabbitBroker]:
    broker = RabbitBroker(folder)
    try:
        yield broker
    finally:
        broker.kill()

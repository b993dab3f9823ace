"""Machines to lose: workers in network and host-name namespaces of their own, on a bridge where the
test's PostgreSQL and Redis can be reached. Needs root, as CI is, and iproute2."""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.live.studio import ROOT, Studio
from tests.waiting import wait_until

NETWORK = f"10.213.{os.getpid() % 250}"
BRIDGE_ADDRESS = f"{NETWORK}.1"
BRIDGE = f"st{os.getpid()}"


def ip(*words: str) -> str:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=True)
    return done.stdout


@contextlib.contextmanager
def bridge() -> Iterator[str]:
    """A network of its own; the address of this machine in it."""
    assert os.geteuid() == 0, "network namespaces need root"
    ip("link", "add", BRIDGE, "type", "bridge")
    try:
        ip("addr", "add", f"{BRIDGE_ADDRESS}/24", "dev", BRIDGE)
        ip("link", "set", BRIDGE, "up")
        yield BRIDGE_ADDRESS
    finally:
        ip("link", "del", BRIDGE)


@contextlib.contextmanager
def reachable(host: str, port: int) -> Iterator[int]:
    """A port of the bridge behind which a service of this machine (that listens on the loopback
    address alone) answers."""
    listener = socket.create_server((BRIDGE_ADDRESS, 0))
    threading.Thread(target=_accept, args=(listener, (host, port)), daemon=True).start()
    yield listener.getsockname()[1]
    listener.close()


def _accept(listener: socket.socket, service: tuple[str, int]) -> None:
    with contextlib.suppress(OSError):
        while True:
            client, _ = listener.accept()
            _look_after(client)
            server = socket.create_connection(service)
            for pair in ((client, server), (server, client)):
                threading.Thread(target=_copy, args=pair, daemon=True).start()


def _look_after(client: socket.socket) -> None:
    """As PostgreSQL is told to by each connection: here it is connected to this process, which is
    always there."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        (socket.TCP_KEEPIDLE, 10),
        (socket.TCP_KEEPINTVL, 5),
        (socket.TCP_KEEPCNT, 3),
    ):
        client.setsockopt(socket.IPPROTO_TCP, option, value)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


class Host:
    """A machine with one worker."""

    def __init__(self, studio: Studio, name: str, number: int) -> None:
        self.studio, self.name = studio, name
        self.space, self.link = f"{BRIDGE}{name}", f"{BRIDGE}v{number}"
        self.address = f"{NETWORK}.{number}"
        self.home = studio.folder / name
        self.log = studio.folder / f"{name}.log"
        self._wire()

    def _wire(self) -> None:
        ip("netns", "add", self.space)
        ip("link", "add", self.link, "type", "veth", "peer", "name", "eth0", "netns", self.space)
        ip("link", "set", self.link, "master", BRIDGE, "up")
        ip("-n", self.space, "addr", "add", f"{self.address}/24", "dev", "eth0")
        ip("-n", self.space, "link", "set", "eth0", "up")
        ip("-n", self.space, "link", "set", "lo", "up")

    def start(self, target: str) -> "Host":
        worker = [sys.executable, str(ROOT / "manage.py"), "worker", "--target", target]
        named = ["sh", "-c", f'hostname {self.name} && exec "$@"', "sh"]
        words = ["ip", "netns", "exec", self.space, "unshare", "--uts", *named, *worker]
        env = {**self.studio.env, "STUDIO_HOME": str(self.home)}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*words, "--concurrency", "1"], cwd=self.studio.folder, env=env,
                stdout=log, stderr=log,
            )  # fmt: skip
        return self

    def serves(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        return "serves" in self.log.read_text()

    def pids(self) -> list[int]:
        """Every process on this machine."""
        return [int(word) for word in ip("netns", "pids", self.space).split()]

    def pull_cable(self) -> None:
        ip("link", "set", self.link, "down")

    def plug_cable_in(self) -> None:
        ip("link", "set", self.link, "up")

    def die(self) -> None:
        """No power: every process at once, and no word to anybody."""
        self.pull_cable()
        while pids := self.pids():
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait(10)

    def remove(self) -> None:
        self.die()
        ip("netns", "del", self.space)
        with contextlib.suppress(subprocess.CalledProcessError):
            ip("link", "del", self.link)


@contextlib.contextmanager
def two_hosts(studio: Studio, target: str) -> Iterator[tuple[Host, Host]]:
    """Two machines that serve one target, one run at a time each."""
    with contextlib.ExitStack() as stack:
        made = []
        for number, name in ((2, "alpha"), (3, "beta")):
            host = Host(studio, name, number)
            stack.callback(host.remove)
            made.append(host.start(target))
        for host in made:
            wait_until(host.serves, 120, f"the worker of {host.name}")
        yield made[0], made[1]


def studio_for_hosts(folder: Path, *, postgres: str, redis: str, address: str) -> Studio:
    """A studio on the bridge, with a store of bytes that all machines share."""
    studio = Studio(
        folder,
        DATABASE_URL=postgres,
        CELERY_BROKER_URL=redis,
        STUDIO_STORAGE_URL=f"file://{folder / 'shared'}",
        STUDIO_SECRET_KEY=secrets.token_urlsafe(48),
        STUDIO_BIND=address,
        STUDIO_ALLOWED_HOSTS=f"127.0.0.1,{address}",
        STUDIO_WORKER_BEAT_S="0.5",
        STUDIO_WORKER_LOST_AFTER_S="8",
        STUDIO_NOT_RESPONDING_AFTER_S="3",
        STUDIO_LOST_AFTER_S="5",
    )
    studio.url = studio.env["STUDIO_BASE_URL"] = f"http://{address}:{studio.port}"
    return studio

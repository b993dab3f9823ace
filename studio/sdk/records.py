"""What waits in the outbox: typed records of runs, and how they become requests."""

from __future__ import annotations

import json
import os
import random
import re
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from studio.sdk.client import Client, path_of
from studio.sdk.spool import Request
from studio.wire import BEAT_EVERY_S, Batch, Series

if TYPE_CHECKING:
    from studio.sdk.monitoring import Monitor

BATCH_WEIGHT = 20_000  # points; heavier values count by their size, so a batch stays under 2 MB
CHUNK_BYTES = 1 << 20
BEAT_S = BEAT_EVERY_S


class Channel:
    """One run as the sender sees it: where its requests go, when it last had an answer.

    `on_cancel` is called once, in the sender thread, with {by, reason, at} when an answer says
    that somebody cancelled the run. `beats`: this process answers for the run being alive.
    """

    def __init__(self, client: Client, uid: str) -> None:
        self.client, self.uid = client, uid
        self.on_cancel: Callable[[dict[str, Any]], None] | None = None
        self.beats = False
        self.gone = False  # the run was deleted: nothing more can be sent
        self.is_late = False  # requests of the run are kept on disk, or behind such
        self.answered_at_s = time.monotonic()
        self.n_dropped = self.n_dropped_told = 0
        self._counts = ""  # whose count it is: that of this run, by this process
        self._counted_in = 0
        self.log_sizes: dict[str, int] = {}
        self.monitor: Monitor | None = None  # samples the machine, in the sender thread

    def path(self, *parts: str) -> str:
        """A request path below this run."""
        return path_of("runs", self.uid, *parts)

    def request(self, path: str, body: bytes, *, method: str = "POST", n: int = 0) -> Request:
        """A request of this run, with all that is needed to send it later."""
        return Request(path, body, method, self.client.url, self.client.workspace, n)

    def count_dropped(self, n: int) -> None:
        """Remember that points were lost. A forked child begins a count of its own."""
        if self._counted_in != os.getpid():
            self._counted_in, self.n_dropped, self.n_dropped_told = os.getpid(), 0, 0
            host = re.sub(r"[^A-Za-z0-9_.-]", "_", socket.gethostname())[:32]
            self._counts = f"{host}-{os.getpid()}-{os.urandom(3).hex()}"
        self.n_dropped += n

    def heartbeat(self) -> Request:
        """A sign of life, which tells what was lost so far."""
        lost = {"n_dropped": self.n_dropped, "sender": self._counts} if self.n_dropped else {}
        return self.request(self.path("heartbeat"), json.dumps(lost).encode())


class Point(NamedTuple):
    """One value of a metric."""

    channel: Channel
    name: str
    kind: str
    step: int | None
    time_s: float
    value: Any


class Chunk(NamedTuple):
    """A piece of a log file; its offset is fixed when it leaves the queue."""

    channel: Channel
    path: str
    data: bytes


class Post(NamedTuple):
    """A ready request that must keep its place among the points of its run."""

    channel: Channel
    request: Request


class Marker(NamedTuple):
    """Set when all that was put before it has arrived: at the studio of the channel, or at all."""

    channel: Channel | None
    done: threading.Event


Record = Point | Chunk | Post | Marker
Sendable = tuple[Channel, Request]


def batch_id() -> str:
    """A new UUID version 7: ordered by time, so that the server's index stays small."""
    stamp = time.time_ns() // 1_000_000
    bits = (stamp << 80) | (7 << 76) | (random.SystemRandom().getrandbits(76))
    return str(uuid.UUID(int=(bits & ~(3 << 62)) | (2 << 62)))


class _Open:
    """The batch of one channel that is being filled."""

    def __init__(self) -> None:
        self.columns: dict[tuple[str, str, bool], tuple[list[int], list[float], list[Any]]] = {}
        self.logs: dict[str, list[bytes]] = {}
        self.weight = 0
        self.n_points = 0

    def add(self, point: Point) -> None:
        key = (point.name, point.kind, point.step is not None)
        columns = self.columns.get(key)
        if columns is None:
            columns = self.columns[key] = ([], [], [])
        if point.step is not None:
            columns[0].append(point.step)
        columns[1].append(point.time_s)
        columns[2].append(point.value)
        self.n_points += 1
        self.weight += 1 if point.kind == "scalar" else weight(point.value)

    def close(self, channel: Channel) -> Iterable[Sendable]:
        """The requests for everything added; starts anew."""
        for path, pieces in self.logs.items():
            yield from _log_requests(channel, path, b"".join(pieces))
        if self.columns:
            series = tuple(
                Series(name, kind, times, values, steps if stepped else None)
                for (name, kind, stepped), (steps, times, values) in self.columns.items()
            )
            body = json.dumps(Batch(batch_id(), series).dump(), separators=(",", ":")).encode()
            yield channel, channel.request(channel.path("batches"), body, n=self.n_points)
        self.__init__()  # type: ignore[misc]


def weight(value: Any) -> int:
    """How many plain points a value counts for in memory and in a batch."""
    if isinstance(value, str):
        return 1 + len(value) // 50
    if isinstance(value, dict | list):
        return 1 + sum(map(weight, value.values() if isinstance(value, dict) else value))
    return 1


def pack(records: Iterable[Record]) -> Iterable[Sendable]:
    """Requests in the order of each run's records; every batch gets its id here, once."""
    filling: dict[Channel, _Open] = {}
    for record in records:
        if record.channel is None or isinstance(record, Marker):
            continue
        current = filling.get(record.channel)
        if current is None:
            current = filling[record.channel] = _Open()
        if type(record) is Point:
            current.add(record)
            if current.weight >= BATCH_WEIGHT:
                yield from current.close(record.channel)
        elif type(record) is Chunk:
            current.logs.setdefault(record.path, []).append(record.data)
        elif type(record) is Post:
            yield from current.close(record.channel)
            yield record.channel, record.request
    for channel, current in filling.items():
        yield from current.close(channel)


def _log_requests(channel: Channel, path: str, data: bytes) -> Iterable[Sendable]:
    for start in range(0, len(data), CHUNK_BYTES):
        piece = data[start : start + CHUNK_BYTES]
        offset = channel.log_sizes.get(path, 0)
        channel.log_sizes[path] = offset + len(piece)
        yield channel, channel.request(channel.path("logs", path) + f"?offset={offset}", piece)


def owned_here(pid: int) -> bool:
    """Whether this process is the one that made the object, not a fork of it."""
    return pid == os.getpid()

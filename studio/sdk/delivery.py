"""Delivering requests to one studio: send now, or keep on disk and replay in order.

Used by the sender thread only.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable
from typing import Any

from studio.sdk.client import RETRIED, Client, retry_delay_s
from studio.sdk.dead import dead_letter
from studio.sdk.errors import service_error
from studio.sdk.records import Channel
from studio.sdk.spool import Request, Spool

log = logging.getLogger("studio.sdk")

SEND_S = 10.0
WITHOUT_VALUES = ("heartbeat", "start", "complete", "canceled", "fail")
HANGS_S = 1.0  # a failure that took longer: the next try may take as long
Count = Callable[[Channel, int], None]


class Line:
    """The way to one studio: open, or closed until the next try.

    `count_dropped(channel, n)` is called for points that could not be kept.
    """

    def __init__(self, url: str, count_dropped: Count) -> None:
        self.url = url
        self.spool = Spool()
        self.exiting = self.only_spool = False
        self.hangs = False  # the last try failed, and it took long
        self._count_dropped = count_dropped
        # By workspace and run id: whose requests are on disk.
        self._senders: dict[tuple[str, str], Channel] = {}
        self._strangers: dict[tuple[str, str], Channel] = {}
        self._attempt, self._retry_at_s = 0, 0.0
        self._warned: set[str] = set()

    def away(self) -> bool:
        """Whether the studio was away a moment ago and the next try is not due."""
        return self.only_spool or time.monotonic() < self._retry_at_s

    def waits(self) -> bool:
        """Whether something is on disk that this process will still try to send."""
        return self.spool.n_records > 0 and not self.only_spool

    def try_now(self) -> None:
        """Forget the waiting time: somebody waits for the answer."""
        self._retry_at_s = 0.0

    def deliver(self, channel: Channel, request: Request) -> None:
        """Send now when the way is free, else keep it on disk behind what waits there."""
        if channel.gone:
            return
        waits = self.spool.n_records > 0 or self.away()
        if waits or not self.send(channel.client, request, channel):
            self.keep(channel, request)

    def replay(self) -> None:
        """Send what is on disk, in order, until done or away."""
        if not self.spool.n_records or self.away():
            return
        for request in self.spool.pending():
            channel = self._senders.get(sender_of(request))
            if channel is None or channel.gone:
                continue
            if not self.send(channel.client, request, channel):
                return

    def send(self, client: Client, request: Request, channel: Channel | None) -> bool:
        """One try. True: done with it (stored, or refused for good); False: try again later."""
        began_s = time.monotonic()
        try:
            answer = client.send(request.method, request.path, body=request.body, read_s=SEND_S)
        except OSError as problem:
            self.hangs = time.monotonic() - began_s > HANGS_S
            return self._failed(f"no answer from {self.url}: {problem}", None)
        self.hangs = False
        if answer.status < 400:
            self._attempt = 0
            if channel is not None:
                _answered(channel, parsed(answer.data))
            return True
        error = service_error(answer.status, parsed(answer.data))
        if error.code == "log_gap" and channel is not None:
            return self._mend_gap(channel, request, int(error.extra.get("size", 0)))
        if answer.status in RETRIED or answer.status == 401:
            return self._failed(str(error), answer.headers.get("Retry-After"))
        channel = channel or self._stranger(client, request)
        self._refused(request, channel, f"{answer.status} {error}")
        if channel is not None and answer.status in (404, 410):
            # A log or file may be refused alone; without its batches a run is gone for good.
            channel.gone = request.path.endswith(("/batches", "/heartbeat"))
        return True

    def keep(self, channel: Channel, request: Request, *, must_fit: bool = False) -> None:
        """Keep it on disk behind what waits there, else drop and count it."""
        try:
            self.spool.append(request, must_fit=must_fit)
            self._senders[sender_of(request)] = channel
        except OSError as problem:
            self._count_dropped(channel, n_lost(request))
            self._warn("spool", f"the studio is away and the disk refuses ({problem}): dropping")

    def _failed(self, why: str, retry_after: str | None) -> bool:
        self._retry_at_s = time.monotonic() + retry_delay_s(self._attempt, retry_after)
        self._attempt += 1
        self._warn("away", f"{why}; records are kept on disk and sent later")
        # A server that was replaced breaks the connections it kept: one failure says nothing. The
        # spool of a submitted run is sent by nobody else: it uses all the time an exit has.
        is_hopeless = self._attempt > 1 and not os.environ.get("STUDIO_RUN_ID")
        self.only_spool = self.exiting and is_hopeless
        return False

    def _mend_gap(self, channel: Channel, request: Request, size: int) -> bool:
        """The studio lost the end of a log: go on where it ends."""
        path = request.path.partition("?offset=")[0]
        moved = channel.request(f"{path}?offset={size}", request.body)
        channel.log_sizes[path.partition("/logs/")[2]] = size + len(request.body)
        return self.send(channel.client, moved, None)

    def _refused(self, request: Request, channel: Channel | None, why: str) -> None:
        """Never retried: kept in a dead-letter file for a person to look at."""
        self._warn(f"refused:{why[:40]}", f"the studio refused {request.path}: {why}")
        n = n_lost(request)
        if channel is not None and n:
            self._count_dropped(channel, n)
        if _call_of(request) != "heartbeat":
            dead_letter(request, why)

    def _stranger(self, client: Client, request: Request) -> Channel | None:
        """The channel of a run of a dead process, for telling what was refused of it."""
        sender = sender_of(request)
        if sender[1] and sender not in self._strangers:
            self._strangers[sender] = Channel(client, sender[1])
        return self._strangers.get(sender)

    def _warn(self, key: str, text: str) -> None:
        if key not in self._warned:
            self._warned.add(key)
            log.warning("studio: %s", text)


def _answered(channel: Channel, answer: Any) -> None:
    channel.answered_at_s = time.monotonic()
    cancel = answer.get("cancel") if isinstance(answer, dict) else None
    if isinstance(cancel, dict) and channel.on_cancel is not None:
        notify, channel.on_cancel = channel.on_cancel, None
        notify(cancel)


def n_lost(request: Request) -> int:
    """How many values go with a request that is refused or can't be kept: none with a sign of life
    or with a word about the run's end."""
    return 0 if _call_of(request) in WITHOUT_VALUES else max(1, request.n_points)


def _call_of(request: Request) -> str:
    """What is asked of a run: its path after the run's id."""
    return "/".join(request.path.split("/")[3:])


def parsed(data: bytes) -> Any:
    """The JSON in an answer, or None."""
    try:
        return json.loads(data)
    except ValueError:
        return None


def sender_of(request: Request) -> tuple[str, str]:
    """The workspace and the run that a request speaks for; "" for one that makes a run."""
    uid = request.path.split("/")[2] if request.path.startswith("/runs/") else ""
    return request.workspace, uid

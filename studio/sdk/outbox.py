"""The outbox: one bounded queue and one sender thread per process, between training and studio.

`put` never waits for the network and never raises. The sender packs records into batches whose
ids are fixed before the first send, posts them, and keeps them on disk (see spool.py) while the
studio is away. What cannot be kept is counted and reported with the heartbeat. A forked child
starts with an empty queue, its own thread and its own spool.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

from studio.sdk.client import RETRIED, Client, retry_delay_s
from studio.sdk.errors import service_error
from studio.sdk.records import BEAT_S, Channel, Marker, Point, Record, pack, weight
from studio.sdk.spool import Request, Spool, orphans

log = logging.getLogger("studio.sdk")

MOST_RECORDS = 200_000  # about 32 MB of plain points
MOST_WEIGHT = 600_000  # heavy values (texts, tables, log text) in units of 50 bytes: 30 MB
TURN_S = 0.5
TURN_RECORDS = 40_000
WAKE_RECORDS = 5_000
FULL_S = 5.0  # how long put may wait for room before it drops
SEND_S = 10.0
EXIT_FLUSH_S, EXIT_DRAIN_S = 14.0, 16.0  # together the 30 s that an exit may take


class Outbox:
    """The queue and its sender."""

    def __init__(self) -> None:
        self._queue: deque[Record] = deque()
        self._heavy = 0
        self._reset()

    def _reset(self) -> None:
        self._queue.clear()
        self._heavy = 0
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._channels: dict[Channel, None] = {}  # runs whose heartbeat or drops are told
        self._senders: dict[tuple[str, str, str], Channel] = {}  # whose requests are on disk
        self._spool = Spool()
        self._orphans: Iterator[Request] = iter(())
        self._markers: list[threading.Event] = []
        self._attempt, self._retry_at_s = 0, 0.0
        self._full_since_s = 0.0
        self._warned: set[str] = set()
        self._exiting = self._only_spool = False

    # --- the training's side ---------------------------------------------------------------------

    def put(self, record: Record) -> None:
        """Queue a plain record; a full queue is waited for up to 5 s, then the record is dropped
        and counted."""
        queue = self._queue
        if len(queue) >= MOST_RECORDS and not self._room():
            if record.channel is not None:
                record.channel.n_dropped += 1
            return
        queue.append(record)
        if self._thread is None:
            self._start()
        if len(queue) > WAKE_RECORDS and not self._wake.is_set():
            self._wake.set()

    def put_heavy(self, record: Record, size: int) -> None:
        """Queue a record that counts for `size` plain points."""
        if self._heavy + size > MOST_WEIGHT and not self._room():
            if record.channel is not None:
                record.channel.n_dropped += 1
            return
        with self._lock:
            self._heavy += size
        self.put(record)

    def watch(self, channel: Channel) -> None:
        """Send heartbeats for the channel's run until `forget`."""
        channel.beats, channel.answered_at_s = True, time.monotonic()
        self._channels[channel] = None
        self._start()

    def forget(self, channel: Channel) -> None:
        """The run has ended: no more heartbeats."""
        channel.beats, channel.on_cancel = False, None
        self._channels.pop(channel, None)

    def flush(self, timeout_s: float = 300.0) -> bool:
        """Wait until all that was put before has arrived; False when it has not in time."""
        if self._thread is None or self._thread is threading.current_thread():
            return not self._queue
        done = threading.Event()
        self._queue.append(Marker(None, done))
        self._wake.set()
        return done.wait(timeout_s)

    @property
    def n_spooled(self) -> int:
        """Requests that wait on disk."""
        return self._spool.n_records

    def _room(self) -> bool:
        """Wait for the sender to make room: briefly, and not again while it makes no progress."""
        if self._thread is None or self._thread is threading.current_thread():
            return False
        since_s = self._full_since_s = self._full_since_s or time.monotonic()
        self._wake.set()
        while time.monotonic() < since_s + FULL_S:
            if len(self._queue) < MOST_RECORDS and self._heavy < MOST_WEIGHT:
                self._full_since_s = 0.0
                return True
            time.sleep(0.002)
        return False

    def _start(self) -> None:
        with self._lock:
            if self._thread is not None or self._exiting:
                return
            self._thread = threading.Thread(target=self._run, name="studio-sender", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:  # the interpreter is shutting down: close() sends what is left
                self._thread = None
                return
        _flush_at_exit_of_multiprocessing()

    # --- the sender's side -----------------------------------------------------------------------

    def _run(self) -> None:
        self._orphans = self._send_orphans()
        while not self._exiting or self._queue or self._markers:
            if len(self._queue) < WAKE_RECORDS:
                self._wake.wait(TURN_S)
            self._wake.clear()
            self._guarded(self._turn)

    def _guarded(self, work: Any) -> None:
        """Training must not notice a defect here: it is told once, the thread goes on."""
        try:
            work()
        except Exception as problem:
            self._warn(f"sender:{type(problem).__name__}", f"sender: {problem!r}")

    def _turn(self) -> None:
        records = self._drain()
        self._markers += [record.done for record in records if type(record) is Marker]
        for channel, request in pack(records):
            self._deliver(channel, request)
        self._replay()
        self._beat()
        self._spare_time()
        if not self._spool.n_records or self._only_spool:
            self._release()

    def _drain(self) -> list[Record]:
        queue, records, heavy = self._queue, [], 0
        for _ in range(min(len(queue), TURN_RECORDS)):
            record = queue.popleft()
            records.append(record)
            heavy += record_weight(record)
        if heavy:
            with self._lock:
                self._heavy = max(0, self._heavy - heavy)
        self._full_since_s = 0.0
        return records

    def _deliver(self, channel: Channel, request: Request) -> None:
        """Send now when the way is free, else keep it on disk behind what waits there."""
        if channel.gone:
            return
        if (
            self._spool.n_records
            or self._away()
            or not self._send(channel.client, request, channel)
        ):
            self._keep(channel, request)

    def _away(self) -> bool:
        return self._only_spool or time.monotonic() < self._retry_at_s

    def _keep(self, channel: Channel, request: Request) -> None:
        try:
            self._spool.append(request)
            self._senders[request.url, request.workspace, channel.uid] = channel
        except OSError as problem:
            self._count_dropped(channel, request)
            self._warn("spool", f"the studio is away and the disk refuses ({problem}): dropping")

    def _replay(self) -> None:
        if not self._spool.n_records or self._away():
            return
        for request in self._spool.pending():
            key = (request.url, request.workspace, _uid_in(request.path))
            channel = self._senders.get(key)
            if channel is None or channel.gone:
                continue
            if not self._send(channel.client, request, channel):
                return

    def _send(self, client: Client, request: Request, channel: Channel | None) -> bool:
        """One try. True: done with it (stored, or refused for good); False: try again later."""
        try:
            answer = client.send(request.method, request.path, body=request.body, read_s=SEND_S)
        except OSError as problem:
            return self._failed(f"no answer from {client.url}: {problem}", None)
        if answer.status < 400:
            self._attempt = 0
            if channel is not None:
                self._answered(channel, _json(answer.data))
            return True
        error = service_error(answer.status, _json(answer.data))
        if error.code == "log_gap" and channel is not None:
            return self._mend_gap(channel, request, int(error.extra.get("size", 0)))
        if answer.status in RETRIED or answer.status == 401:
            return self._failed(str(error), answer.headers.get("Retry-After"))
        self._refused(request, channel, f"{answer.status} {error}")
        if channel is not None and answer.status in (404, 410):
            channel.gone = True
        return True

    def _failed(self, why: str, retry_after: str | None) -> bool:
        self._retry_at_s = time.monotonic() + retry_delay_s(self._attempt, retry_after)
        self._attempt += 1
        self._warn("away", f"{why}; records are kept on disk and sent later")
        if self._exiting:
            self._only_spool = True
        return False

    def _mend_gap(self, channel: Channel, request: Request, size: int) -> bool:
        """The studio lost the end of a log: go on where it ends."""
        path = request.path.partition("?offset=")[0]
        moved = channel.request(f"{path}?offset={size}", request.body)
        channel.log_sizes[path.partition("/logs/")[2]] = size + len(request.body)
        return self._send(channel.client, moved, None)

    def _refused(self, request: Request, channel: Channel | None, why: str) -> None:
        """Never retried: kept in a dead-letter file for a person to look at."""
        self._warn(f"refused:{why[:40]}", f"the studio refused {request.path}: {why}")
        if channel is not None:
            self._count_dropped(channel, request)
        dead_letter(request, why)

    def _count_dropped(self, channel: Channel, request: Request) -> None:
        channel.n_dropped += max(1, request.n_points)
        self._channels.setdefault(channel, None)

    def _answered(self, channel: Channel, answer: Any) -> None:
        channel.answered_at_s = time.monotonic()
        cancel = answer.get("cancel") if isinstance(answer, dict) else None
        if isinstance(cancel, dict) and channel.on_cancel is not None:
            notify, channel.on_cancel = channel.on_cancel, None
            notify(cancel)

    def _beat(self) -> None:
        """Heartbeats of runs that had no answer for 20 s, or that have drops to tell."""
        for channel in list(self._channels):
            silent_s = time.monotonic() - channel.answered_at_s
            news = channel.n_dropped > channel.n_dropped_told
            due = channel.beats and silent_s >= BEAT_S
            if channel.gone or self._away() or not (due or (news and silent_s > 1.0)):
                continue
            n_dropped = channel.n_dropped
            body = json.dumps({"n_dropped": n_dropped} if n_dropped else {}).encode()
            if self._send(
                channel.client, channel.request(channel.path("heartbeat"), body), channel
            ):
                channel.n_dropped_told = max(n_dropped, channel.n_dropped_told)

    def _release(self) -> None:
        waiting, self._markers = self._markers, []
        for done in waiting:
            done.set()

    def _warn(self, key: str, text: str) -> None:
        if key not in self._warned:
            self._warned.add(key)
            log.warning("studio: %s", text)

    def _spare_time(self) -> None:
        """Send what dead processes left behind, a second at a time."""
        end_s = time.monotonic() + 1.0
        while not self._exiting and not self._away() and time.monotonic() < end_s:
            if next(self._orphans, None) is None:
                return

    def _send_orphans(self) -> Iterator[Request]:
        """One request after another of dead processes, for runs of the same workspace."""
        if os.environ.get("STUDIO_RUN_ID"):
            return  # the token of a submitted run may not speak for other runs
        clients = {(c.client.url, c.client.workspace): c.client for c in self._channels}
        for spool in orphans():
            for request in spool.pending():
                client = clients.get((request.url, request.workspace))
                if client is None or not self._send(client, request, None):
                    break
                yield request
            spool.close()

    # --- the ends --------------------------------------------------------------------------------

    def close(self) -> None:
        """Send everything, at most 14 s; keep the rest on disk, at most 16 s more."""
        if self._thread is not None:
            self._exiting, self._retry_at_s = True, 0.0
            self.flush(EXIT_FLUSH_S)
            self._only_spool = True
            self._wake.set()
            self._thread.join(EXIT_DRAIN_S)
        if self._queue and (self._thread is None or not self._thread.is_alive()):
            self._only_spool = True
            self._guarded(self._turn)
        if self._spool.n_records:
            text = "%d requests wait in %s; `studio sync` sends them"
            log.warning("studio: " + text, self._spool.n_records, self._spool.path)
        self._spool.close()
        self._thread, self._exiting, self._only_spool = None, False, False

    def after_fork(self) -> None:
        """In the child: forget the parent's records, thread and spool."""
        for channel in self._channels:
            channel.beats = False
        self._spool.abandon()
        self._reset()


def record_weight(record: Record) -> int:
    """The weight with which a record was counted by put_heavy; 0 for plain ones."""
    if type(record) is Point:
        return 0 if record.kind == "scalar" else weight(record.value)
    data = getattr(record, "data", None) or getattr(getattr(record, "request", None), "body", b"")
    return 1 + len(data) // 50 if data else 0


def dead_letter(request: Request, why: str) -> None:
    """Append a refused request to `<pid>.dead` in the spool folder."""
    from studio.sdk.spool import folder

    try:
        with (folder() / f"{os.getpid()}.dead").open("ab") as file:
            file.write(json.dumps({"why": why}).encode() + b"\n" + request.pack() + b"\n")
    except OSError as problem:
        log.warning("studio: a refused request could not be kept: %s", problem)


def _uid_in(path: str) -> str:
    return path.split("/")[2] if path.startswith("/runs/") else ""


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None


def _flush_at_exit_of_multiprocessing() -> None:
    """Children of multiprocessing end without atexit; they run these finalizers instead."""
    multiprocessing_util = sys.modules.get("multiprocessing.util")
    if multiprocessing_util is not None:
        multiprocessing_util.Finalize(None, OUTBOX.close, exitpriority=10)


OUTBOX = Outbox()
atexit.register(lambda: OUTBOX.close())
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: OUTBOX.after_fork())

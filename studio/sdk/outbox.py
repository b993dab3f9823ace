"""The outbox: one bounded queue and one sender thread per process, between training and studio.

`put` never waits for the network and never raises. The sender packs records into batches whose
ids are fixed before the first send and hands them to the line to their studio (delivery.py), which
keeps them on disk while the studio is away. What cannot be kept is counted and reported with the
heartbeat. A forked child starts with an empty queue, its own thread and its own spool.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import math
import os
import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

from studio.sdk.client import Client
from studio.sdk.delivery import SEND_S, Line
from studio.sdk.records import BEAT_S, Channel, Marker, Point, Record, pack, weight
from studio.sdk.spool import Request, orphans

log = logging.getLogger("studio.sdk")

MOST_RECORDS = 200_000  # about 32 MB of plain points
MOST_WEIGHT = 600_000  # heavy values (texts, tables, log text) in units of 50 bytes: 30 MB
TURN_S = 0.5
TURN_RECORDS = 40_000
WAKE_RECORDS = 5_000
# How long put may wait for room before it drops: longer than a try to send, after which the queue
# goes to disk.
FULL_S = SEND_S + 2.0
SPARE_S = 1.0
ORPHANS_AGAIN_S = 60.0
EXIT_FLUSH_S, EXIT_DRAIN_S = 14.0, 16.0  # together the 30 s that an exit may take


class Outbox:
    """The queue and its sender."""

    def __init__(self) -> None:
        self._queue: deque[Record] = deque()
        self._reset()

    def _reset(self) -> None:
        self._queue.clear()
        self._heavy = 0
        # Reentrant parts only: an on_cancel hook may log from a signal handler.
        self._lock = threading.RLock()
        self._nudges: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._nudged = False
        self._thread: threading.Thread | None = None
        self._channels: dict[Channel, None] = {}  # runs whose heartbeat or drops are told
        self._lines: dict[str, Line] = {}
        self._clients: dict[tuple[str, str], Client] = {}  # by address and workspace
        self._orphans: Iterator[Request] = iter(())
        self._orphans_due_s = self._orphans_again_s = 0.0
        self._markers: list[Marker] = []
        self._full_since_s = 0.0
        self._exiting = False
        self._warned: set[str] = set()

    # --- the training's side ---------------------------------------------------------------------

    def put(self, record: Record) -> None:
        """Queue a plain record; for room in a full queue it waits up to 12 s, then the record is
        dropped and counted."""
        waiting = self._queue
        if len(waiting) >= MOST_RECORDS and not self._room():
            return self._drop(record)
        waiting.append(record)
        if self._thread is None:
            self._start()
        if len(waiting) > WAKE_RECORDS:
            self._nudge()

    def put_heavy(self, record: Record, size: int) -> None:
        """Queue a record that counts for `size` plain points."""
        if self._heavy + size > MOST_WEIGHT and not self._room():
            return self._drop(record)
        with self._lock:
            self._heavy += size
        self.put(record)

    def watch(self, channel: Channel) -> None:
        """Send heartbeats for the channel's run until `forget`."""
        channel.beats, channel.answered_at_s = True, time.monotonic()
        self._channels[channel] = None
        self._start()

    def forget(self, channel: Channel) -> None:
        """The run has ended: no more heartbeats, but one for drops that are not told yet."""
        channel.beats, channel.on_cancel, channel.monitor = False, None, None
        if channel.n_dropped <= channel.n_dropped_told:
            self._channels.pop(channel, None)

    def flush(self, timeout_s: float = 300.0, channel: Channel | None = None) -> bool:
        """Wait until all that was put before has arrived, or with a channel all that was put for
        the studio of its run: another studio may be away. False when it has not in time."""
        if self._thread is None or self._thread is threading.current_thread():
            return not self._queue
        done = threading.Event()
        self._queue.append(Marker(channel, done))
        self._nudge()
        return done.wait(timeout_s)

    def _drop(self, record: Record) -> None:
        if record.channel is not None:
            self.count_dropped(record.channel, 1)

    def count_dropped(self, channel: Channel, n: int) -> None:
        """Remember lost points; the next heartbeat tells them."""
        with self._lock:
            channel.count_dropped(n)
        self._channels.setdefault(channel, None)

    def _room(self) -> bool:
        """Wait for the sender to make room: briefly, and not again while it makes no progress."""
        if self._thread is None:
            self._start()
        if self._thread is threading.current_thread():
            return True  # nobody else makes room; its own warnings, in the log of the run, are few
        if self._thread is None:
            return False
        since_s = self._full_since_s = self._full_since_s or time.monotonic()
        self._nudge()
        while time.monotonic() < since_s + FULL_S:
            if len(self._queue) < MOST_RECORDS and self._heavy < MOST_WEIGHT:
                self._full_since_s = 0.0
                return True
            time.sleep(0.002)
        return False

    def _nudge(self) -> None:
        if not self._nudged:
            self._nudged = True
            self._nudges.put(None)

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
                with contextlib.suppress(queue.Empty):
                    self._nudges.get(timeout=TURN_S)
            self._nudged = False
            self._guarded(self._turn)

    def _guarded(self, work: Callable[[], None]) -> None:
        """Training must not notice a defect here: it is told once, the thread goes on."""
        try:
            work()
        except Exception as problem:
            if repr(problem) not in self._warned:
                self._warned.add(repr(problem))
                log.exception("studio: the sender failed")

    def _turn(self) -> None:
        self._sample()
        records = self._drain()
        self._markers += [record for record in records if type(record) is Marker]
        for channel, request in pack(records):
            self._line(channel).deliver(channel, request)
        for line in self._lines.values():
            # While the studio hangs, a try takes as long as a full queue is waited for.
            if not (line.hangs and len(self._queue) > WAKE_RECORDS):
                line.replay()
        self._beat()
        self._spare_time()
        self._tell_of_arrival()

    def _tell_of_arrival(self) -> None:
        """Wake those who wait for records of which none waits on disk any more."""
        late = {url for url, line in self._lines.items() if line.waits()}
        waiting, self._markers = self._markers, []
        for marker in waiting:
            if marker.channel.client.url in late if marker.channel else late:
                self._markers.append(marker)
            else:
                marker.done.set()

    def _sample(self) -> None:
        """Samples of the machine that are due; they may never crowd out what the training logs."""
        for channel in list(self._channels):
            if channel.monitor is not None and len(self._queue) < WAKE_RECORDS:
                self._queue.extend(channel.monitor.points(channel))

    def _drain(self) -> list[Record]:
        waiting, records, heavy = self._queue, [], 0
        for _ in range(min(len(waiting), TURN_RECORDS)):
            record = waiting.popleft()
            records.append(record)
            heavy += record_weight(record)
        if heavy:
            with self._lock:
                self._heavy = max(0, self._heavy - heavy)
        self._full_since_s = 0.0
        return records

    def _line(self, channel: Channel) -> Line:
        url = channel.client.url
        self._clients[url, channel.client.workspace] = channel.client
        if url not in self._lines:
            self._lines[url] = Line(url, self.count_dropped)
            self._lines[url].exiting = self._exiting
        return self._lines[url]

    def _beat(self) -> None:
        """Heartbeats of runs that had no answer for 20 s, or that have drops to tell."""
        for channel in list(self._channels):
            line = self._line(channel)
            silent_s = time.monotonic() - channel.answered_at_s
            news = channel.n_dropped > channel.n_dropped_told
            due = channel.beats and silent_s >= BEAT_S
            soon = silent_s > 1.0 or self._exiting
            if channel.gone or line.away() or not (due or (news and soon)):
                continue
            n_dropped = channel.n_dropped
            if line.send(channel.client, channel.heartbeat(), channel):
                channel.n_dropped_told = max(n_dropped, channel.n_dropped_told)

    def _spare_time(self) -> None:
        """Send what dead processes left behind, a second at a time."""
        end_s = time.monotonic() + SPARE_S
        while (
            self._clients and not self._exiting and self._orphans_due_s < time.monotonic() < end_s
        ):
            if next(self._orphans, None) is None:
                self._orphans = self._send_orphans()
                self._orphans_due_s = self._orphans_again_s
                return

    def _send_orphans(self) -> Iterator[Request]:
        """One request after another of dead processes, for workspaces that this one writes to."""
        self._orphans_again_s = math.inf
        if os.environ.get("STUDIO_RUN_ID"):
            return  # the token of a submitted run may not speak for other runs
        for spool in orphans():
            for request in spool.pending():
                client = self._clients.get((request.url, request.workspace))
                if client is None:
                    break
                line = self._lines[client.url]
                if line.away() or not line.send(client, request, None):
                    self._orphans_again_s = time.monotonic() + ORPHANS_AGAIN_S
                    break
                yield request
            spool.close()

    # --- the ends --------------------------------------------------------------------------------

    def close(self) -> None:
        """Send everything, at most 14 s; keep the rest on disk, at most 16 s more."""
        self._exiting = True
        for line in list(self._lines.values()):
            line.exiting = True
            line.try_now()
        if self._thread is not None:
            self.flush(EXIT_FLUSH_S)
            for line in list(self._lines.values()):
                line.only_spool = True
            self._nudge()
            self._thread.join(EXIT_DRAIN_S)
        if self._queue and (self._thread is None or not self._thread.is_alive()):
            self._guarded(self._turn)
        self._guarded(self._keep_counts)
        for line in self._lines.values():
            if line.spool.n_records:
                text = "%d requests wait in %s; studio.sdk.sync sends them"
                log.warning("studio: " + text, line.spool.n_records, line.spool.path)
            line.spool.close()
            line.exiting = line.only_spool = False
        self._thread, self._exiting = None, False

    def _keep_counts(self) -> None:
        """What was dropped and is not told is kept on disk too: nobody else knows it."""
        for channel in list(self._channels):
            if channel.n_dropped > channel.n_dropped_told and not channel.gone:
                channel.n_dropped_told = channel.n_dropped
                self._line(channel).keep(channel, channel.heartbeat(), must_fit=True)

    def after_fork(self) -> None:
        """In the child: forget the parent's records, thread and spool."""
        for channel in self._channels:
            channel.beats, channel.monitor = False, None
        for line in self._lines.values():
            line.spool.abandon()
        self._reset()


def record_weight(record: Record) -> int:
    """The weight with which a record was counted by put_heavy; 0 for plain ones."""
    if type(record) is Point:
        return 0 if record.kind == "scalar" else weight(record.value)
    data = getattr(record, "data", None) or getattr(getattr(record, "request", None), "body", b"")
    return 1 + len(data) // 50 if data else 0


def _flush_at_exit_of_multiprocessing() -> None:
    """Children of multiprocessing end without atexit; they run these finalizers instead."""
    multiprocessing_util = sys.modules.get("multiprocessing.util")
    if multiprocessing_util is not None:
        multiprocessing_util.Finalize(None, OUTBOX.close, exitpriority=10)


OUTBOX = Outbox()
atexit.register(lambda: OUTBOX.close())
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: OUTBOX.after_fork())

"""The part of a worker that never sleeps long: beats, claims, delivers cancels, reaps.

It asks the database, so it works with the broker away; a ring through Celery only makes it look
sooner.
"""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable

import psutil
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

from studio.compute.actions import ensure_local_target
from studio.compute.models import LOCAL_TARGET, Job, Target, Worker
from studio.execution.claims import claim_next
from studio.execution.reaper import reap
from studio.execution.recovery import recover
from studio.execution.supervisor import Supervisor
from studio.execution.upkeep import refresh_statistics
from studio.runs.models import Run

logger = logging.getLogger(__name__)

CLAIM_EVERY_S = 2.0
CANCEL_EVERY_S = 0.5
REAP_EVERY_S = 3.0
STATISTICS_EVERY_S = 600.0

_current: "Agent | None" = None


def current() -> "Agent | None":
    """The agent of this process, None in a process that is not a worker."""
    return _current


class NodeBusy(Exception):
    """Another live process already is this node."""


class Agent:
    """Serves one target with `n_slots` runs at a time, as node `node`."""

    def __init__(self, target_name: str, *, n_slots: int, node: str = "") -> None:
        self.target_name = target_name
        self.n_slots = n_slots
        self.node = node or f"{socket.gethostname()}-{target_name}"
        self.supervisors: dict[int, Supervisor] = {}
        self.lock = threading.Lock()
        self.ring = threading.Event()
        self.cancel_ring = threading.Event()
        self.stopping = threading.Event()
        self.threads: list[threading.Thread] = []
        self.worker: Worker

    def start(self) -> None:
        """Register, clear what an earlier start left behind, then begin to claim."""
        global _current
        self.worker = self._register()
        recover(self.node)
        _current = self
        loops: list[tuple[Callable[[], object], float, threading.Event]] = [
            (self.beat, settings.WORKER_BEAT_S, self.stopping),
            (self.claim, CLAIM_EVERY_S, self.ring),
            (self.deliver, CANCEL_EVERY_S, self.cancel_ring),
            (reap, REAP_EVERY_S, self.stopping),
            (refresh_statistics, STATISTICS_EVERY_S, self.stopping),
        ]
        for job, every_s, ring in loops:
            name = getattr(job, "__name__", "loop")
            thread = threading.Thread(
                target=self._loop, args=(job, every_s, ring), name=name, daemon=True
            )
            thread.start()
            self.threads.append(thread)

    def _register(self) -> Worker:
        if self.target_name == LOCAL_TARGET:
            target = ensure_local_target()
        else:
            target, _ = Target.objects.get_or_create(name=self.target_name)
        host = socket.gethostname()
        for other in Worker.objects.filter(node=self.node, stopped_at=None):
            if other.host == host and _is_alive(other):
                raise NodeBusy(
                    f"A worker called “{self.node}” already runs here (process {other.pid}). "
                    "Stop it, or start this one with --node and another name."
                )
            Worker.objects.filter(pk=other.pk).update(stopped_at=timezone.now())
        return Worker.objects.create(
            node=self.node,
            host=host,
            pid=os.getpid(),
            target=target,
            n_slots=self.n_slots,
            version=settings.STUDIO_VERSION,
            facts=machine_facts(),
        )

    def _loop(self, job: Callable[[], object], every_s: float, ring: threading.Event) -> None:
        while not self.stopping.is_set():
            try:
                job()
            except (DatabaseError, InterfaceError) as error:
                # The database is away or locked: running processes go on, we try again.
                logger.warning("agent loop=%s error=%s", getattr(job, "__name__", "?"), error)
                connection.close()
            except Exception:
                # One bad row must not end the loop that keeps all other runs truthful.
                logger.exception("agent loop=%s failed", getattr(job, "__name__", "?"))
            ring.wait(every_s)
            if ring is not self.stopping:
                ring.clear()
        connection.close()

    # ------------------------------------------------------------ the loops
    def beat(self) -> None:
        """Say that this worker and the runs it holds are alive (3 queries)."""
        now = timezone.now()
        held = self._held()
        Worker.objects.filter(pk=self.worker.pk).update(
            last_seen_at=now, n_active=len(held), stopped_at=None
        )
        leases = [supervisor.claim.lease for supervisor in held.values()]
        if leases:
            Job.objects.open().filter(lease__in=leases).update(beat_at=now)
            Run.objects.filter(job__lease__in=leases, job__closed_at=None).update(last_beat_at=now)

    def claim(self) -> None:
        """Fill the free slots."""
        while not self.stopping.is_set() and len(self._held()) < self.n_slots:
            if not Target.objects.filter(pk=self.worker.target_id, is_enabled=True).exists():
                return
            claim = claim_next(self.worker)
            if claim is None:
                return
            supervisor = Supervisor(claim, on_end=self._ended)
            with self.lock:
                self.supervisors[claim.job.pk] = supervisor
            supervisor.start()

    def deliver(self) -> None:
        """Hand cancel requests to the runs held here; let go of those another worker holds now."""
        held = self._held()
        if not held:
            return
        rows = Job.objects.filter(pk__in=held).values_list(
            "pk", "lease", "closed_at", "cancel_requested_at", "kill_requested_at"
        )
        for pk, lease, closed_at, cancel_at, kill_at in rows:
            supervisor = held[pk]
            if lease != supervisor.claim.lease or closed_at is not None:
                supervisor.abandon()
            elif kill_at is not None:
                supervisor.kill()
            elif cancel_at is not None:
                supervisor.cancel()

    # ------------------------------------------------------------ called by others
    def wake(self) -> None:
        self.ring.set()

    def wake_cancel(self) -> None:
        self.cancel_ring.set()

    def stop(self, *, timeout_s: float = 20.0) -> None:
        """End every run held here and sign off; returns when all is written or time is up."""
        global _current
        self.stopping.set()
        self.ring.set()
        self.cancel_ring.set()
        held = self._held()
        for supervisor in held.values():
            supervisor.stop()
        deadline = time.monotonic() + timeout_s
        for supervisor in held.values():
            supervisor.join(max(0.1, deadline - time.monotonic()))
        for thread in self.threads:
            thread.join(max(0.1, deadline - time.monotonic()))
        Worker.objects.filter(pk=self.worker.pk).update(stopped_at=timezone.now(), n_active=0)
        _current = None

    def _held(self) -> dict[int, Supervisor]:
        with self.lock:
            return dict(self.supervisors)

    def _ended(self, supervisor: Supervisor) -> None:
        with self.lock:
            self.supervisors.pop(supervisor.claim.job.pk, None)
        self.ring.set()


def _is_alive(other: Worker) -> bool:
    """Whether the process that registered as `other` still runs (not merely its number)."""
    try:
        process = psutil.Process(other.pid)
        began_before = process.create_time() <= other.started_at.timestamp() + 1
        return bool(began_before and process.is_running())
    except psutil.Error:
        return False


def machine_facts() -> dict[str, object]:
    """What the Compute page says of a worker's machine."""
    return {
        "n_cpus": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "python": ".".join(map(str, os.sys.version_info[:3])),  # type: ignore[attr-defined]
    }

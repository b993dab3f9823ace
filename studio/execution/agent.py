"""The part of a worker that never sleeps long: beats, claims, delivers cancels, reaps.

It asks the database, so it works with the broker away; a ring through Celery only makes it look
sooner.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.db.models.functions import Now
from django.utils import timezone

from studio.compute.doorbell import ring_expiry, ring_rules, ring_sweep
from studio.compute.launcher import AdoptedGuard
from studio.compute.models import Job, Worker
from studio.execution.claims import Claim, claim_next
from studio.execution.clearing import end_closed
from studio.execution.machine import Machine
from studio.execution.reaper import reap
from studio.execution.recovery import leftovers, recover_job, take_up
from studio.execution.registering import register
from studio.execution.supervisor import Supervisor
from studio.execution.upkeep import refresh_statistics, tell_news
from studio.logbook import about_run
from studio.runs.lifecycle import beat
from studio.runs.models import Run
from studio.runs.status import Status
from studio.work.running import ring_forgotten

logger = logging.getLogger(__name__)

CLAIM_EVERY_S = 2.0
CANCEL_EVERY_S = 0.5
REAP_EVERY_S = 3.0
STATISTICS_EVERY_S = 600.0
FORGOTTEN_EVERY_S = 5.0
EXPIRE_EVERY_S = 3_600.0
SWEEP_EVERY_S = 86_400.0
NEWS_EVERY_S = 1.0
RULES_EVERY_S = 15.0

_current: "Agent | None" = None


def current() -> "Agent | None":
    """The agent of this process, None in a process that is not a worker."""
    return _current


def beat_runs(leases: Collection[str]) -> None:
    """Say that the runs of these open jobs are alive (3 queries)."""
    Job.objects.open().filter(lease__in=leases).update(beat_at=Now())
    runs = Run.objects.filter(job__lease__in=leases, job__closed_at=None)
    runs.update(last_beat_at=Now())
    for run in runs.filter(status=Status.NOT_RESPONDING):
        beat(run)


class Agent:
    """Serves one target with `n_slots` runs at a time, as node `node`."""

    def __init__(self, target_name: str, *, n_slots: int, node: str = "") -> None:
        self.target_name = target_name
        self.n_slots = n_slots
        # "": made up when it registers, so that no other host is called so.
        self.node = node
        # By lease: a job that was given back may be held here again while its first attempt ends.
        self.supervisors: dict[str, Supervisor] = {}
        # Taken by the handler of SIGHUP too, in the midst of whatever the main thread does.
        self.lock = threading.RLock()
        # Held from the claim until its supervisor is known: till then it looks left behind.
        self.claiming = threading.Lock()
        self.ring = threading.Event()
        self.cancel_ring = threading.Event()
        self.stopping = threading.Event()
        self.hands_over = False
        self.threads: list[threading.Thread] = []
        self.machine = Machine(Path(settings.STUDIO_RUNS_DIR))
        self.worker: Worker

    def start(self) -> None:
        """Register, clear what an earlier start left behind, then begin to claim."""
        global _current
        self.worker = register(self.target_name, n_slots=self.n_slots, node=self.node)
        self.node = self.worker.node
        _current = self
        self._start_loop(self.machine.look, settings.WORKER_BEAT_S, self.stopping)
        self._start_loop(self.beat, settings.WORKER_BEAT_S, self.stopping)
        self._once(self.recover)
        self._once(self.clear)
        self._start_loop(self.claim, CLAIM_EVERY_S, self.ring)
        self._start_loop(self.deliver, CANCEL_EVERY_S, self.cancel_ring)
        self._start_loop(self.recover, REAP_EVERY_S, self.stopping)
        self._start_loop(reap, REAP_EVERY_S, self.stopping)
        self._start_loop(refresh_statistics, STATISTICS_EVERY_S, self.stopping)
        self._start_loop(ring_forgotten, FORGOTTEN_EVERY_S, self.stopping)
        self._start_loop(ring_expiry, EXPIRE_EVERY_S, self.stopping)
        self._start_loop(ring_sweep, SWEEP_EVERY_S, self.stopping)
        self._start_loop(tell_news, NEWS_EVERY_S, self.stopping)
        self._start_loop(ring_rules, RULES_EVERY_S, self.stopping)

    def _start_loop(self, job: Callable[[], object], every_s: float, ring: threading.Event) -> None:
        name = getattr(job, "__name__", "loop")
        thread = threading.Thread(
            target=self._loop, args=(job, every_s, ring), name=name, daemon=True
        )
        thread.start()
        self.threads.append(thread)

    def _loop(self, job: Callable[[], object], every_s: float, ring: threading.Event) -> None:
        while not self.stopping.is_set():
            self._once(job)
            ring.wait(every_s)
            if ring is not self.stopping:
                ring.clear()
        connection.close()

    def _once(self, job: Callable[[], object]) -> None:
        try:
            job()
        except (DatabaseError, InterfaceError) as error:
            # The database is away or locked: running processes go on, we try again.
            logger.warning("agent loop=%s error=%s", getattr(job, "__name__", "?"), error)
            connection.close()
        except Exception:
            # One bad row must not end the loop that keeps all other runs truthful.
            logger.exception("agent loop=%s failed", getattr(job, "__name__", "?"))

    # ------------------------------------------------------------ the loops
    def beat(self) -> None:
        """Say that this worker and the runs it holds are alive, and how its machine is
        (4 queries)."""
        leases = list(self._held())
        facts = self.machine.facts
        known = Worker.objects.filter(pk=self.worker.pk).update(
            last_seen_at=Now(), n_active=len(leases), stopped_at=None, was_lost=False, facts=facts
        )
        if not known:
            logger.error("the target of this worker was deleted: it serves nothing, start it anew")
        if leases:
            beat_runs(leases)

    def recover(self) -> None:
        """Take up, end or queue again the jobs of this node that nobody here supervises: an earlier
        start handed them over or left them behind, or their supervisor failed."""
        with self.claiming:
            claims = leftovers(self.node, held=set(self._held()))
        # First what goes on: to see that something else ended may take a while.
        for how in (take_up, recover_job):
            for claim in claims:
                if not self.stopping.is_set() and claim.lease not in self._held():
                    self._once(partial(self._recover_one, claim, how))

    def _recover_one(self, claim: Claim, how: Callable[[Claim], AdoptedGuard | None]) -> None:
        with about_run(claim.run.uid):
            guard = how(claim)
        if guard is not None:
            logger.warning("taking up run=%s", claim.run.uid)
            # Now, not with the next beat: it was silent for as long as nobody held it.
            self._once(partial(beat_runs, [claim.lease]))
            self._supervise(Supervisor(claim, on_end=self._ended, guard=guard))

    def clear(self) -> None:
        """End what is left here of runs that were closed while this node had no worker."""
        end_closed(self.node, held=set(self._held()))

    def claim(self) -> None:
        """Fill the free slots."""
        while not self.stopping.is_set() and len(self._held()) < self.n_slots:
            if not self._claim_one():
                return

    def _claim_one(self) -> bool:
        with self.claiming:
            claim = claim_next(self.worker)
            if claim is None:
                return False
            self._supervise(Supervisor(claim, on_end=self._ended))
        return True

    def _supervise(self, supervisor: Supervisor) -> None:
        with self.lock:
            self.supervisors[supervisor.claim.lease] = supervisor
        if self.stopping.is_set():
            self._let_go(supervisor)
        supervisor.start()

    def deliver(self) -> None:
        """Hand cancel requests to the runs held here; let go of those another worker holds now."""
        held = self._held()
        if not held:
            return
        rows = Job.objects.open().filter(lease__in=list(held))
        asked = {
            lease: (cancel_at, kill_at)
            for lease, cancel_at, kill_at in rows.values_list(
                "lease", "cancel_requested_at", "kill_requested_at"
            )
        }
        for lease, supervisor in held.items():
            if lease not in asked:
                supervisor.abandon()
            elif asked[lease][1] is not None:
                supervisor.kill()
            elif asked[lease][0] is not None:
                supervisor.cancel()

    # ------------------------------------------------------------ called by others
    def wake(self) -> None:
        self.ring.set()

    def wake_cancel(self) -> None:
        self.cancel_ring.set()

    def begin_stop(self) -> None:
        """Claim nothing more and tell every run held here to end, or leave it to the next worker if
        this one hands over; returns at once."""
        self.stopping.set()
        self.ring.set()
        self.cancel_ring.set()
        for supervisor in self._held().values():
            self._let_go(supervisor)

    def begin_handover(self) -> None:
        """The same, but the runs go on: the next worker of this node takes them up."""
        self.hands_over = True
        self.begin_stop()

    def _let_go(self, supervisor: Supervisor) -> None:
        if self.hands_over:
            supervisor.leave()
        else:
            supervisor.stop()

    def stop(self, *, timeout_s: float = 15.0) -> bool:
        """End or hand over every run held here and sign off; False when not all was written in the
        time (the next start does it then)."""
        global _current
        self.begin_stop()
        deadline = time.monotonic() + timeout_s
        for thread in [*self.threads, *self._held().values()]:
            thread.join(max(0.1, deadline - time.monotonic()))
        _current = None
        if self._held():
            logger.warning("stopped before the ends of %d runs were written", len(self._held()))
            return False
        now = timezone.now()
        self._once(
            lambda: Worker.objects.filter(pk=self.worker.pk).update(stopped_at=now, n_active=0)
        )
        return True

    def _held(self) -> dict[str, Supervisor]:
        with self.lock:
            return dict(self.supervisors)

    def _ended(self, supervisor: Supervisor) -> None:
        with self.lock:
            self.supervisors.pop(supervisor.claim.lease, None)
        self.ring.set()

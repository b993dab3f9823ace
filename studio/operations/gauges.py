"""What `GET /metrics` tells of the whole studio, as it is now. Nothing here is asked of runs that
ended: the cost follows what goes on, not what there is."""

import time
from collections.abc import Iterable, Iterator

from django.db import connection
from django.db.models import Count
from django.utils import timezone
from prometheus_client import CollectorRegistry, generate_latest, multiprocess
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from studio.alerts.models import Delivery
from studio.compute.models import Job, Worker
from studio.counters import REGISTRY
from studio.operations.bounded import WITHIN_S, Question
from studio.operations.readiness import OK, readiness
from studio.runs.status import ACTIVE
from studio.work.models import OPEN

Families = list[GaugeMetricFamily]


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)


# Written out, each with the condition of the index that answers it, word for word: SQLite uses a
# partial index for an IN only when the list stands in the question itself.
COUNT = "SELECT {0}, COUNT(*) FROM {1} WHERE {0} IN ({2}) GROUP BY {0}"
UNSENT = "'waiting', 'sending'"
RUNS = COUNT.format("status", "runs_run", _listed(sorted(ACTIVE)))
WORK = COUNT.format("state", "work_work", _listed(sorted(OPEN)))
DELIVERIES = COUNT.format("state", "alerts_delivery", UNSENT)
OLDEST = f"SELECT * FROM alerts_delivery WHERE state IN ({UNSENT}) ORDER BY due_at, id LIMIT 1"  # noqa: S608


def counted(question: str) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(question)
        return dict(cursor.fetchall())


def gauges() -> Families:
    """Runs, queues, workers, background work and deliveries (6 queries, each answered by an index
    of what is not over, or by the short table of workers)."""
    return [runs(), queued(), *workers(), work(), *deliveries()]


def runs() -> GaugeMetricFamily:
    found = GaugeMetricFamily("studio_runs", "Runs that are not over.", labels=["status"])
    known = counted(RUNS)
    for status in sorted(ACTIVE):
        found.add_metric([status.value], known.get(status.value, 0))
    return found


def queued() -> GaugeMetricFamily:
    found = GaugeMetricFamily(
        "studio_queued_runs", "Runs that wait for a worker of a target.", labels=["target"]
    )
    waiting = Job.objects.waiting().order_by()
    rows = waiting.values_list("target__workspace__name", "target__name").annotate(n=Count("pk"))
    for workspace, target, n in rows:
        found.add_metric([_target(workspace, target)], n)
    return found


def workers() -> Families:
    alive = GaugeMetricFamily("studio_workers", "Workers.", labels=["target", "state"])
    slots = GaugeMetricFamily("studio_worker_slots", "Runs workers can hold.", labels=["target"])
    counts: dict[tuple[str, str], int] = {}
    room: dict[str, int] = {}
    for worker in Worker.objects.seen_lately().select_related("target__workspace"):
        of = worker.target.workspace
        target = _target(of.name if of else None, worker.target.name)
        if worker.is_live:
            state = "draining" if worker.is_draining else "alive"
            room[target] = room.get(target, 0) + worker.n_slots
        elif worker.is_lost:
            state = "lost"
        else:
            continue
        counts[target, state] = counts.get((target, state), 0) + 1
    for (target, state), n in sorted(counts.items()):
        alive.add_metric([target, state], n)
    for target, n in sorted(room.items()):
        slots.add_metric([target], n)
    return [alive, slots]


def work() -> GaugeMetricFamily:
    found = GaugeMetricFamily("studio_work", "Background work not over.", labels=["state"])
    known = counted(WORK)
    for state in sorted(OPEN):
        found.add_metric([state.value], known.get(state.value, 0))
    return found


def deliveries() -> Families:
    late = GaugeMetricFamily("studio_deliveries_late_seconds", "Age of the oldest message due.")
    found = GaugeMetricFamily("studio_deliveries", "Messages of alerts not sent yet.")
    now = timezone.now()
    found.add_metric([], sum(counted(DELIVERIES).values()))
    oldest = min((one.due_at for one in Delivery.objects.raw(OLDEST)), default=now)
    late.add_metric([], max(0.0, (now - oldest).total_seconds()))
    return [found, late]


def _target(workspace: str | None, name: str) -> str:
    return f"{workspace}/{name}" if workspace else name


QUESTION = Question("gauges", gauges)


class Now(Collector):
    """The gauges, or none of them where the database does not answer in time; and which part of the
    studio answers."""

    def collect(self) -> Iterable[GaugeMetricFamily]:
        yield from self._parts()
        QUESTION.begin()
        yield from QUESTION.wait(time.monotonic() + WITHIN_S) or []

    def _parts(self) -> Iterator[GaugeMetricFamily]:
        parts = GaugeMetricFamily("studio_part_ok", "1: the part answers.", labels=["part"])
        for name, told in readiness().items():
            parts.add_metric([name], told == OK)
        yield parts


def exposition(*, shared_folder: str) -> bytes:
    """All that Prometheus reads, as its text; the counts of every process that shares the folder,
    or those of this one."""
    registry = CollectorRegistry()
    registry.register(Now())
    text = generate_latest(registry)
    if not shared_folder:
        return text + generate_latest(REGISTRY)
    everybody = CollectorRegistry()
    multiprocess.MultiProcessCollector(everybody, path=shared_folder)  # type: ignore[no-untyped-call]
    return text + generate_latest(everybody)

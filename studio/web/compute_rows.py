"""The rows of the page Compute: each target with its workers and the workspace's runs on it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from operator import or_

from django.db.models import Count, Min, Q
from django.utils import timezone

from studio.accounts.models import Workspace
from studio.compute.models import Job, Target, Worker
from studio.custom_views.state import FLAT, ViewState
from studio.runs.models import Run
from studio.runs.status import ACTIVE, Status
from studio.search.printer import print_query
from studio.search.tree import Key, Op, Term, all_of, any_of, negate

MAX_TARGETS = 100
MAX_RUNS = 20
MAX_WORKERS = 500
# In the order of a run's life.
UNFINISHED = {
    "active": tuple(status for status in Status if status in ACTIVE - {Status.QUEUED}),
    "queued": (Status.QUEUED,),
}
IS_ARCHIVED = Term(Key("is"), Op.EQ, ("archived",))


@dataclass(frozen=True, slots=True)
class Cut:
    """A kind of unfinished runs, not all of which are shown: `n` of them in all, and the query of
    the list that shows them."""

    kind: str
    n: int
    query: str


@dataclass(slots=True)
class TargetRow:
    """`workers`: live ones first, then those gone for less than an hour. `active`, `queued`: the
    oldest unfinished runs of this workspace, at most MAX_RUNS each; `n_active`, `n_queued`: all of
    them; `n_archived`: how many of these are archived; `queued_at`: since when the oldest waits.
    `command`: starts a worker."""

    target: Target
    command: str
    workers: list[Worker] = field(default_factory=list)
    active: list[Run] = field(default_factory=list)
    queued: list[Run] = field(default_factory=list)
    n_active: int = 0
    n_queued: int = 0
    n_archived: int = 0
    queued_at: datetime | None = None

    @property
    def runs(self) -> list[Run]:
        return [*self.active, *self.queued]

    @property
    def cuts(self) -> list[Cut]:
        shown = (("active", self.n_active, self.active), ("queued", self.n_queued, self.queued))
        return [Cut(kind, n, self._query(kind)) for kind, n, runs in shown if n > len(runs)]

    def _query(self, kind: str) -> str:
        terms = [
            Term(Key("target"), Op.EQ, (self.target.name,)),
            Term(Key("status"), Op.EQ, UNFINISHED[kind]),
        ]
        # Lists leave archived runs out, unless they are asked for.
        every = [any_of([IS_ARCHIVED, negate(IS_ARCHIVED)])] if self.n_archived else []
        return ViewState(q=print_query(all_of([*terms, *every])), children=FLAT).to_query()

    @property
    def waited_s(self) -> float | None:
        """For how long the oldest queued run waits."""
        return (timezone.now() - self.queued_at).total_seconds() if self.queued_at else None

    @property
    def serving(self) -> list[Worker]:
        return [worker for worker in self.workers if worker.is_live and not worker.is_draining]

    @property
    def live(self) -> list[Worker]:
        return [worker for worker in self.workers if worker.is_live]


def target_rows(workspace: Workspace) -> list[TargetRow]:
    """The targets that the workspace may use, by name (4 queries, whatever their number)."""
    targets = Target.objects.usable_in(workspace)[:MAX_TARGETS]
    rows = {one.pk: TargetRow(one, command_of(one, workspace)) for one in targets}
    for worker in _workers(rows):
        rows[worker.target_id].workers.append(worker)
    unfinished = Run.objects.of(workspace).active().filter(target__in=list(rows)).order_by()
    counts = unfinished.values_list("target", "status").annotate(
        Count("id"), Min("status_at"), Count("archived_at")
    )
    for pk, status, n, since, n_archived in counts:
        rows[pk].n_archived += n_archived
        if status == Status.QUEUED:
            rows[pk].n_queued, rows[pk].queued_at = n, since
        else:
            rows[pk].n_active += n
    for run in _oldest(workspace, rows):
        row = rows[run.target_id or 0]
        (row.queued if run.status == Status.QUEUED else row.active).append(run)
    return list(rows.values())


def command_of(target: Target, workspace: Workspace) -> str:
    return f"manage.py worker --target {target.address_in(workspace)}"


def _workers(target_ids: Iterable[int]) -> list[Worker]:
    """Of each node the newest start; the live ones first, by name (1 query)."""
    found = Worker.objects.seen_lately().filter(target__in=list(target_ids))
    newest: dict[tuple[int, str], Worker] = {}
    for worker in found[:MAX_WORKERS]:
        newest.setdefault((worker.target_id, worker.node), worker)
    return sorted(newest.values(), key=lambda worker: (not worker.is_live, worker.node))


def _oldest(workspace: Workspace, target_ids: Iterable[int]) -> list[Run]:
    """The oldest active and queued runs of each target, MAX_RUNS of each kind (1 query, through the
    jobs: their indexes hold those that wait, and those that are held, and no others)."""
    mine = {"run__workspace": workspace, "run__deleted_at": None}
    kinds = (Job.objects.held().order_by("pk"), Job.objects.waiting())
    parts = [
        Q(job__in=jobs.filter(target=pk, **mine).values("pk")[:MAX_RUNS])
        for pk in target_ids
        for jobs in kinds
    ]
    if not parts:
        return []
    runs = Run.objects.of(workspace).active().filter(reduce(or_, parts))
    return list(runs.select_related("workspace", "experiment", "submitter").order_by("pk"))

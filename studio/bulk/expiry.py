"""The trash empties itself: what has lain there for TRASH_DAYS is purged."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from studio.accounts.models import Workspace
from studio.accounts.permissions import Actor, Permission, require
from studio.artifacts.purging import finish_removals, purge_runs
from studio.bulk.acting import piece_of
from studio.runs.models import Run
from studio.runs.querysets import RunQuerySet
from studio.work.actions import AlreadyUnderWay, start_work
from studio.work.beats import Beat
from studio.work.kinds import Piece
from studio.work.models import Work

EXPIRE = "expire"
RUNS_PER_PIECE = 20


def start_expiry() -> list[Work]:
    """One work for each open workspace whose trash holds something old enough; none twice at a
    time."""
    limit = timezone.now() - timedelta(days=settings.TRASH_DAYS)
    due = Run.objects.in_trash().filter(deleted_at__lt=limit).order_by()
    started = []
    for room in Workspace.objects.open().filter(pk__in=due.values("workspace")).order_by("pk"):
        arguments = {"deleted_before": limit.isoformat()}
        by = Actor.system("trash")
        try:
            started.append(start_work(room, EXPIRE, arguments, by=by, once=f"{EXPIRE}:{room.pk}"))
        except AlreadyUnderWay:
            continue
    return started


class ExpiryKind:
    """The background work of `start_expiry`. What is still ending waits for the next time."""

    def count(self, work: Work) -> int:
        return self._due(work).count()

    def piece(self, work: Work, *, by: Actor) -> Piece:
        require(by, Permission.PURGE, work.workspace)
        runs = list(self._due(work).filter(pk__gt=work.cursor or 0)[:RUNS_PER_PIECE])
        outcome = purge_runs(work.workspace, runs, by=by)
        full = len(runs) == RUNS_PER_PIECE
        return piece_of(outcome, cursor=runs[-1].pk if full else None)

    def settle(self, work: Work) -> None:
        finish_removals(work.workspace, tick=Beat(work))

    def _due(self, work: Work) -> RunQuerySet:
        runs = Run.objects.filter(workspace=work.workspace).chosen_in_trash()
        return runs.filter(deleted_at__lt=work.arguments["deleted_before"]).order_by("pk")

"""Closing a workspace, and opening it again: for whoever runs the server. See docs/adr/0055."""

from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from studio.accounts.members import record
from studio.accounts.models import Workspace
from studio.accounts.permissions import Actor
from studio.accounts.sign_ins import record_sign_in
from studio.compute.models import Job
from studio.runs.actions import cancel_runs
from studio.runs.lifecycle import transition_many
from studio.runs.models import Run
from studio.runs.status import ACTIVE, Status
from studio.work.actions import cancel_work
from studio.work.models import Work

REASON = "The workspace was closed"
RUNS_AT_ONCE = 100


class WrongWorkspace(Exception):
    """What was asked for can't be done to this workspace; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Ending:
    """What closing ended: runs that were active, those of them whose processes are still ending on
    workers, background work that was open."""

    n_runs: int
    n_waiting: int
    n_works: int


def find_workspace(name: str) -> Workspace:
    """The workspace called `name`, closed or not (1 query). Raises WrongWorkspace."""
    found = Workspace.objects.filter(name=name).first()
    if found is None:
        raise WrongWorkspace(f"There is no workspace “{name[:80]}”.")
    return found


def close_workspace(workspace: Workspace, *, by: Actor) -> Ending:
    """Make the workspace as if it were not there, from the next request on, and end what goes on in
    it. Again ends what is left. Recorded here and for the whole studio."""
    with transaction.atomic():
        locked = Workspace.objects.select_for_update(no_key=True).get(pk=workspace.pk)
        if locked.closed_at is None:
            locked.closed_at, locked.closed_by = timezone.now(), by.name
            locked.save(update_fields=["closed_at", "closed_by"])
            record(locked, "closed", "", by=by, before="open", after="closed")
            record_sign_in("room-closed", name=locked.name, actor=by.name)
    workspace.refresh_from_db()
    return end_activity(workspace, by=by)


def reopen_workspace(workspace: Workspace, *, by: Actor) -> bool:
    """Bring everything back as it was, but for what closing ended; False for one that is open.
    Raises WrongWorkspace once its deletion has begun."""
    with transaction.atomic():
        locked = Workspace.objects.select_for_update(no_key=True).get(pk=workspace.pk)
        if locked.deletion_began_at is not None:
            raise WrongWorkspace(
                f"The deletion of “{locked.name}” has begun: a part of it is gone. Go on with"
                f" manage.py workspace delete {locked.name}."
            )
        if locked.closed_at is None:
            return False
        locked.closed_at = locked.closed_by = None
        locked.save(update_fields=["closed_at", "closed_by"])
        record(locked, "reopened", "", by=by, before="closed", after="open")
        record_sign_in("room-reopened", name=locked.name, actor=by.name)
    workspace.refresh_from_db()
    return True


def end_activity(workspace: Workspace, *, by: Actor) -> Ending:
    """Cancel the runs and the background work of a closed workspace. Programs that are no children
    of a worker hear of nothing any more, so their runs end at once."""
    works = list(Work.objects.of(workspace).open().select_related("workspace"))
    for work in works:
        cancel_work(work, by=by)
    active = Run.objects.filter(workspace=workspace).active()
    n_runs, last = active.count(), 0
    asked = active.filter(cancel_requested_at=None).order_by("pk")
    while part := list(asked.filter(pk__gt=last)[:RUNS_AT_ONCE]):
        cancel_runs(workspace, part, by=by, reason=REASON, children=False)
        last = part[-1].pk
    last = 0
    alone = active.filter(job=None).order_by("pk").values_list("pk", flat=True)
    while keys := list(alone.filter(pk__gt=last)[:RUNS_AT_ONCE]):
        transition_many(Run.objects.filter(pk__in=keys), Status.CANCELED, by=by, reason=REASON)
        last = keys[-1]
    return Ending(n_runs, still_ending(workspace).count(), len(works))


def still_ending(workspace: Workspace) -> QuerySet[Run]:
    """Runs that are not over, or whose process a worker still holds."""
    held = Q(job__in=Job.objects.held())
    return Run.objects.filter(held | Q(status__in=ACTIVE), workspace=workspace)

"""Archiving runs, putting them in the trash and taking them out. Child runs go along."""

from collections.abc import Callable, Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone

from studio.accounts.models import Workspace
from studio.accounts.permissions import Actor, Permission, require
from studio.runs.actions.cancelling import cancel_runs
from studio.runs.actions.rights import require_on
from studio.runs.families import (
    IDS_PER_QUERY,
    PARENT_DELETED,
    Family,
    families_of,
    locked,
    recount,
)
from studio.runs.history import Outcome, Refused, record_events
from studio.runs.models import Run

IS_ARCHIVED = "It is archived already"
NOT_ARCHIVED = "It is not archived"
IS_DELETED = "It is in the trash already"
NOT_DELETED = "It is not in the trash"
IS_ACTIVE = "It, or a child run of it, is not finished. Cancel it first, or choose to do both."
WENT_ALONG = "It went to the trash with a run above it. Restore that one."
# For one run, asking for what is so already is no mistake.
AS_ASKED = {IS_ARCHIVED, NOT_ARCHIVED, IS_DELETED, NOT_DELETED}


def archive_run(run: Run, *, by: Actor) -> Run:
    """Hide the run and those below it from lists; again changes nothing."""
    return _one(run, archive_runs(run.workspace, [run], by=_checked(by, run)))


def unarchive_run(run: Run, *, by: Actor) -> Run:
    """Show the run, and the archived runs below it, in lists again; again changes nothing."""
    return _one(run, unarchive_runs(run.workspace, [run], by=_checked(by, run)))


def delete_run(run: Run, *, by: Actor, cancel: bool = False) -> Run:
    """Put the run and those below it in the trash, where they can be restored from.

    cancel: cancel first what is not finished; without it such a run is Refused.
    """
    deleted = delete_runs(run.workspace, [run], by=_checked(by, run), cancel=cancel)
    return _one(run, deleted)


def restore_run(run: Run, *, by: Actor) -> Run:
    """Take the run out of the trash, with those that went there with it.

    Raises Refused for one that went along with a run above it, or whose parent is in the trash.
    """
    return _one(run, restore_runs(run.workspace, [run], by=_checked(by, run)))


def _checked(by: Actor, run: Run) -> Actor:
    """A run's own token reaches no further than that run: the first question for one run."""
    require_on(by, Permission.SEE, run)
    return by


def _one(run: Run, outcome: Outcome) -> Run:
    for _, reason in outcome.refused:
        if reason not in AS_ASKED:
            raise Refused(reason)
    run.refresh_from_db()
    return run


def archive_runs(workspace: Workspace, runs: Sequence[Run], *, by: Actor) -> Outcome:
    """As `archive_run`, for runs of one workspace; those archived already are left out."""
    require(by, Permission.ARCHIVE_RUN, workspace)
    outcome, now = Outcome(), timezone.now()
    with transaction.atomic():
        chosen = _sorted_out(
            locked(runs), outcome, why=lambda r: IS_ARCHIVED if r.archived_at else ""
        )
        below = Run.objects.of(workspace).listed()
        members = _members(families_of(chosen, among=below))
        _update(members, archived_at=now)
        _record(members, "archived", by=by, before=False, after=True)
    outcome.done = chosen
    return outcome


def unarchive_runs(workspace: Workspace, runs: Sequence[Run], *, by: Actor) -> Outcome:
    """As `unarchive_run`, for runs of one workspace."""
    require(by, Permission.ARCHIVE_RUN, workspace)
    outcome = Outcome()
    with transaction.atomic():
        chosen = _sorted_out(
            locked(runs), outcome, why=lambda r: "" if r.archived_at else NOT_ARCHIVED
        )
        below = Run.objects.of(workspace).filter(archived_at__isnull=False)
        members = _members(families_of(chosen, among=below))
        _update(members, archived_at=None)
        _record(members, "archived", by=by, before=True, after=False)
    outcome.done = chosen
    return outcome


def delete_runs(
    workspace: Workspace, runs: Sequence[Run], *, by: Actor, cancel: bool = False
) -> Outcome:
    """As `delete_run`, for runs of one workspace; what is refused stays as it is."""
    require(by, Permission.DELETE_RUN, workspace)
    outcome = Outcome()
    with transaction.atomic():
        chosen = _sorted_out(
            locked(runs), outcome, why=lambda r: IS_DELETED if r.deleted_at else ""
        )
        going: list[Family] = []
        for family in families_of(chosen, among=Run.objects.of(workspace)):
            if not all(run.is_terminal for run in family.members) and not cancel:
                outcome.refused.append((family.top, IS_ACTIVE))
                continue
            going.append(family)
        # Cancelled as they were found and locked; child runs are among them.
        members = _members(going)
        cancel_runs(workspace, members, by=by, reason="Deleted", children=False)
        for family in going:
            _update(
                family.members,
                deleted_at=timezone.now(),
                deleted_by=by.name,
                deleted_with=family.top.pk,
            )
        recount(run.parent_id for run in members)
        _record(members, "deleted", by=by, before=False, after=True)
    gone = {run.pk for run in members}
    outcome.done = [run for run in chosen if run.pk in gone]
    _refuse_the_rest(chosen, outcome)
    return outcome


def _refuse_the_rest(chosen: Sequence[Run], outcome: Outcome) -> None:
    """Chosen child runs whose chosen parent was refused are refused with it."""
    known = {run.pk for run in outcome.done} | {run.pk for run, _ in outcome.refused}
    outcome.refused += [(run, IS_ACTIVE) for run in chosen if run.pk not in known]


def restore_runs(workspace: Workspace, runs: Sequence[Run], *, by: Actor) -> Outcome:
    """As `restore_run`, for runs of one workspace."""
    require(by, Permission.DELETE_RUN, workspace)
    outcome = Outcome()
    with transaction.atomic():
        chosen = _sorted_out(locked(runs), outcome, why=_why_not_restored)
        ids = [run.pk for run in chosen]
        together = Run.objects.filter(workspace=workspace, deleted_with__in=ids)
        members = list(together.select_for_update(of=("self",), no_key=True).order_by("pk"))
        _update(members, deleted_at=None, deleted_by=None, deleted_with=None)
        recount(run.parent_id for run in members)
        _record(members, "deleted", by=by, before=True, after=False)
    outcome.done = chosen
    return outcome


def _why_not_restored(run: Run) -> str:
    if run.deleted_at is None:
        return NOT_DELETED
    if run.deleted_with != run.pk:
        return WENT_ALONG
    if run.parent is not None and run.parent.deleted_at is not None:
        return PARENT_DELETED
    return ""


def _sorted_out(runs: Sequence[Run], outcome: Outcome, *, why: Callable[[Run], str]) -> list[Run]:
    """Those of `runs` with nothing against them; the others go into the outcome."""
    reasons = [(run, why(run)) for run in runs]
    outcome.refused += [(run, reason) for run, reason in reasons if reason]
    return [run for run, reason in reasons if not reason]


def _members(families: Sequence[Family]) -> list[Run]:
    return [run for family in families for run in family.members]


def _update(runs: Sequence[Run], **facts: Any) -> None:
    ids = [run.pk for run in runs]
    for at in range(0, len(ids), IDS_PER_QUERY):
        Run.objects.filter(pk__in=ids[at : at + IDS_PER_QUERY]).update(**facts)


def _record(runs: Sequence[Run], kind: str, *, by: Actor, before: bool, after: bool) -> None:
    ids = [run.pk for run in runs]
    record_events(
        runs, kind, by=by, before=dict.fromkeys(ids, before), after=dict.fromkeys(ids, after)
    )

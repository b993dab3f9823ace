"""Asking runs to stop: one way for a single run, its descendants and a thousand at once."""

from collections.abc import Sequence

from django.utils import timezone

from studio.accounts.models import Workspace
from studio.accounts.permissions import Actor, Permission, require
from studio.compute.actions import request_stops, withdraw_jobs
from studio.runs.actions.rights import require_on
from studio.runs.lifecycle import transition_many
from studio.runs.limits import MAX_REASON, clean_text
from studio.runs.models import Run
from studio.runs.status import CANCELLABLE, Status
from studio.runs.turn import in_turn

# A transaction asks so many: others write in between.
RUNS_AT_ONCE = 100


def cancel_run(run: Run, *, by: Actor, reason: str = "", children: bool = True) -> Run:
    """Ask for the run to stop; with its unfinished child runs unless `children` is False.

    A queued run is Canceled at once and never starts. A running one is CancelRequested: its
    worker is rung, its client learns of it with the next heartbeat. For a finished run nothing
    changes, but for the steps of a pipeline, which outlive the script that made them. Asking twice
    is harmless.
    """
    require_on(by, Permission.CANCEL_RUN, run)
    if not run.is_terminal or run.type == "pipeline":
        _cancel([run], by=by, reason=reason, children=children)
    run.refresh_from_db()
    return run


def cancel_below(run: Run, *, by: Actor, reason: str = "") -> None:
    """Ask the unfinished child runs of a run to stop that has just ended."""
    require_on(by, Permission.CANCEL_RUN, run)
    _cancel([run], by=by, reason=reason, children=True)


def cancel_runs(
    workspace: Workspace,
    runs: Sequence[Run],
    *,
    by: Actor,
    reason: str = "",
    children: bool = True,
) -> None:
    """As `cancel_run`, for runs of one workspace (about 20 queries for each hundred, and one for
    each level below those that are child runs)."""
    require(by, Permission.CANCEL_RUN, workspace)
    _cancel(runs, by=by, reason=reason, children=children)


def _cancel(runs: Sequence[Run], *, by: Actor, reason: str, children: bool) -> None:
    reason = clean_text(reason, field="reason", most=MAX_REASON)
    ids = [run.pk for run in runs]
    if children:
        ids += Run.objects.ids_below(runs)
    ids = sorted(set(ids))
    for at in range(0, len(ids), RUNS_AT_ONCE):
        with in_turn():
            _ask(ids[at : at + RUNS_AT_ONCE], by=by, reason=reason)


def _ask(ids: Sequence[int], *, by: Actor, reason: str) -> None:
    """CancelRequested for those that may be asked; Canceled for those with nothing to stop."""
    asked = transition_many(
        Run.objects.filter(pk__in=ids, cancel_requested_at=None),
        Status.CANCEL_REQUESTED,
        by=by,
        reason=reason,
        only_from=CANCELLABLE,
        cancel_requested_at=timezone.now(),
        cancel_requested_by=by.name,
        cancel_reason=reason,
    )
    jobs = [run.job for run in asked if run.job is not None]
    withdrawn = withdraw_jobs(jobs)
    request_stops([job for job in jobs if job.pk not in withdrawn])
    idle = [run.pk for run in asked if run.job_id is None and run.started_at is None]
    queued = [run.pk for run in asked if run.job_id in withdrawn]
    for ended, why in ((idle, "Never started"), (queued, "Canceled while queued")):
        if ended:
            runs = Run.objects.filter(pk__in=ended)
            transition_many(runs, Status.CANCELED, by=by, reason=reason or why)

"""Starting, finishing, killing."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from studio.accounts.permissions import Actor, Permission
from studio.compute.actions import request_stop, withdraw_job
from studio.runs.actions.cancelling import cancel_below, cancel_run
from studio.runs.actions.rights import require_on
from studio.runs.history import Refused
from studio.runs.lifecycle import InvalidTransition, record_event, transition
from studio.runs.limits import MAX_REASON, clean_text
from studio.runs.models import Run
from studio.runs.status import TERMINAL, Status

MAX_TRACEBACK = 200_000
# What a run that is resumed has no more.
NOT_ENDED: dict[str, Any] = {
    **{"error": None, "exit_code": None, "exit_signal": None, "evidence": None},
    **{"cancel_requested_at": None, "cancel_requested_by": "", "cancel_reason": ""},
}


def start_run(run: Run, *, by: Actor) -> Run:
    """NotStarted -> Running; starting a running run changes nothing."""
    require_on(by, Permission.LOG_TO_RUN, run)
    if run.status == Status.RUNNING:
        return run
    return transition(run, Status.RUNNING, by=by)


def resume_run(run: Run, *, by: Actor, has_heartbeat: bool = True) -> Run:
    """A finished run -> Running: its program goes on with it. One that is not finished stays as it
    is. What told of its end, or asked for it, is in the history only.

    Raises Refused for a submitted run: its process is over, and its worker done with it.
    """
    require_on(by, Permission.LOG_TO_RUN, run)
    if not run.is_terminal:
        return run
    if run.job_id is not None:
        raise Refused("A submitted run can't be resumed once it is over. Submit it again.")
    return transition(
        run,
        Status.RUNNING,
        by=by,
        reason="Resumed",
        resume=True,
        has_heartbeat=has_heartbeat,
        **NOT_ENDED,
    )


def complete_run(run: Run, *, by: Actor, ended_at: datetime | None = None) -> Run:
    """-> Completed; completing a Completed run changes nothing. ended_at: when, if not now."""
    require_on(by, Permission.LOG_TO_RUN, run)
    if run.status == Status.COMPLETED or _is_own_job(run, by):
        return run
    with transaction.atomic():
        run = transition(run, Status.COMPLETED, by=by, **_ended(run, ended_at))
        _let_go(run)
    return run


def _ended(run: Run, at: datetime | None) -> dict[str, Any]:
    """The columns of an end at a moment that the client gives; no run ends before it began."""
    if at is None or run.ended_at is not None:
        return {}
    begun = run.started_at
    ended_at = max(at, begun) if begun else at
    return {
        "ended_at": ended_at,
        "duration_s": (ended_at - begun).total_seconds() if begun else None,
    }


def _is_own_job(run: Run, by: Actor) -> bool:
    """Whether a submitted script speaks of itself: then the end of its process decides."""
    return run.job is not None and by.run_uid == run.uid


def _let_go(run: Run) -> None:
    """Stop the process of a run that somebody has just finished by hand."""
    job = run.job
    if job is not None and job.closed_at is None and not withdraw_job(job):
        request_stop(job)


def fail_run(
    run: Run,
    *,
    by: Actor,
    error: Mapping[str, Any] | None = None,
    reason: str = "",
    ended_at: datetime | None = None,
) -> Run:
    """-> Failed; a Failed run stays as it is. ended_at: when, if not now.

    A Completed run becomes Failed only here: «Mark as failed».
    """
    require_on(by, Permission.LOG_TO_RUN, run)
    reason = clean_text(reason, field="reason", most=MAX_REASON)
    details = clean_error(error or {}, reason)
    if _is_own_job(run, by):
        Run.objects.filter(pk=run.pk).active().update(error=details)
        run.refresh_from_db(fields=["error"])
        return run
    if run.status == Status.FAILED:
        return run
    with transaction.atomic():
        try:
            facts = {"error": details, **_ended(run, ended_at)}
            run = transition(run, Status.FAILED, by=by, reason=reason, **facts)
        except InvalidTransition as refused:
            if refused.from_status != Status.COMPLETED:
                raise
            # Also when it was completed since it was read: the history says that this is a mark.
            reason = reason or "Marked as failed"
            run = transition(run, Status.FAILED, by=by, reason=reason, mark=True, error=details)
        _let_go(run)
    return run


def clean_error(error: Mapping[str, Any], reason: str = "") -> dict[str, str]:
    """The three parts of an error as text, cut to what a page can show."""
    message = str(error.get("message") or reason or "")[:MAX_TRACEBACK].replace("\0", "\ufffd")
    return {
        "code": str(error.get("code") or "UserError")[:100].replace("\0", "\ufffd"),
        "message": message.encode("utf-8", "replace").decode(),
        "traceback": str(error.get("traceback") or "")[-MAX_TRACEBACK:]
        .replace("\0", "\ufffd")
        .encode("utf-8", "replace")
        .decode(),
    }


def kill_run(run: Run, *, by: Actor) -> Run:
    """Skip the rest of the grace period of a cancel; asks for the cancel first if nobody has, then
    of the child runs too. Which of these an earlier cancel meant stays as it was."""
    require_on(by, Permission.CANCEL_RUN, run)
    run.refresh_from_db()
    if run.cancel_requested_at is None:
        run = cancel_run(run, by=by)
    if run.status not in TERMINAL and run.job is not None:
        with transaction.atomic():
            # Before its job, as the worker does that notes the steps of the cancel.
            Run.objects.select_for_update(of=("self",)).get(pk=run.pk)
            if request_stop(run.job, kill=True):
                record_event(run, "kill", by=by, message="The rest of the grace period is skipped")
    return run


def confirm_canceled(
    run: Run,
    *,
    by: Actor,
    reason: str = "",
    children: bool = False,
    ended_at: datetime | None = None,
) -> Run:
    """-> Canceled: the program obeyed a cancel, or its person interrupted it; with `children` those
    below it are asked to stop, as `cancel_run` does. ended_at: when, if not now."""
    require_on(by, Permission.LOG_TO_RUN, run)
    reason = clean_text(reason, field="reason", most=MAX_REASON)
    if run.status == Status.CANCELED or _is_own_job(run, by):
        return run
    with transaction.atomic():
        run = transition(run, Status.CANCELED, by=by, reason=reason, **_ended(run, ended_at))
        _let_go(run)
    if children:
        cancel_below(run, by=by, reason=reason)
    return run

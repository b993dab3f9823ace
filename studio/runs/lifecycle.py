"""The only writer of a run's status: one conditional UPDATE per move, recorded as an event."""

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from studio.accounts.permissions import Actor
from studio.compute.doorbell import TIDY, ring
from studio.runs.models import Run, RunEvent
from studio.runs.status import TERMINAL, Status, sources_of


class InvalidTransition(Exception):
    """The run is in a status from which the wanted one can't be reached."""

    def __init__(self, run: Run, to: Status) -> None:
        self.run, self.to = run, to
        self.from_status = Status(run.status)
        if self.from_status in TERMINAL:
            text = f"The run is already {run.status}; it can't become {to}."
        else:
            text = f"A run that is {run.status} can't become {to}."
        super().__init__(text)


class LeaseLost(Exception):
    """The worker that writes no longer holds the run: another one took over, or it was closed."""


def record_event(
    run: Run,
    kind: str,
    *,
    by: Actor,
    before: Any = None,
    after: Any = None,
    message: str = "",
    at: datetime | None = None,
) -> RunEvent:
    """Write one line of the run's history."""
    return RunEvent.objects.create(
        workspace_id=run.workspace_id,
        run=run,
        at=at or timezone.now(),
        kind=kind,
        actor=by.name,
        actor_user=by.user,
        before=before,
        after=after,
        message=message,
        work=by.work_uid or None,
    )


def transition(
    run: Run,
    to: Status,
    *,
    by: Actor,
    reason: str = "",
    lease: str | None = None,
    only_from: Iterable[Status] | None = None,
    mark: bool = False,
    **facts: Any,
) -> Run:
    """Move `run` to `to` and return it fresh from the database.

    `lease` fences the write to the worker that holds the run's job; `only_from` narrows the
    allowed sources; `mark` allows Completed -> Failed; `facts` are columns written in the same
    UPDATE. Raises InvalidTransition or LeaseLost and changes nothing when the move isn't allowed.
    """
    sources = sources_of(to, mark=mark)
    if only_from is not None:
        sources &= frozenset(only_from)
    now = timezone.now()
    with transaction.atomic():
        # PostgreSQL: the row lock makes the event's `before` and the duration exact. On SQLite
        # the transaction itself is IMMEDIATE and already holds the write lock.
        current = Run.objects.select_for_update(of=("self",)).get(pk=run.pk)
        candidates = Run.objects.filter(pk=run.pk, status__in=sources)
        if lease is not None:
            candidates = candidates.filter(job__lease=lease, job__closed_at=None)
        changed = candidates.update(
            status=to,
            status_at=now,
            status_reason=reason,
            status_before_silence=current.status if to == Status.NOT_RESPONDING else "",
            **_times(current, to, now),
            **facts,
        )
        if not changed:
            if lease is not None and current.status in sources:
                raise LeaseLost(f"run {run.uid} is no longer held by lease {lease}")
            raise InvalidTransition(current, to)
        record_event(
            run, "status", by=by, before=current.status, after=to.value, message=reason, at=now
        )
        if to in TERMINAL:
            # A ring that is lost costs nothing but a little room.
            transaction.on_commit(partial(ring, TIDY, queue="studio", run_id=run.pk))
    run.refresh_from_db()
    return run


def _times(current: Run, to: Status, now: datetime) -> dict[str, Any]:
    """The time columns that go with a move; times never run backwards (clocks may).

    Signs of life are told by the database's clock: those of workers may be wrong by a day.
    """
    if to == Status.RUNNING and current.started_at is None:
        return {"started_at": now, "last_beat_at": Now()}
    if to in TERMINAL and current.ended_at is None:
        begun = current.started_at
        duration_s = max(0.0, (now - begun).total_seconds()) if begun else None
        return {"ended_at": now, "duration_s": duration_s}
    if to in {Status.STARTING, Status.PREPARING}:
        return {"last_beat_at": Now()}
    return {}


def beat(run: Run) -> str:
    """Note that the run was heard; a run that was not responding comes back. Returns its status."""
    Run.objects.filter(pk=run.pk).update(last_beat_at=Now())
    if run.status == Status.NOT_RESPONDING:
        back = Status(run.status_before_silence or Status.RUNNING)
        try:
            transition(run, back, by=Actor.system("heartbeat"), reason="Heard from again")
        except InvalidTransition as lost_race:
            return lost_race.run.status
    return run.status

"""The only writer of a run's status: one conditional UPDATE per move, recorded as an event."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.db.models.expressions import BaseExpression
from django.db.models.functions import Now
from django.utils import timezone

from studio.accounts.permissions import Actor
from studio.compute.doorbell import TIDY, ring
from studio.runs.models import Run, RunEvent, StatusNews
from studio.runs.querysets import RunQuerySet
from studio.runs.rows import insert_rows
from studio.runs.status import ACTIVE, TERMINAL, Status, sources_of
from studio.runs.turn import in_turn

GOES_ON = ACTIVE - {Status.CANCEL_REQUESTED, Status.NOT_RESPONDING}


class InvalidTransition(Exception):
    """The run is in a status from which the wanted one can't be reached."""

    def __init__(self, run: Run, to: Status) -> None:
        self.run, self.to = run, to
        self.from_status = Status(run.status)
        if self.from_status == Status.CANCELED and run.cancel_requested_by:
            why = f" ({run.cancel_reason})" if run.cancel_reason else ""
            text = f"The run was cancelled by {run.cancel_requested_by}{why} and stays Canceled."
            text += f" It can't become {to}; what it logged is kept."
        elif self.from_status in TERMINAL:
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
    event = _event(run, kind, by=by, before=before, after=after, message=message, at=at)
    event.save(force_insert=True)
    return event


def _event(
    run: Run,
    kind: str,
    *,
    by: Actor,
    before: Any,
    after: Any,
    message: str,
    at: datetime | None,
) -> RunEvent:
    return RunEvent(
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
    resume: bool = False,
    **facts: Any,
) -> Run:
    """Move `run` to `to` and return it fresh from the database.

    `lease` fences the write to the worker that holds the run's job; `only_from` narrows the
    allowed sources; `mark` allows Completed -> Failed, `resume` a finished run without a job ->
    Running; `facts` are columns written in the same UPDATE. Raises InvalidTransition or LeaseLost
    and changes nothing when the move isn't allowed.
    """
    may_move = _movable(to, only_from, mark=mark, resume=resume)
    with in_turn():
        # PostgreSQL: the row lock makes the event's `before` and the duration exact. On SQLite
        # the transaction itself is IMMEDIATE and already holds the write lock.
        current = Run.objects.select_for_update(of=("self",)).get(pk=run.pk)
        held = may_move
        if lease is not None:
            held &= Q(job__lease=lease, job__closed_at=None)
        if not _move([current], held, to, by=by, reason=reason, facts=facts):
            if lease is not None and Run.objects.filter(may_move, pk=run.pk).exists():
                raise LeaseLost(f"run {run.uid} is no longer held by lease {lease}")
            raise InvalidTransition(current, to)
    run.refresh_from_db()
    return run


def transition_many(
    runs: RunQuerySet,
    to: Status,
    *,
    by: Actor,
    reason: str = "",
    only_from: Iterable[Status] | None = None,
    **facts: Any,
) -> list[Run]:
    """As `transition`, for a few hundred runs at once: moves those that may become `to`, leaves
    the others, and returns the moved ones as they are stored now, with their jobs.

    Queries: four, and one more for each further set of times that goes with the move.
    """
    may_move = _movable(to, only_from)
    with in_turn():
        # In one order, so that two of these never wait for each other in a circle.
        locked = runs.select_related("job").select_for_update(of=("self",)).order_by("pk")
        current = list(locked.filter(may_move))
        if current and not _move(current, may_move, to, by=by, reason=reason, facts=facts):
            raise RuntimeError(f"a locked run became {to} by somebody else")
        return current


def _movable(
    to: Status, only_from: Iterable[Status] | None, *, mark: bool = False, resume: bool = False
) -> Q:
    """Which runs may become `to`."""
    sources = sources_of(to, mark=mark, resume=resume)
    if only_from is not None:
        sources &= frozenset(only_from)
    found = Q(status__in=sources)
    if resume:
        return found & Q(job=None)
    # Nor does a run that stopped responding after it was asked to stop go on as if it were not.
    return found & Q(cancel_requested_at=None) if to in GOES_ON else found


def _move(
    current: Sequence[Run],
    may_move: Q,
    to: Status,
    *,
    by: Actor,
    reason: str,
    facts: Mapping[str, Any],
) -> bool:
    """Write the move of runs that were read and locked, with an event each; whether all of them
    might still be moved. They have then what was written."""
    now, n_changed = timezone.now(), 0
    alike: dict[tuple[Any, ...], list[Run]] = {}
    for run in current:
        alike.setdefault(tuple((_outdated(run) | _times(run, to, now)).items()), []).append(run)
    written = [(dict(times) | dict(facts), of) for times, of in alike.items()]
    for columns, of in written:
        ids = [run.pk for run in of]
        n_changed += Run.objects.filter(may_move, pk__in=ids).update(
            status=to, status_at=now, status_reason=reason, **columns
        )
    if n_changed < len(current):
        return False
    events = RunEvent.objects.bulk_create(
        _event(run, "status", by=by, before=run.status, after=to.value, message=reason, at=now)
        for run in current
    )
    insert_rows([StatusNews(event=event) for event in events])
    for run in current:
        if to in TERMINAL and run.last_beat_at is not None:
            # A ring that is lost costs nothing but a little room.
            transaction.on_commit(partial(ring, TIDY, queue="studio", run_id=run.pk))
    for columns, of in written:
        for run in of:
            _take_over(run, {"status": to.value, "status_at": now, "status_reason": reason})
            _take_over(run, columns)
    return True


def _take_over(run: Run, columns: Mapping[str, Any]) -> None:
    """Give a run what was written of it. What the database worked out is read when it is asked
    for."""
    for name, value in columns.items():
        if isinstance(value, BaseExpression):
            run.__dict__.pop(name, None)
        else:
            setattr(run, name, value)


def explain(run: Run, reason: str, *, lease: str) -> bool:
    """Say in words what a run that is Preparing is at; False, with nothing written, when it is not
    any more, or another worker holds it."""
    held = Run.objects.filter(pk=run.pk, job__lease=lease, job__closed_at=None)
    return bool(held.filter(status=Status.PREPARING).update(status_reason=reason))


def _times(current: Run, to: Status, now: datetime) -> dict[str, Any]:
    """The columns that go with a move; times never run backwards (clocks may).

    Signs of life are told by the database's clock: those of workers may be wrong by a day.
    """
    silent_since = current.status if to == Status.NOT_RESPONDING else ""
    found: dict[str, Any] = {"status_before_silence": silent_since}
    if to == Status.RUNNING and current.started_at is None:
        found |= {"started_at": now, "last_beat_at": Now()}
    elif to == Status.RUNNING and current.ended_at is not None:
        found |= {"ended_at": None, "duration_s": None, "last_beat_at": Now()}
    elif to in TERMINAL and current.ended_at is None:
        begun = current.started_at
        ended = max(now, begun) if begun else now
        duration_s = (ended - begun).total_seconds() if begun else None
        found |= {"ended_at": ended, "duration_s": duration_s}
    elif to in {Status.STARTING, Status.PREPARING}:
        found["last_beat_at"] = Now()
    return found


def _outdated(current: Run) -> dict[str, Any]:
    """What a silence told is over with it."""
    return {"evidence": None} if current.status == Status.NOT_RESPONDING else {}


def beat(run: Run) -> str:
    """Note that the run was heard; a run that was not responding comes back. Returns its status."""
    Run.objects.filter(pk=run.pk).update(last_beat_at=Now())
    if run.status != Status.NOT_RESPONDING:
        return run.status
    with in_turn():
        # As it is now: since it was read, it may have come back and fallen silent again.
        current = Run.objects.select_for_update(of=("self",)).get(pk=run.pk)
        if current.status != Status.NOT_RESPONDING:
            return current.status
        back = Status(current.status_before_silence or Status.RUNNING)
        by = Actor.system("heartbeat")
        return transition(current, back, by=by, reason="Heard from again").status


@dataclass(frozen=True, slots=True)
class Past:
    """How a run of another tracker went: its times, and the terminal status it is stored with.

    is_open: it was going on when it was read, so its end is a guess that `restate` may put right.
    """

    status: Status
    started_at: datetime | None
    ended_at: datetime
    reason: str = ""
    is_open: bool = False

    @property
    def facts(self) -> dict[str, Any]:
        """The columns of a run that say it."""
        begun = self.started_at
        return {
            "status": self.status,
            "status_at": self.ended_at,
            "status_reason": self.reason,
            "status_before_silence": Status.RUNNING if self.is_open else "",
            "started_at": begun,
            "ended_at": self.ended_at,
            "duration_s": (self.ended_at - begun).total_seconds() if begun else None,
        }


def born_over(run: Run, past: Past) -> None:
    """Give a run that is not stored yet the end it had elsewhere. No alert rule hears of it: what
    happened long ago is no news."""
    if past.status not in TERMINAL:
        raise ValueError(f"an imported run is over; {past.status} is not an end")
    for name, value in past.facts.items():
        setattr(run, name, value)


def restate(run: Run, past: Past, *, by: Actor, message: str) -> bool:
    """Put right the guessed end of an imported run; False, with nothing changed, where the end is
    no guess (any more). The line of history is written when the status changes or is certain now.
    """
    guessed = Run.objects.filter(
        pk=run.pk, status__in=TERMINAL, status_before_silence=Status.RUNNING
    )
    with in_turn():
        before = guessed.select_for_update(of=("self",)).values_list("status", flat=True).first()
        if before is None or not guessed.update(**past.facts):
            return False
        if before != past.status or not past.is_open:
            record_event(
                run, "imported", by=by, before=before, after=past.status.value, message=message
            )
    return True

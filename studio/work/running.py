"""Doing background work: claim by one conditional UPDATE, a piece per transaction, hand over.

A killed worker loses its lease after LEASE_S and at most the piece it was in, which was rolled
back. A worker that was only slow finds the lease gone and rolls its piece back by itself.
"""

import logging
import time
from dataclasses import replace
from typing import Any

from django.db import DatabaseError, InterfaceError, OperationalError, transaction
from django.db.models import F
from django.db.models.functions import Coalesce
from django.utils import timezone

from studio.accounts.permissions import Actor, NotAllowed
from studio.work.actions import ring_worker
from studio.work.beats import LeaseLost
from studio.work.kinds import Kind, Piece, UnknownKind, kind_of
from studio.work.models import MAX_PROBLEMS, State, Work, new_uid

logger = logging.getLogger(__name__)

# A Celery slot is lent for so long, then other tasks have their turn.
SLICE_S = 5.0
# SQLite has one writer, and those who wait for it look again every few hundredths of a second: a
# work whose pieces follow each other without a gap would keep them all out.
BREATH_S = 0.02
MAX_ATTEMPTS = 5
VANISHED = "No longer matched when its turn came"


def run_work(work_id: int, *, slice_s: float = SLICE_S) -> None:
    """Do pieces of a work for `slice_s` seconds, then ring for the rest; nothing when another
    worker holds it or it is over."""
    work = claim(work_id)
    if work is None:
        return
    try:
        if _pieces(work, kind_of(work), slice_s=slice_s):
            return
    except LeaseLost:
        logger.warning("work=%s was taken over by another worker", work.uid)
        return
    except (OperationalError, InterfaceError) as error:
        # Locked, a deadlock, or the database is away: the piece was rolled back.
        logger.warning("work=%s put off because=%s", work.uid, error)
    except (NotAllowed, UnknownKind) as refused:
        _close(work, State.FAILED, error=str(refused))
        return
    except Exception:
        logger.exception("work=%s failed", work.uid)
        _close(work, State.FAILED, error="The studio failed here; its log says why.")
        return
    hand_over(work)


def claim(work_id: int) -> Work | None:
    """The work with a lease of ours, None when it is not free."""
    lease, now = new_uid(), timezone.now()
    taken = (
        Work.objects.free()
        .filter(pk=work_id)
        .update(
            lease=lease,
            beat_at=now,
            state=State.RUNNING,
            started_at=Coalesce("started_at", now),
            n_attempts=F("n_attempts") + 1,
        )
    )
    if not taken:
        return None
    return Work.objects.select_related("workspace", "actor_user").get(pk=work_id)


def hand_over(work: Work) -> None:
    """Let go of the work and ring for another worker; with the database away, time does it."""
    try:
        Work.objects.filter(pk=work.pk, lease=work.lease).update(lease="", beat_at=timezone.now())
        ring_worker(work.pk)
    except DatabaseError as error:
        logger.warning("work=%s not handed over because=%s", work.uid, error)


def ring_forgotten() -> int:
    """Ring again for open work that nobody holds: its message or its worker was lost. How many."""
    found = list(Work.objects.forgotten().order_by("pk").values_list("pk", flat=True)[:100])
    for work_id in found:
        ring_worker(work_id)
    return len(found)


def _pieces(work: Work, kind: Kind, *, slice_s: float) -> bool:
    """Whether the work is over; False when the time was."""
    if work.n_attempts > MAX_ATTEMPTS:
        _close(work, State.FAILED, error=f"Given up after {MAX_ATTEMPTS} tries; the log says why.")
        return True
    actor = _actor_of(work)
    # What a killed worker had committed but not settled.
    kind.settle(work)
    # From here, and one piece at least: a source that takes longer than a slice to open would
    # otherwise be opened for ever and never read.
    until, goes_on = time.monotonic() + slice_s, slice_s > 0
    while goes_on:
        if work.cancel_requested_at is not None:
            _close(work, State.CANCELED)
            return True
        if work.n_total is None:
            _keep(work, n_total=kind.count(work))
        with transaction.atomic():
            piece = kind.piece(work, by=actor)
            _store(work, piece)
        kind.settle(work)
        if piece.cursor is None:
            _close(work, State.DONE)
            return True
        work.refresh_from_db(fields=["cancel_requested_at"])
        time.sleep(BREATH_S)
        goes_on = time.monotonic() < until
    return False


def _actor_of(work: Work) -> Actor:
    """Whoever started it, with the rights they have now."""
    if work.by_system:
        return Actor(name=work.actor, work_uid=work.uid)
    if work.actor_user is None:
        raise NotAllowed(f"{work.actor}, who started this, is no longer here.")
    return replace(Actor.of_user(work.actor_user), work_uid=work.uid)


def _store(work: Work, piece: Piece) -> None:
    """The counts of a piece, in the piece's own transaction."""
    problems = [{"uid": one.uid, "message": one.message} for one in piece.problems]
    result = added(work.result, piece.result)
    if piece.skipped:
        result["skipped"] = added(result.get("skipped", {}), piece.skipped)
    _keep(
        work,
        cursor=piece.cursor,
        n_done=work.n_done + piece.n_done,
        n_skipped=work.n_skipped + sum(piece.skipped.values()),
        n_failed=work.n_failed + piece.n_failed,
        problems=[*work.problems, *problems][:MAX_PROBLEMS],
        result=result,
        n_attempts=0,
    )


def added(before: dict[str, Any], more: Any) -> dict[str, Any]:
    """`before` with the numbers of `more` added to it and the rest put in place."""
    found = dict(before)
    for key, value in more.items():
        is_sum = isinstance(value, int | float) and isinstance(found.get(key), int | float)
        found[key] = found[key] + value if is_sum else value
    return found


def _keep(work: Work, **facts: Any) -> None:
    """Write facts while the lease is ours. Raises LeaseLost, which rolls the piece back."""
    mine = Work.objects.filter(pk=work.pk, lease=work.lease)
    if not mine.update(beat_at=timezone.now(), **facts):
        raise LeaseLost(work.uid)
    for name, value in facts.items():
        setattr(work, name, value)


def _close(work: Work, state: State, *, error: str = "") -> None:
    result = dict(work.result)
    facts: dict[str, Any] = {}
    if error:
        result["error"] = error
    if state == State.DONE and work.n_left:
        # They were in the trash, or changed, before their piece came: the report must add up.
        result["skipped"] = added(result.get("skipped", {}), {VANISHED: work.n_left})
        facts["n_skipped"] = work.n_skipped + work.n_left
    elif work.n_total is not None:
        facts["n_total"] = max(work.n_total, work.n_done + work.n_skipped + work.n_failed)
    try:
        _keep(
            work,
            state=state,
            ended_at=timezone.now(),
            result=result,
            once=None,
            lease="",
            **facts,
        )
    except LeaseLost:
        logger.warning("work=%s was taken over before it could be closed", work.uid)

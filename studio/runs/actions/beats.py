"""Signs of life between batches."""

import re
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from studio.accounts.permissions import Actor, Permission
from studio.runs.actions.annotate import warn_run
from studio.runs.actions.rights import require_on
from studio.runs.lifecycle import beat, record_event
from studio.runs.limits import MAX_REASON, clean_text
from studio.runs.models import Run
from studio.runs.status import Status

# A run that writes all the time is heard of once a second.
BEAT_EVERY = timedelta(seconds=1)
OBEYED = "Its program has ended since"
DROPPED = "The client dropped points it could not keep: "
# How many processes of a run are counted apart; what the longest unheard of them dropped stays in
# the sum.
MOST_SENDERS = 20
UNNAMED, OTHERS = "unnamed", "others"
COUNT = re.compile(r"^\d[\d,]*")
SENDER_COUNT = re.compile(r"([\w.-]+): (\d[\d,]*)", re.ASCII)


@dataclass(frozen=True)
class Dropped:
    """What one process could not keep of its run so far."""

    n_points: int = 0
    sender: str = ""


NOTHING = Dropped()


def note_heartbeat(run: Run, *, by: Actor, warning: str = "", dropped: Dropped = NOTHING) -> Run:
    """Note that the run was heard, with what its client has to say; returns it fresh.

    One warning holds how much was dropped by all processes together, and by each: a count may
    arrive twice, or after a newer one.
    """
    require_on(by, Permission.LOG_TO_RUN, run)
    if not run.is_terminal:
        beat(run)
    if warning:
        warn_run(run, clean_text(warning, field="warning", most=MAX_REASON))
    if dropped.n_points:
        _note_dropped(run, dropped)
    run.refresh_from_db()
    return run


def note_heard(run: Run, *, by: Actor) -> None:
    """Note that the run was heard, by what its client wrote: at most once a second (1 query, none
    for a finished run)."""
    require_on(by, Permission.LOG_TO_RUN, run, upwards=True)
    is_fresh = run.last_beat_at and timezone.now() - run.last_beat_at < BEAT_EVERY
    if run.status == Status.NOT_RESPONDING or not (run.is_terminal or is_fresh):
        beat(run)


def note_program_ended(run: Run, *, by: Actor) -> Run:
    """Note that the program of a run that was closed without it has ended after all: what told that
    it may still be running goes. Again changes nothing."""
    require_on(by, Permission.LOG_TO_RUN, run)
    with transaction.atomic():
        closed = Run.objects.filter(pk=run.pk, status=Status.CANCELED, evidence__isnull=False)
        if closed.update(evidence=None):
            record_event(run, "program", by=by, message=OBEYED)
    run.refresh_from_db()
    return run


def _note_dropped(run: Run, dropped: Dropped) -> None:
    with transaction.atomic():
        warnings = Run.objects.select_for_update().values_list("warnings", flat=True).get(pk=run.pk)
        others = [text for text in warnings if not text.startswith(DROPPED)]
        known = [text.removeprefix(DROPPED) for text in warnings if text.startswith(DROPPED)]
        counts = _counts_in(known[0]) if known else {}
        name = dropped.sender or UNNAMED
        counts[name] = max(counts.pop(name, 0), dropped.n_points)
        warning = DROPPED + _counts_text(_bounded(counts))
        Run.objects.filter(pk=run.pk).update(warnings=[*others, warning])


def _counts_text(counts: dict[str, int]) -> str:
    """As 1,239 (node1-4711-a8c1: 1,234; node1-4712-0b3f: 5)."""
    total = f"{sum(counts.values()):,}"
    if list(counts) == [UNNAMED]:
        return f"{total}."
    return f"{total} ({'; '.join(f'{name}: {n:,}' for name, n in counts.items())})."


def _counts_in(text: str) -> dict[str, int]:
    """The inverse of `_counts_text`."""
    total, _, of_each = text.rstrip(".").partition(" (")
    # A client may have sent a warning of its own that begins alike.
    counts = SENDER_COUNT.findall(of_each) or [(UNNAMED, n) for n in COUNT.findall(total)[:1]]
    return {name: int(n.replace(",", "")) for name, n in counts}


def _bounded(counts: dict[str, int]) -> dict[str, int]:
    """With the counts of all but the newest senders as one."""
    if len(counts) <= MOST_SENDERS:
        return counts
    names = [name for name in counts if name != OTHERS]
    old, new = names[: -(MOST_SENDERS - 1)], names[-(MOST_SENDERS - 1) :]
    n_old = counts.get(OTHERS, 0) + sum(counts[name] for name in old)
    return {OTHERS: n_old, **{name: counts[name] for name in new}}

"""Signs of life between batches."""

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


def note_heartbeat(run: Run, *, by: Actor, warning: str = "", n_dropped: int = 0) -> Run:
    """Note that the run was heard, with what its client has to say; returns it fresh.

    `n_dropped` is the client's count so far: one warning holds the newest.
    """
    require_on(by, Permission.LOG_TO_RUN, run)
    if not run.is_terminal:
        beat(run)
    if warning:
        warn_run(run, clean_text(warning, field="warning", most=MAX_REASON))
    if n_dropped:
        _note_dropped(run, n_dropped)
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


def _note_dropped(run: Run, n_dropped: int) -> None:
    with transaction.atomic():
        warnings = Run.objects.select_for_update().values_list("warnings", flat=True).get(pk=run.pk)
        others = [text for text in warnings if not text.startswith(DROPPED)]
        Run.objects.filter(pk=run.pk).update(warnings=[*others, f"{DROPPED}{n_dropped:,}."])

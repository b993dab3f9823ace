"""Signs of life between batches."""

from django.db import transaction

from studio.accounts.permissions import Actor, Permission
from studio.runs.actions.annotate import warn_run
from studio.runs.actions.rights import require_on
from studio.runs.lifecycle import beat
from studio.runs.limits import MAX_REASON, clean_text
from studio.runs.models import Run

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


def _note_dropped(run: Run, n_dropped: int) -> None:
    with transaction.atomic():
        warnings = Run.objects.select_for_update().values_list("warnings", flat=True).get(pk=run.pk)
        others = [text for text in warnings if not text.startswith(DROPPED)]
        Run.objects.filter(pk=run.pk).update(warnings=[*others, f"{DROPPED}{n_dropped:,}."])

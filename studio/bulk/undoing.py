"""Taking back a bulk change of tags, by the lines it wrote into the runs' histories."""

from typing import Any

from studio.accounts.permissions import Actor, Permission, require
from studio.bulk.acting import BULK, piece_of
from studio.bulk.retagging import RETAG
from studio.runs.actions import many
from studio.runs.models import RunEvent
from studio.work.actions import start_work
from studio.work.kinds import Piece
from studio.work.models import State, Work, WorkQuerySet

UNDO = "undo"
EVENTS_PER_PIECE = 500
IN_TRASH = "It is in the trash"


class CannotUndo(Exception):
    """This work can't be taken back; the text says why."""


def can_undo(work: Work) -> bool:
    """Whether there is something to take back: a change of tags that is over."""
    return not _why_not(work)


def is_undone(work: Work) -> bool:
    """Whether an undo of it went to its end (1 query)."""
    return _undos_of(work).filter(state=State.DONE).exists()


def _undos_of(work: Work) -> WorkQuerySet:
    return Work.objects.of(work.workspace).filter(kind=UNDO, arguments__of=work.uid)


def _why_not(work: Work) -> str:
    changed_tags = work.kind in (UNDO, RETAG) or (
        work.kind == BULK and work.arguments.get("action") == "tags"
    )
    if not changed_tags:
        return "Only changes of tags can be undone. Deleted runs are restored from the trash."
    if work.is_open:
        return "It is not over yet. Wait for it, or cancel it first."
    if not work.n_done:
        return "It changed nothing."
    return ""


def start_undo(work: Work, *, by: Actor) -> Work:
    """Start putting back the tags that `work` changed; what was changed since is left and told.

    Raises CannotUndo, work.AlreadyUnderWay, NotAllowed.
    """
    require(by, Permission.EDIT_RUN, work.workspace)
    if reason := _why_not(work):
        raise CannotUndo(reason)
    if is_undone(work):
        raise CannotUndo("It was undone already. Undo that to have the tags again.")
    once = f"{UNDO}:{work.uid}"
    return start_work(work.workspace, UNDO, {"of": work.uid}, by=by, once=once)


class UndoKind:
    """The background work of `start_undo`; it goes along the history, oldest line first."""

    def count(self, work: Work) -> int:
        n: int = self._events(work).count()
        return n

    def piece(self, work: Work, *, by: Actor) -> Piece:
        require(by, Permission.EDIT_RUN, work.workspace)
        events = list(self._events(work).filter(pk__gt=work.cursor or 0)[:EVENTS_PER_PIECE])
        changes: dict[int, Any] = {event.run_id: (event.before, event.after) for event in events}
        outcome = many.put_tags_back(work.workspace, changes, by=by)
        known = {run.pk for run in outcome.done} | {run.pk for run, _ in outcome.refused}
        outcome.refused += [(e.run, IN_TRASH) for e in events if e.run_id not in known]
        full = len(events) == EVENTS_PER_PIECE
        return piece_of(outcome, cursor=events[-1].pk if full else None)

    def settle(self, work: Work) -> None:
        """Nothing is left outside the transaction."""

    def _events(self, work: Work) -> Any:
        rows = RunEvent.objects.filter(work=work.arguments["of"], kind="tags")
        return rows.select_related("run").order_by("pk")

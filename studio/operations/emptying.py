"""Deleting a closed workspace: its rows in small transactions, then its bytes, then itself.

Killed anywhere, the next call goes on: the row of the workspace goes last, and as long as it is
there its bytes can be found by its id. See docs/adr/0055.
"""

import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import IntegrityError, transaction
from django.utils import timezone

from studio.accounts.models import Workspace
from studio.accounts.permissions import Actor
from studio.accounts.sign_ins import record_sign_in
from studio.artifacts.models import Artifact, Removal
from studio.artifacts.purging import BytesHeld, remove_bytes_of, remove_newest_runs
from studio.compute.models import Job, Worker
from studio.operations.closing import WrongWorkspace, end_activity, still_ending
from studio.runs.models import Run
from studio.runs.turn import in_turn
from studio.work.models import Work

logger = logging.getLogger(__name__)

Tell = Callable[[str], None]
RUNS_AT_ONCE = 20
ROWS_AT_ONCE = 500
TELL_EVERY_S = 2.0
# Each ends what was written meanwhile, and takes the rights of who writes: two are enough.
MOST_ROUNDS = 10
# SQLite has one writer: others have their turn between two pieces.
BREATH_S = 0.02


@dataclass
class Deleted:
    """What one call deleted; an earlier one that was interrupted may have deleted more."""

    n_runs: int = 0
    n_rows: int = 0
    n_files: int = 0


def size_of(workspace: Workspace) -> dict[str, int]:
    """What there is to lose, in numbers (4 queries)."""
    return {
        "runs": Run.objects.filter(workspace=workspace).count(),
        "experiments": workspace.experiments.count(),
        "files": Artifact.objects.filter(workspace=workspace).count(),
        "members": workspace.memberships.count(),
    }


def delete_workspace(workspace: Workspace, tell: Tell, *, by: Actor) -> Deleted:
    """Delete a closed workspace with everything in it, for good. Raises WrongWorkspace for an open
    one and one in which something is still ending (nothing was deleted), or whose bytes somebody
    copies (then its rows are gone already); called again it goes on."""
    refuse_open(workspace)
    end_activity(workspace, by=by)
    _refuse_busy(workspace)
    _begin(workspace, by=by)
    done = Deleted()
    for _ in range(MOST_ROUNDS):
        try:
            _remove_runs(workspace, done, tell)
            _remove_rows(workspace, done, tell)
            _remove_bytes(workspace, done)
            if _remove_itself(workspace, done, by=by):
                return done
        except IntegrityError as wrote:
            logger.info("deleting workspace=%s goes round again because=%s", workspace.name, wrote)
        # A request that had begun before the workspace was closed wrote something.
        end_activity(workspace, by=by)
        _refuse_busy(workspace)
    raise WrongWorkspace(
        "Requests that began before it was closed still write. Start this again in a minute."
    )


def refuse_open(workspace: Workspace) -> None:
    if workspace.closed_at is None:
        raise WrongWorkspace(
            f"“{workspace.name}” is open. Close it first: manage.py workspace close"
            f" {workspace.name}."
        )


def _refuse_busy(workspace: Workspace) -> None:
    """Raise WrongWorkspace while some process may still write here."""
    ending = still_ending(workspace)
    if n := ending.count():
        named = ending.filter(job__node__gt="").order_by().values_list("job__node", flat=True)
        nodes = set(named)
        where = f" ({', '.join(sorted(nodes))})" if nodes else ""
        what = "A run is" if n == 1 else f"{n:,} runs are"
        raise WrongWorkspace(
            f"{what} still ending on workers{where}. Start this again when that is over; a worker"
            " that is gone is given up within minutes, while another one or the reaper runs."
        )
    if Work.objects.of(workspace).held().exists():
        raise WrongWorkspace(
            "Background work is still ending, within seconds. Start this again when it is over."
        )
    serving = Worker.objects.live().filter(target__workspace=workspace)
    if nodes := set(serving.values_list("node", flat=True)):
        raise WrongWorkspace(
            f"Workers serve compute targets of this workspace: {', '.join(sorted(nodes))}."
            " Stop them first."
        )


def _begin(workspace: Workspace, *, by: Actor) -> None:
    """From here on there is no way back. Raises WrongWorkspace for one that was reopened."""
    with transaction.atomic():
        locked = Workspace.objects.select_for_update(no_key=True).filter(pk=workspace.pk).first()
        if locked is None or locked.deletion_began_at is not None:
            return
        refuse_open(locked)
        locked.deletion_began_at = timezone.now()
        locked.save(update_fields=["deletion_began_at"])
        record_sign_in("room-deleting", name=locked.name, actor=by.name)


def _remove_runs(workspace: Workspace, done: Deleted, tell: Tell) -> None:
    n_total, told_at = Run.objects.filter(workspace=workspace).count(), time.monotonic()
    n_done = 0
    while found := remove_newest_runs(workspace, RUNS_AT_ONCE)[0]:
        n_done += found
        done.n_runs += found
        if time.monotonic() - told_at > TELL_EVERY_S:
            tell(f"{n_done:,} of {n_total:,} runs")
            told_at = time.monotonic()
        time.sleep(BREATH_S)


def _remove_rows(workspace: Workspace, done: Deleted, tell: Tell) -> None:
    """Everything that names the workspace but its runs and what names bytes to delete, in pieces;
    who is in it goes last."""
    tell("what hangs on no run")
    _in_pieces(Job.objects.filter(target__workspace=workspace), done)
    for rows in _rows_of(workspace, but=(Run, Removal)):
        _in_pieces(rows, done)


def _in_pieces(rows: Any, done: Deleted) -> None:
    while True:
        with in_turn():
            keys = list(rows.order_by("pk").values_list("pk", flat=True)[:ROWS_AT_ONCE])
            if keys:
                done.n_rows += rows.filter(pk__in=keys).delete()[0]
        if len(keys) < ROWS_AT_ONCE:
            return
        time.sleep(BREATH_S)


def _rows_of(workspace: Workspace, *, but: Collection[Any] = ()) -> list[Any]:
    """The rows of each table that has a column for the workspace, tables of people last: whatever
    tables there will be."""
    columns = [
        (model, field.name)
        for model in apps.get_models(include_auto_created=True)
        for field in model._meta.concrete_fields
        if field.related_model is Workspace and model not in but
    ]
    columns.sort(key=lambda column: column[0]._meta.app_label == "accounts")
    return [model._base_manager.filter(**{name: workspace}) for model, name in columns]


def _remove_bytes(workspace: Workspace, done: Deleted) -> None:
    try:
        done.n_files += remove_bytes_of(workspace)
    except BytesHeld as held:
        raise WrongWorkspace(
            "The rows are deleted. The files wait: somebody copies them, as a backup does."
            f" When it is over, go on with manage.py workspace delete {workspace.name}."
        ) from held


def _remove_itself(workspace: Workspace, done: Deleted, *, by: Actor) -> bool:
    """Delete the row of the workspace once nothing names it; False, with nothing deleted, before.
    The lock makes who would write a row that names it wait, and then fail."""
    with transaction.atomic():
        locked = Workspace.objects.select_for_update().filter(pk=workspace.pk).first()
        if locked is None:
            return True  # somebody else did the same at the same moment
        if any(rows.exists() for rows in _rows_of(workspace)):
            return False
        told = f"{done.n_runs:,} runs, {done.n_files:,} files"
        record_sign_in("room-deleted", name=locked.name, actor=by.name, detail=told)
        locked.delete()
    return True

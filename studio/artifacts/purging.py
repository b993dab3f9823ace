"""Purging runs for good, and sweeping bytes that belong to nothing.

Rows go first, with a Removal in the same transaction that names the run's folder of bytes; the
bytes follow, then the Removal. Killed anywhere, the next call finishes: nothing ever points to
missing bytes, and what is still on disk is named. See docs/adr/0014.
"""

import contextlib
import logging
from collections.abc import Callable, Sequence

from django.db import transaction
from django.db.models import Sum

from studio.accounts.actions import revoke_run_tokens
from studio.accounts.models import Workspace
from studio.accounts.permissions import Actor, Permission, require
from studio.artifacts.attachments import forget_unused, sweep_attachments
from studio.artifacts.holding import are_held
from studio.artifacts.line_index import owner_key
from studio.artifacts.models import Artifact, Removal
from studio.artifacts.store import folder_of, folders_of_workspace, store
from studio.artifacts.uploads import sweep_uploads
from studio.blobs import BlobNotFound
from studio.compute.models import Job
from studio.runs.families import IDS_PER_QUERY, Family, families_of, locked
from studio.runs.history import Outcome
from studio.runs.models import Run
from studio.runs.turn import in_turn

logger = logging.getLogger(__name__)

NOT_IN_TRASH = "It is not in the trash. Delete it first."
WENT_ALONG = "It went to the trash with a run above it. Purge that one."
CHILD_IS_USED = "A child run of it is not in the trash. Delete that one first."
STILL_ENDING = "It, or a child run of it, is still ending. Purge it once that is over."
# An upload is on disk before its row is: younger bytes without a row may be one.
UPLOAD_TAKES_S = 86_400
KEYS_PER_QUERY = 500


def purge_runs(workspace: Workspace, runs: Sequence[Run], *, by: Actor) -> Outcome:
    """Remove runs of the trash with all below them: rows now, bytes by `finish_removals`.

    `facts` tell n_bytes (of files, freed once the removals are finished) and n_runs. Refused: what
    is not in the trash with all below it, or still has a process.
    """
    require(by, Permission.PURGE, workspace)
    outcome = Outcome(facts={"n_bytes": 0, "n_runs": 0})
    with transaction.atomic():
        chosen: list[Run] = []
        for run in locked(runs):
            if run.deleted_at is None:
                outcome.refused.append((run, NOT_IN_TRASH))
            elif run.deleted_with != run.pk:
                outcome.refused.append((run, WENT_ALONG))
            else:
                chosen.append(run)
        doomed: list[Run] = []
        for family in families_of(chosen, among=Run.objects.filter(workspace=workspace)):
            if why := _why_kept(family):
                outcome.refused.append((family.top, why))
            else:
                doomed += family.members
        outcome.facts = {"n_bytes": _remove_rows(doomed), "n_runs": len(doomed)}
    gone = {run.pk for run in doomed}
    refused = {run.pk for run, _ in outcome.refused}
    outcome.done = [run for run in chosen if run.pk in gone]
    outcome.refused += [(r, STILL_ENDING) for r in chosen if r.pk not in gone | refused]
    return outcome


def _why_kept(family: Family) -> str:
    if any(run.deleted_at is None for run in family.members):
        return CHILD_IS_USED
    return "" if all(run.is_terminal for run in family.members) else STILL_ENDING


def _remove_rows(runs: Sequence[Run]) -> int:
    """Delete the runs with all that hangs on them; how many bytes their files have."""
    n_bytes = 0
    ids = [run.pk for run in runs]
    for at in range(0, len(ids), IDS_PER_QUERY):
        part = ids[at : at + IDS_PER_QUERY]
        sizes = Artifact.objects.filter(run__in=part).order_by()
        for row in sizes.values("run", "workspace").annotate(n=Sum("n_bytes")):
            prefix = folder_of(row["workspace"], row["run"])
            Removal.objects.create(prefix=prefix, workspace_id=row["workspace"], n_bytes=row["n"])
            n_bytes += row["n"]
        jobs = list(
            Run.objects.filter(pk__in=part, job__isnull=False).values_list("job_id", flat=True)
        )
        for run in runs[at : at + IDS_PER_QUERY]:
            revoke_run_tokens(run.uid, run.workspace)
        Run.objects.filter(pk__in=part).delete()
        Job.objects.filter(pk__in=jobs).delete()
    return n_bytes


class BytesHeld(Exception):
    """Somebody copies the bytes, as a backup does: none may be deleted now."""


def remove_newest_runs(workspace: Workspace, most: int) -> tuple[int, int]:
    """(runs, bytes of their files) whose rows are gone: the newest `most` of a workspace that is
    being deleted, in the trash or not. Child runs are younger than what they hang on, so every run
    is named by a Removal. The caller has seen to it that none has a process."""
    with in_turn():
        runs = list(Run.objects.filter(workspace=workspace).order_by("-pk")[:most])
        return len(runs), _remove_rows(runs)


def remove_bytes_of(workspace: Workspace) -> int:
    """Delete every byte of a workspace whose rows are gone, runs' and others; how many files.
    Again does what is left. Raises BytesHeld, with nothing deleted."""
    if are_held():
        raise BytesHeld
    n_files = finish_removals(workspace)
    for folder in folders_of_workspace(workspace.pk):
        for key in list(store().list(folder)):
            n_files += store().delete(key) and key == owner_key(key)
    return n_files


def finish_removals(
    workspace: Workspace | None = None, *, tick: Callable[[], None] = lambda: None
) -> int:
    """Delete the bytes that purged rows left named, with what was noted beside them and those of
    images that no description names any more; how many files. Two at once are harmless. While
    bytes are held, none.

    `tick` is called before each file: a bucket may take long.
    """
    if are_held():
        return 0
    forget_unused(workspace)
    waiting = Removal.objects.order_by("pk")
    if workspace is not None:
        waiting = waiting.filter(workspace=workspace)
    n_files = 0
    for removal in waiting.iterator(chunk_size=100):
        for key in list(store().list(removal.prefix)):
            tick()
            n_files += store().delete(key) and key == owner_key(key)
        removal.delete()
    return n_files


def sweep_orphans(*, older_than_s: float = UPLOAD_TAKES_S) -> int:
    """Delete bytes of runs and images that no row names: left by writers of purged runs and by
    uploads that were killed before their row; and all those of workspaces that are gone. Returns
    the number of bytes freed.
    """
    if are_held():
        return 0
    finish_removals()
    n_bytes = sweep_attachments(older_than_s=older_than_s) + sweep_uploads()
    n_bytes += sum(_sweep_left(kind) for kind in ("attachments/", "source/", "uploads/"))
    keys: list[str] = []
    for key in store().list("runs/"):
        keys.append(key)
        if len(keys) == KEYS_PER_QUERY:
            n_bytes += _sweep(keys, older_than_s)
            keys = []
    return n_bytes + _sweep(keys, older_than_s)


def _sweep_left(kind: str) -> int:
    """Delete bytes of one kind in workspaces that are gone; how many bytes (1 query)."""
    by_room: dict[int, list[str]] = {}
    for key in store().list(kind):
        room = key.split("/")[1]
        if room.isdecimal():
            by_room.setdefault(int(room), []).append(key)
    # Asked after they were listed: a workspace made meanwhile is not taken for a gone one.
    there = set(Workspace.objects.values_list("pk", flat=True))
    return sum(_swept(key) for room in by_room.keys() - there for key in by_room[room])


def _swept(key: str) -> int:
    """Delete one key; how many bytes it had."""
    with contextlib.suppress(BlobNotFound):  # another sweep may be quicker
        size = store().size(key)
        if store().delete(key):
            logger.info("swept orphan key=%s bytes=%d", key, size)
            return size
    return 0


def _sweep(keys: Sequence[str], older_than_s: float) -> int:
    """Of these keys, delete those of no run, and the old ones of no artifact."""
    owners = {key: int(key.split("/")[2]) for key in keys if _is_ours(key)}
    ids = set(owners.values())
    living = set(Run.objects.filter(pk__in=ids).values_list("pk", flat=True))
    wanted = {owner_key(key) for key in owners}
    named = set(
        Artifact.objects.filter(run__in=living, blob_key__in=wanted).values_list(
            "blob_key", flat=True
        )
    )
    n_bytes = 0
    for key, run_id in owners.items():
        # Another sweep may be quicker.
        with contextlib.suppress(BlobNotFound):
            if owner_key(key) in named or (run_id in living and store().age_s(key) < older_than_s):
                continue
            n_bytes += _swept(key)
    return n_bytes


def _is_ours(key: str) -> bool:
    parts = key.split("/")
    return len(parts) == 5 and parts[2].isdecimal()

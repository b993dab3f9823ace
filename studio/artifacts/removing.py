"""Removing files of a run, one or a folder of them, for good."""

from django.db import transaction

from studio.accounts.permissions import Actor, Permission
from studio.artifacts.actions import GrowingLog, delete_bytes
from studio.artifacts.models import Artifact, hash_of_path
from studio.artifacts.paths import clean_path
from studio.runs.actions.rights import require_on
from studio.runs.lifecycle import record_event
from studio.runs.models import Run

PER_QUERY = 500
TOLD = 20


def remove_artifacts(run: Run, path: str, *, by: Actor) -> int:
    """Remove the file `path` of the run and all below the folder of that name; how many.

    It can't be undone. Raises Invalid, GrowingLog; nothing is removed then. Queries: 2, and when
    files are found 1 more and 1 for each 500 of them.
    """
    require_on(by, Permission.DELETE_RUN, run)
    label = clean_path(path)
    with transaction.atomic():
        found = [
            *Artifact.objects.filter(run=run, path_hash=hash_of_path(label)),
            *Artifact.objects.of(run, below=f"{label}/").order_by("path"),
        ]
        for each in found:
            if not each.is_complete and not run.is_terminal:
                raise GrowingLog(each.path)
        for at in range(0, len(found), PER_QUERY):
            ids = [each.pk for each in found[at : at + PER_QUERY]]
            Artifact.objects.filter(pk__in=ids).delete()
        if found:
            gone = {each.path: f"{each.n_bytes:,} bytes" for each in found[:TOLD]}
            if len(found) > TOLD:
                gone["…"] = f"{len(found) - TOLD:,} more"
            record_event(run, "files_removed", by=by, before=gone, after={})
        # Only after the commit: until then readers are sent to the bytes.
        transaction.on_commit(lambda: _delete_bytes(found))
    return len(found)


def _delete_bytes(files: list[Artifact]) -> None:
    for each in files:
        delete_bytes(each.blob_key)

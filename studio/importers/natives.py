"""Runs of an archive that were never imported here because they are from here."""

from collections.abc import Sequence

from studio.accounts.models import Workspace
from studio.importers.models import ImportedRun
from studio.runs.as_json import iso
from studio.runs.models import Run

STUDIO = "studio"
_MARK = "run:"


def native_origin(text: str) -> str:
    """The origin of the run that an archive calls so (exports.archive_runs.origin_of).

    Raises ValueError for what is none.
    """
    uid, at, moment = text.rpartition("@")
    if not (uid and at and moment and text.isprintable()):
        raise ValueError("origin is none")
    return f"{_MARK}{text}"


def natives(workspace: Workspace, origins: Sequence[str]) -> dict[str, ImportedRun]:
    """Rows, not saved, for those of the origins whose run lives here under its own id (1 query for
    each 500): what an archive tells of them is older, or the same."""
    found: dict[str, ImportedRun] = {}
    for start in range(0, len(origins), 500):
        part = set(origins[start : start + 500])
        uids = {origin.removeprefix(_MARK).rpartition("@")[0] for origin in part}
        runs = Run.objects.filter(workspace=workspace, uid__in=uids)
        for run in runs.select_related("experiment", "root"):
            origin = f"{_MARK}{run.uid}@{iso(run.created_at)}"
            if origin in part:
                found[origin] = ImportedRun(
                    workspace=workspace, source=STUDIO, origin=origin, run=run, is_whole=True
                )
    return found

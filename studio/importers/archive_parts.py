"""What an archive of a studio holds beside runs: sources, images, experiments, steps, views."""

from typing import Any

from studio.accounts.permissions import NotAllowed
from studio.artifacts.attachments import import_image
from studio.artifacts.snapshots import SnapshotError, make_snapshot, store_blob
from studio.blobs import DigestMismatch
from studio.custom_views.as_code import REFUSED, import_views
from studio.custom_views.plain_yaml import MAX_BYTES
from studio.importers.archive_zip import EXPERIMENTS, VIEWS, ArchiveZip, load
from studio.importers.fitting import experiment_name, fitting_description
from studio.importers.models import ImportedRun
from studio.importers.natives import STUDIO, native_origin
from studio.importers.report import Report
from studio.importers.wish import Wish
from studio.runs.actions.experiments import describe_experiment
from studio.runs.actions.importing import import_dependencies, keep_title
from studio.runs.limits import Invalid
from studio.runs.models import Experiment, Run
from studio.wire import FileEntry

MAX_SNAPSHOT_BYTES = 64 << 20
MAX_IMAGES = 100_000
# A name of a member of `images/` begins with so many digits of a digest.
_DIGITS = 40
BROKEN = (ValueError, LookupError, TypeError, Invalid, SnapshotError, DigestMismatch)


def store_sources(archive: ArchiveZip, wish: Wish, report: Report) -> None:
    """Store the sources of all runs; one that is here already is read and compared, not stored."""
    for name in archive.names("sources"):
        wish.tick()
        try:
            with archive.open(name) as stream:
                store_blob(wish.workspace, name.removeprefix("sources/"), stream, by=wish.by)
        except BROKEN as error:
            report.note(name, str(error))
    for name in archive.names("snapshots"):
        wish.tick()
        try:
            files = load(archive.text(name, most=MAX_SNAPSHOT_BYTES))["files"]
            entries = [_entry(one) for one in files]
            made = make_snapshot(wish.workspace, entries, by=wish.by)
            if made.digest not in name:
                report.note(name, "The list of files is not the one that the runs name.")
        except BROKEN as error:
            report.note(name, str(error))


def _entry(one: dict[str, Any]) -> FileEntry:
    return FileEntry(
        path=str(one["path"]),
        digest=str(one["digest"]),
        size=int(one["size"]),
        executable=bool(one["executable"]),
    )


def store_images(archive: ArchiveZip, wish: Wish, report: Report) -> None:
    for name in archive.names("images")[:MAX_IMAGES]:
        wish.tick()
        try:
            label = name.removeprefix("images/")[_DIGITS + 1 :]
            with archive.open(name) as stream:
                import_image(wish.workspace, label, stream, by=wish.by)
        except BROKEN as error:
            report.note(name, str(error))


def describe_experiments(archive: ArchiveZip, wish: Wish, report: Report) -> None:
    """Give the experiments that this import made their titles and descriptions; those that were
    here keep their own."""
    if wish.experiment or not archive.has(EXPERIMENTS):
        return
    try:
        for line in archive.lines(EXPERIMENTS):
            name = experiment_name(str(line.get("name")))
            if name not in report.new_experiments:
                continue
            found = Experiment.objects.of(wish.workspace).get(name=name)
            keep_title(found, str(line.get("title") or ""))
            text, _ = fitting_description(str(line.get("description") or ""))
            if text:
                describe_experiment(found, text, by=wish.by, expected_version=0)
    except BROKEN as error:
        report.note(EXPERIMENTS, str(error))


def join_steps(archive: ArchiveZip, wish: Wish, report: Report) -> None:
    """Which step of a pipeline waited for which, of the runs that were imported."""
    for name in archive.names("runs"):
        try:
            for line in archive.lines(name):
                wish.tick()
                if needs := line.get("depends_on"):
                    _join(wish, native_origin(str(line.get("origin"))), needs)
        except BROKEN as error:
            report.note(name, str(error))


def _join(wish: Wish, origin: str, needs: list[Any]) -> None:
    origins = [origin, *(native_origin(str(one)) for one in needs[:1000])]
    rows = ImportedRun.objects.filter(workspace=wish.workspace, source=STUDIO, origin__in=origins)
    found: dict[str, Run] = {
        row.origin: row.run for row in rows.select_related("run__workspace") if row.run is not None
    }
    if run := found.pop(origin, None):
        import_dependencies(run, list(found.values()), by=wish.by)


def take_views(archive: ArchiveZip, wish: Wish, report: Report) -> None:
    """The views of the archive as views of whoever imports; the studio itself can have none."""
    if not archive.has(VIEWS):
        return
    if wish.by.user is None:
        report.note(VIEWS, "Nobody is named whose views they are: name somebody with --user.")
        return
    try:
        text = archive.text(VIEWS, most=MAX_BYTES)
        for one in import_views(wish.workspace, text, by=wish.by):
            if one.result == REFUSED:
                report.note(f"{VIEWS}: {one.name}", one.reason)
    except (*BROKEN, NotAllowed) as error:
        report.note(VIEWS, str(error))

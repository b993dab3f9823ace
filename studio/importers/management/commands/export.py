"""`manage.py export FILE.zip --workspace W`: runs with everything they have, to import again."""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from studio.accounts.models import Workspace
from studio.accounts.permissions import Actor
from studio.bulk.selection import Selection, checked, selected_ids
from studio.custom_views.as_code import export_views
from studio.custom_views.listing import shared_views
from studio.exports.archive import Archive, archive_of
from studio.runs.limits import Invalid
from studio.search.errors import SearchSyntaxError


class Command(BaseCommand):
    help = (
        "Write runs with everything they have (points, files, logs, sources, child runs) to a ZIP "
        "that `manage.py import studio-zip` reads: the whole workspace with its shared views, or "
        "the runs of a query or with the ids given. Runs in the trash are left out."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE.zip", help="the file to write, - for the output")
        parser.add_argument("--workspace", required=True)
        parser.add_argument("--query", help="root runs that match, with their child runs")
        parser.add_argument("--experiment", default="", help="only runs of this experiment")
        parser.add_argument("--runs", nargs="+", metavar="ID", help="these runs")

    def handle(self, *args: Any, **options: Any) -> None:
        workspace = Workspace.objects.filter(name=options["workspace"]).first()
        if workspace is None:
            raise CommandError(f"There is no workspace “{options['workspace']}”.")
        try:
            archive = _archive(workspace, options)
        except (Invalid, SearchSyntaxError) as refused:
            raise CommandError(str(refused)) from refused
        if options["file"] == "-":
            for piece in archive.stream():
                sys.stdout.buffer.write(piece)
            return
        try:
            n_bytes = _write(archive, Path(options["file"]))
        except OSError as problem:
            raise CommandError(f"{problem.filename}: {problem.strerror}.") from problem
        self.stdout.write(f"{len(archive.ids):,} runs, {n_bytes:,} bytes in {options['file']}.")


def _archive(workspace: Workspace, options: dict[str, Any]) -> Archive:
    query, uids, experiment = options["query"], options["runs"], options["experiment"]
    is_whole, views = query is None and not uids and not experiment, ""
    if is_whole:
        by = Actor.system("command line")
        views = export_views(workspace, shared_views(workspace), by=by)
    selection = Selection(
        uids=tuple(uids) if uids else None, query=query or "", experiment=experiment
    )
    ids = selected_ids(checked(selection), workspace, user=None, is_whole=is_whole)
    return archive_of(workspace, ids, views=views)


def _write(archive: Archive, file: Path) -> int:
    """Write it beside its place first: a file of that name is whole."""
    half = file.with_name(f"{file.name}.part")
    n_bytes = 0
    try:
        with half.open("wb") as stream:
            for piece in archive.stream():
                n_bytes += stream.write(piece)
        half.replace(file)
    finally:
        half.unlink(missing_ok=True)
    return n_bytes

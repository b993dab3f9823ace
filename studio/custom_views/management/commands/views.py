"""`manage.py views export|import`: custom views as a YAML file."""

import sys
from collections import Counter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from studio.accounts.models import User, Workspace
from studio.accounts.permissions import Actor, NotAllowed
from studio.custom_views.as_code import REFUSED, ViewReport, export_views, import_views
from studio.custom_views.listing import shared_views
from studio.custom_views.plain_yaml import MAX_BYTES
from studio.runs.limits import Invalid

EXPORT = (
    "Write the views of a workspace as YAML: those shared with everyone in it. Private views, and "
    "those shared with named people, are left out, for they are their owners'; with --user all own "
    "views of that person are written too."
)
IMPORT = (
    "Make a person's own views as a YAML file says: new names are created, others get a new "
    "version, what is the same stays. Exits with 1 if a view was refused; the others are taken."
)


class Command(BaseCommand):
    help = "Custom views as code: write them to a YAML file, or take them from one."

    def add_arguments(self, parser: CommandParser) -> None:
        tasks = parser.add_subparsers(dest="task", required=True, metavar="{export,import}")
        export = tasks.add_parser("export", help=EXPORT, description=EXPORT)
        export.add_argument("workspace")
        export.add_argument("--user", help="also all own views of this person")
        export.add_argument("--output", metavar="FILE", help="the file to write, else the screen")
        taking = tasks.add_parser("import", help=IMPORT, description=IMPORT)
        taking.add_argument("workspace")
        taking.add_argument("file", help="the YAML file, - for standard input")
        taking.add_argument("--user", required=True, help="whose views they are")
        taking.add_argument("--dry-run", action="store_true", help="change nothing, tell the same")
        taking.add_argument(
            "--share",
            action="store_true",
            help="also who else sees and edits each, as the file says (without: left as it is)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        workspace = Workspace.objects.open().filter(name=options["workspace"]).first()
        if workspace is None:
            raise CommandError(f"There is no workspace “{options['workspace']}”.")
        user = None
        if options["user"]:
            user = User.objects.filter(username=options["user"], is_active=True).first()
            if user is None:
                raise CommandError(f"There is no active user “{options['user']}”.")
        try:
            if options["task"] == "export":
                self._export(workspace, user, options["output"])
            else:
                by = Actor.of_user(user) if user else Actor.system("command line")
                self._import(workspace, by, options)
        except (Invalid, NotAllowed) as refused:
            raise CommandError(str(refused)) from refused
        except OSError as problem:
            raise CommandError(f"{problem.filename}: {problem.strerror}.") from problem

    def _export(self, workspace: Workspace, user: User | None, output: str | None) -> None:
        by = Actor.of_user(user) if user else Actor.system("command line")
        text = export_views(workspace, shared_views(workspace, and_of=user), by=by)
        if output:
            Path(output).write_text(text, encoding="utf-8")
        else:
            self.stdout.write(text, ending="")

    def _import(self, workspace: Workspace, by: Actor, options: dict[str, Any]) -> None:
        dry_run = options["dry_run"]
        reports = import_views(
            workspace, _content(options["file"]), by=by, dry_run=dry_run, share=options["share"]
        )
        for report in reports:
            self.stdout.write(_line(report))
            if report.unknown:
                names = ", ".join(map(str, report.unknown))
                self.stdout.write(_printable(f"           not in this workspace: {names}"))
        if dry_run:
            self.stdout.write("Nothing was changed: this was a dry run.")
        n_refused = Counter(report.result for report in reports)[REFUSED]
        if n_refused:
            raise CommandError(f"Refused: {n_refused} of {len(reports)}.")


def _content(file: str) -> bytes:
    """The file's bytes, as many as are read and one more."""
    if file == "-":
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    with Path(file).open("rb") as stream:
        return stream.read(MAX_BYTES + 1)


def _line(report: ViewReport) -> str:
    more = f": {report.reason}" if report.reason else ""
    more += f" ({report.changes})" if report.changes else ""
    return _printable(f"{report.result:<10} {report.name}{more}")


def _printable(text: str) -> str:
    """Without what would move a terminal's cursor."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)

"""`manage.py import KIND SOURCE --workspace W`: histories of other trackers as ordinary runs."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import click
from django.core.management.base import BaseCommand, CommandError, CommandParser

from studio.accounts.models import User, Workspace
from studio.accounts.permissions import Actor, NotAllowed
from studio.blobs import BlobError
from studio.importers.importing import Import
from studio.importers.records import SourceError
from studio.importers.report import Report
from studio.importers.sources import SourceOptions, kind_of, kinds
from studio.importers.wish import Wish
from studio.runs.limits import Invalid

TELL_EVERY_S = 5.0


class Command(BaseCommand):
    help = (
        "Import the history of another tracker as ordinary runs. Repeatable: runs that are here "
        "already are left alone, or completed when they grew. Exits with 1 when something was "
        "skipped, cut or left out (the report says what), with 2 when nothing could be done, with "
        "130 after Ctrl-C; what was stored by then is whole, and the same command goes on."
    )

    # They load every page's code, which takes longer than a small import.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        takes = "; ".join(f"{kind.name}: {kind.takes}" for kind in kinds())
        parser.add_argument("kind", choices=[kind.name for kind in kinds()], metavar="KIND")
        parser.add_argument("source", metavar="SOURCE", help=takes)
        parser.add_argument("--workspace", required=True)
        parser.add_argument("--user", help="whose runs they are where the source names no member")
        parser.add_argument("--experiment", default="", help="put all runs into this experiment")
        parser.add_argument("--dry-run", action="store_true", help="read all, write nothing, tell")
        parser.add_argument("--report", type=Path, metavar="FILE", help="the report as JSON")
        parser.add_argument("--again", action="store_true", help="also runs that were deleted here")
        parser.add_argument("--deleted", action="store_true", help="also those deleted there")
        parser.add_argument(
            "--artifacts", type=Path, metavar="DIR", help="where the files of runs lie (mlflow-db)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            report = self._import(options)
        except (SourceError, NotAllowed, Invalid, BlobError) as refused:
            raise CommandError(str(refused), returncode=2) from refused
        except OSError as problem:
            raise CommandError(
                f"{problem.filename}: {problem.strerror}.", returncode=2
            ) from problem
        self.stdout.write(report.as_text())
        if report.is_dry:
            self.stdout.write("Nothing was changed: this was a dry run.")
        if options["report"]:
            text = json.dumps(report.as_json(), indent=2, ensure_ascii=False)
            options["report"].write_text(text + "\n", encoding="utf-8", errors="replace")
        if report.was_stopped:
            raise CommandError("Stopped. The same command goes on from here.", returncode=130)
        if not report.is_complete:
            raise CommandError(f"{report.n_problems:,} problems.", returncode=1)

    def _import(self, options: dict[str, Any]) -> Report:
        wish = _wish_of(options)
        asked = SourceOptions(artifacts=options["artifacts"], deleted=options["deleted"])
        with kind_of(options["kind"]).open(options["source"], asked) as reader:
            work = Import(reader, wish)
            try:
                self._watch(work, reader.count())
            except KeyboardInterrupt:
                work.report.was_stopped = True
        return work.report

    def _watch(self, work: Import, n_total: int | None) -> None:
        """A bar on a terminal, else a line every few seconds."""
        if sys.stderr.isatty():
            n_shown = 0
            with click.progressbar(
                length=n_total or 1, label="Runs", show_pos=True, file=sys.stderr
            ) as bar:
                for _ in work.steps():
                    bar.update(work.n_seen - n_shown)
                    n_shown = work.n_seen
            return
        told_at = time.monotonic()
        for _ in work.steps():
            if time.monotonic() - told_at > TELL_EVERY_S:
                of = f" of {n_total:,}" if n_total is not None else ""
                self.stderr.write(f"{work.n_seen:,}{of} runs")
                told_at = time.monotonic()


def _wish_of(options: dict[str, Any]) -> Wish:
    workspace = Workspace.objects.open().filter(name=options["workspace"]).first()
    if workspace is None:
        raise SourceError(f"There is no workspace “{options['workspace']}”.")
    by = Actor.system("command line")
    if options["user"]:
        user = User.objects.filter(username=options["user"], is_active=True).first()
        if user is None:
            raise SourceError(f"There is no active user “{options['user']}”.")
        by = Actor.of_user(user)
    return Wish(
        workspace=workspace,
        by=by,
        experiment=options["experiment"],
        again=options["again"],
        is_dry=options["dry_run"],
        trusts_names=True,
    )

"""`manage.py restore FILE`: a studio from a backup."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from studio.blobs import BlobError
from studio.operations.archive import BrokenBackup
from studio.operations.dumping import NoDump
from studio.operations.restoring import NotRestored, restore_backup


class Command(BaseCommand):
    help = "Fill an empty studio with what a backup holds, after checking every byte of it."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--force", action="store_true", help="replace what is there")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"].absolute()
        try:
            done = restore_backup(path, self.stderr.write, force=options["force"])
        except (NotRestored, BrokenBackup) as refused:
            raise CommandError(str(refused)) from refused
        except (NoDump, BlobError, OSError) as problem:
            raise CommandError(f"Not restored: {problem}") from problem
        self.stdout.write(
            f"{done.n_rows:,} rows, {done.n_blobs:,} files of {done.n_bytes:,} bytes; "
            f"{done.n_closed:,} runs were active and are closed as lost"
        )

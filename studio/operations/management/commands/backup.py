"""`manage.py backup FILE`: everything that must not be lost, in one file."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from studio.blobs import BlobError
from studio.operations.backup import write_backup
from studio.operations.dumping import NoDump


class Command(BaseCommand):
    help = "Write database and files into FILE (a tar), while the studio works. Needs the room of the database once more beside FILE."  # noqa: E501
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"].absolute()
        if not path.parent.is_dir():
            raise CommandError(f"There is no folder {path.parent}.")
        try:
            made = write_backup(path, self.stderr.write)
        except (NoDump, BlobError, OSError) as problem:
            raise CommandError(f"No backup was made: {problem}") from problem
        self.stdout.write(
            f"{path}: {made.n_rows:,} rows, {made.n_blobs:,} files of {made.n_bytes:,} bytes"
        )
        if made.n_missing:
            raise CommandError(
                f"The storage has lost {made.n_missing:,} files that rows name; they are listed in "
                "“missing” in the backup, which has everything else."
            )

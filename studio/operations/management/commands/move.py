"""`manage.py move --to postgres://…`: the database of this studio, moved from SQLite."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, InterfaceError

from studio.operations.moving import NotMoved, move_to


class Command(BaseCommand):
    help = "Copy everything from SQLite to an empty PostgreSQL database and compare both."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--to", required=True, help="postgres://user:password@host:5432/name")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            moved = move_to(settings.DATABASE_OF(options["to"]), self.stderr.write)
        except NotMoved as refused:
            raise CommandError(str(refused)) from refused
        except (DatabaseError, InterfaceError) as problem:
            raise CommandError(f"Not moved: {problem}") from problem
        n_rows = sum(proof.n_rows for proof in moved.values())
        self.stdout.write(
            f"{len(moved)} tables, {n_rows:,} rows: the same number and checksum on both sides. "
            "Start web and workers with DATABASE_URL set to the new address."
        )

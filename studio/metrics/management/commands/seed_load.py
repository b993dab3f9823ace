"""`manage.py seed_load --runs N`: a large, deterministic workspace to measure with."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from studio.accounts.actions import add_workspace
from studio.accounts.models import User
from studio.metrics.models import Metric
from studio.metrics.seeding import Seeder, write_series


class Command(BaseCommand):
    help = "Fill a workspace with deterministic load data (runs, tags, parameters, metrics)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--runs", type=int, required=True)
        parser.add_argument("--points", type=int, default=0, help="points of one run's loss")
        parser.add_argument("--workspace", default="load")
        parser.add_argument("--user", default="admin", help="submitter and owner")
        parser.add_argument("--seed", type=int, default=1)

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no user “{options['user']}”.")
        workspace = add_workspace(options["workspace"], owner=user)
        began = time.monotonic()
        Seeder(workspace, user, seed=options["seed"]).write(options["runs"])
        if options["points"]:
            metric = Metric.objects.filter(workspace=workspace, name="loss").latest("pk")
            write_series(metric, options["points"], seed=options["seed"])
        if connection.vendor == "sqlite":
            # As a studio that has run for a day: its planner has statistics to go by.
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA analysis_limit=400")
                cursor.execute("ANALYZE")
        took_s = time.monotonic() - began
        self.stdout.write(
            f"{options['runs']:,} runs in {took_s:.1f} s ({options['runs'] / took_s:,.0f}/s)"
        )

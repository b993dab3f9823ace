"""`manage.py seed_load --runs N`: a large, deterministic workspace to measure with."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from studio.accounts.actions import WorkspaceClosed, add_workspace
from studio.accounts.models import User
from studio.metrics.loading import analyze
from studio.metrics.made_up import ROUND
from studio.metrics.models import Metric
from studio.metrics.seeding import MANY, Seeder, write_series


class Command(BaseCommand):
    help = (
        "Fill a workspace with deterministic load data (runs, tags, parameters, metrics). In a "
        f"studio with less than {MANY:,} runs this is one transaction, which drops the indexes and "
        "makes them again at its end: soonest, but nobody else can write meanwhile (on PostgreSQL "
        f"nor read); interrupted, it leaves all as it was. With more runs the indexes stay, and "
        f"every {ROUND:,} runs are a transaction: others go on working; interrupted, it leaves the "
        "runs written so far."
    )

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
        try:
            workspace = add_workspace(options["workspace"], owner=user)
        except WorkspaceClosed as closed:
            raise CommandError(str(closed)) from closed
        began = time.monotonic()
        Seeder(workspace, user, seed=options["seed"]).write(options["runs"], self._tell)
        if options["points"]:
            metric = Metric.objects.filter(workspace=workspace, name="loss").latest("pk")
            write_series(metric, options["points"], seed=options["seed"])
        analyze()
        took_s = time.monotonic() - began
        self.stdout.write(
            f"{options['runs']:,} runs in {took_s:.1f} s ({options['runs'] / took_s:,.0f}/s)"
        )

    def _tell(self, text: str) -> None:
        """How far it is, beside the result."""
        self.stderr.write(text)

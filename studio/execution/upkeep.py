"""What a worker sees to besides its runs: statistics for SQLite's planner (PostgreSQL gathers its
own), and that status changes are told of."""

from django.db import connection

from studio.compute.doorbell import ring_news
from studio.runs.models import StatusNews


def refresh_statistics() -> None:
    """Look at a sample of every index again: 0.2 s at 100,000 runs, 2 s at 1,000,000.

    A smaller sample makes a workspace look as small as it, and SQLite then walks a million runs
    where it could begin at two hundred ids. Without any it walks the newest-first index for rare
    matches: 29 ms instead of 0.6 ms at 100,000 runs.
    """
    if connection.vendor != "sqlite":
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA analysis_limit=20000")
        # Not PRAGMA optimize: what it looks at differs from one version of SQLite to the next.
        cursor.execute("ANALYZE")


def tell_news() -> bool:
    """Ring when status changes wait to be told of: one ring for all of them (1 query)."""
    return StatusNews.objects.exists() and ring_news()

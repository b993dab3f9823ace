"""What keeps a database quick: statistics for SQLite's planner (PostgreSQL gathers its own)."""

from django.db import connection


def refresh_statistics() -> None:
    """Look again at tables that changed much; a few milliseconds when none did.

    Without statistics SQLite walks the newest-first index for rare matches: 29 ms instead of
    0.6 ms at 100,000 runs.
    """
    if connection.vendor != "sqlite":
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA analysis_limit=400")
        cursor.execute("PRAGMA optimize=0x10002")

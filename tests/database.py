"""The test's database, for processes of their own."""

import sqlite3
from pathlib import Path


def address_for_others(folder: Path) -> str:
    """A DATABASE_URL for other processes: PostgreSQL's own, or a file with SQLite's content (then
    what they write is not seen here)."""
    from django.db import connection

    if connection.vendor == "postgresql":
        facts = connection.get_connection_params()
        user, host = facts.get("user", ""), facts.get("host", "")
        return f"postgres://{user}@{host}:{facts.get('port', 5432)}/{facts['dbname']}"
    path = folder / "others.sqlite3"
    connection.ensure_connection()
    with sqlite3.connect(path) as copy:
        connection.connection.backup(copy)
    copy.close()
    return f"sqlite:///{path}"

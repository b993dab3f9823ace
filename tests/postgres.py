"""A PostgreSQL database of a test's own, which other processes use too."""

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg

from tests.prepared import ROOT, migrate

SERVER = os.environ.get("TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres")


# Whoever makes the database with all tables; any number that nobody else locks.
LOCK = 7_346_201


@contextlib.contextmanager
def database_of_its_own(*, is_empty: bool = False) -> Iterator[str]:
    """The name of a new database on the tests' PostgreSQL server, with all tables."""
    name = f"faults_{os.getpid()}_{secrets.token_hex(3)}"
    template = "template1" if is_empty else with_tables()
    with psycopg.connect(SERVER, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield name
    finally:
        with psycopg.connect(SERVER, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def with_tables() -> str:
    """The database that others are copies of. It stays on the server until the migrations are
    others: to make it takes longer than most tests."""
    told = hashlib.sha256()
    for path in sorted((ROOT / "studio").glob("*/migrations/*.py")):
        told.update(path.read_bytes())
    name = f"studio_tables_{told.hexdigest()[:12]}"
    with psycopg.connect(SERVER, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        rows = connection.execute("SELECT datname FROM pg_database").fetchall()
        known = {row[0] for row in rows if row[0].startswith("studio_tables_")}
        if name not in known:
            for old in known:
                connection.execute(f"DROP DATABASE {old} WITH (FORCE)")
            connection.execute(f"CREATE DATABASE {name}_draft")
            migrate(address_of(f"{name}_draft"))
            connection.execute(f"ALTER DATABASE {name}_draft RENAME TO {name}")
    return name


def address_of(name: str, *, at: tuple[str, int] | None = None) -> str:
    """The database's URL, or what it is behind another host and port."""
    parts = urlsplit(SERVER)
    user = parts.netloc.rpartition("@")[0]
    host, port = at or (parts.hostname, parts.port or 5432)
    return f"postgres://{user}@{host}:{port}/{name}"

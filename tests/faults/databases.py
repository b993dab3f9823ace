"""A PostgreSQL database of a test's own, which other processes use too."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg

SERVER = os.environ.get("TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres")


@contextlib.contextmanager
def database_of_its_own() -> Iterator[str]:
    """The name of a new database on the tests' PostgreSQL server."""
    name = f"faults_{os.getpid()}_{secrets.token_hex(3)}"
    with psycopg.connect(SERVER, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    try:
        yield name
    finally:
        with psycopg.connect(SERVER, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def address_of(name: str, *, at: tuple[str, int] | None = None) -> str:
    """The database's URL, or what it is behind another host and port."""
    parts = urlsplit(SERVER)
    user = parts.netloc.rpartition("@")[0]
    host, port = at or (parts.hostname, parts.port or 5432)
    return f"postgres://{user}@{host}:{port}/{name}"

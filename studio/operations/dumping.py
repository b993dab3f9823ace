"""The database in one piece, as it is at one moment, while others write to it."""

import contextlib
import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.apps import apps
from django.contrib.sessions.models import Session
from django.db import connection

# Whoever has the key of a session is signed in: a copy that lies elsewhere must not hold any.
SESSIONS = Session._meta.db_table
ROWS_AT_ONCE = 2_000
PG_NAMES = {
    **{"dbname": "PGDATABASE", "user": "PGUSER", "password": "PGPASSWORD"},
    **{"host": "PGHOST", "port": "PGPORT", "sslmode": "PGSSLMODE"},
    **{"sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY", "sslrootcert": "PGSSLROOTCERT"},
}


# Lines of a dump's contents; to drop an extension, or to comment on it, takes its owner.
OF_EXTENSIONS = re.compile(r"\d+; \d+ \d+ (EXTENSION|COMMENT) - ")


class NoDump(Exception):
    """The database cannot be copied, or not put back; the message says what to do."""


@dataclass
class Copy:
    """The database as it was: `file` to keep, and answers about the same moment from `rows`."""

    file: Path
    cursor: Any

    def rows(self, question: str) -> Iterator[tuple[Any, ...]]:
        self.cursor.execute(question)
        while found := self.cursor.fetchmany(ROWS_AT_ONCE):
            yield from found

    def counts(self) -> dict[str, int]:
        """Table -> how many rows, of all that is kept."""
        return {table: next(self.rows(f'SELECT COUNT(*) FROM "{table}"'))[0] for table in tables()}  # noqa: S608


def tables() -> list[str]:
    """Every table of the models but those whose rows are not kept."""
    models = apps.get_models(include_auto_created=True)
    return sorted({model._meta.db_table for model in models} - {SESSIONS})


@contextlib.contextmanager
def copied(folder: Path) -> Iterator[Copy]:
    """A copy of the studio's database in a file in `folder`."""
    how = _of_sqlite if connection.vendor == "sqlite" else _of_postgresql
    with how(folder / "database") as made:
        yield made


@contextlib.contextmanager
def _of_sqlite(file: Path) -> Iterator[Copy]:
    with (
        contextlib.closing(sqlite3.connect(connection.settings_dict["NAME"])) as source,
        contextlib.closing(sqlite3.connect(file)) as copy,
    ):
        # In one step: a reader of one moment, which lets writers go on.
        source.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
        # Deleted rows would stay readable in the file.
        copy.execute("PRAGMA secure_delete=ON")
        copy.execute(f"DELETE FROM {SESSIONS}")  # noqa: S608
        copy.commit()
        yield Copy(file, copy.cursor())


@contextlib.contextmanager
def _of_postgresql(file: Path) -> Iterator[Copy]:
    """One snapshot for pg_dump and for what is asked here."""
    program = _program("pg_dump")
    with contextlib.closing(_own_connection()) as own:
        own.isolation_level = 3  # repeatable read
        own.read_only = True
        (snapshot,) = own.execute("SELECT pg_export_snapshot()").fetchone()
        words = [f"--snapshot={snapshot}", "--format=custom", f"--file={file}"]
        words += [f"--exclude-table-data={SESSIONS}", "--no-owner", "--no-privileges"]
        _run([program, *words])
        yield Copy(file, _OnServer(own))


class _OnServer:
    """A cursor on the server for each question, so that its rows come as they are read."""

    def __init__(self, own: Any) -> None:
        self.own = own
        self.cursor: Any = None

    def execute(self, question: str) -> None:
        if self.cursor is not None:
            self.cursor.close()
        self.cursor = self.own.cursor("backup")
        self.cursor.execute(question)

    def fetchmany(self, n: int) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = self.cursor.fetchmany(n)
        return found


def _own_connection() -> Any:
    import psycopg

    facts = connection.get_connection_params()
    return psycopg.connect(**{name: facts[name] for name in PG_NAMES if facts.get(name)})


def put_back(file: Path, *, replaces: bool) -> None:
    """Make the database what `file` holds. Raises NoDump."""
    connection.close()
    if connection.vendor == "sqlite":
        with (
            contextlib.closing(sqlite3.connect(file)) as source,
            contextlib.closing(sqlite3.connect(connection.settings_dict["NAME"])) as target,
        ):
            source.backup(target)
        return
    program, dbname = _program("pg_restore"), connection.get_connection_params()["dbname"]
    contents = _run([program, "--list", str(file)])
    _make_extensions(re.findall(r"^\d+; \d+ \d+ EXTENSION - (\S+)", contents, re.MULTILINE))
    chosen = file.with_name(f"{file.name}.contents")
    rest = [line for line in contents.splitlines() if not OF_EXTENSIONS.match(line)]
    chosen.write_text("\n".join(rest))
    clean = ["--clean", "--if-exists"] if replaces else []
    words = ["--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error", *clean]
    _run([program, *words, f"--use-list={chosen}", f"--dbname={dbname}", str(file)])


def _make_extensions(names: list[str]) -> None:
    """Raises NoDump. Those that are there stay as they are: another account may own them."""
    import psycopg
    from psycopg import sql

    for name in names:
        make = sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(sql.Identifier(name))
        try:
            with contextlib.closing(_own_connection()) as own:
                own.autocommit = True
                own.execute(make)
        except psycopg.Error as no:
            why = f"the extension {name} can't be made; have CREATE EXTENSION {name} done there"
            raise NoDump(f"{why}: {no}") from no


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise NoDump(f"{name} is needed for PostgreSQL; install its client (postgresql-client).")
    return found


def _run(words: list[str]) -> str:
    """What it says; raises NoDump."""
    done = subprocess.run(words, env=_environment(), capture_output=True, text=True)
    if done.returncode:
        raise NoDump(f"{Path(words[0]).name} failed: {done.stderr.strip()[-1000:]}")
    return done.stdout


def _environment() -> Mapping[str, str]:
    """Where the database is and its password, which a list of arguments would show to everybody."""
    facts = connection.get_connection_params()
    own = {PG_NAMES[name]: str(facts[name]) for name in PG_NAMES if facts.get(name)}
    return {**os.environ, **own}

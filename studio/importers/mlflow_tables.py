"""The database of an MLflow server, opened for reading only: SQLite files and PostgreSQL."""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from studio.importers.mlflow import PIECE
from studio.importers.records import SourceError

if TYPE_CHECKING:
    import psycopg

# Between two rows; a file that somebody made up could keep a query busy for ever.
PATIENCE_S = 60.0
# Of one value of a file that somebody made up.
MAX_VALUE_BYTES = 50_000_000
TABLES = (
    *("experiments", "runs", "metrics", "params", "tags", "inputs", "datasets", "input_tags"),
    *("logged_models", "logged_model_params", "logged_model_tags"),
)
_SQLITE_COLUMNS = "SELECT m.name, c.name FROM sqlite_master m, pragma_table_xinfo(m.name) c "
_SQLITE_COLUMNS += "WHERE m.type = 'table' AND m.sql NOT LIKE 'CREATE VIRTUAL%' AND c.hidden = 0"
_POSTGRESQL_COLUMNS = "SELECT table_name, column_name FROM information_schema.columns c "
_POSTGRESQL_COLUMNS += "WHERE table_schema = ANY (current_schemas(false))"


class Tables(Protocol):
    """Rows of a database. columns: of the tables of TABLES that are there."""

    name: str
    columns: dict[str, set[str]]
    # What rows of metrics are ordered by so that new ones come last.
    in_order: str

    def rows(self, sql: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of a query, whose values stand as `?`; read as they are asked for.

        Raises SourceError."""


class SqliteTables:
    """A file, opened so that nothing in it is run or written."""

    in_order = "rowid"

    def __init__(self, connection: sqlite3.Connection, name: str, tick: Callable[[], None]) -> None:
        self.name, self._connection, self._tick = name, connection, tick
        self._asked_at = time.monotonic()
        self._lost: Exception | None = None
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.set_progress_handler(self._must_stop, 100_000)
        connection.text_factory = lambda data: data.decode(errors="replace")
        self.columns = _by_table(self.rows(_SQLITE_COLUMNS))

    def _must_stop(self) -> bool:
        """Asked in the middle of a query, out of which no exception finds its way."""
        try:
            self._tick()
        except Exception as error:
            self._lost = error
        return self._lost is not None or time.monotonic() - self._asked_at > PATIENCE_S

    def rows(self, sql: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        try:
            self._asked_at = time.monotonic()
            cursor = self._connection.execute(sql, values)
            for row in cursor:
                yield row
                self._asked_at = time.monotonic()
        except (sqlite3.Error, OverflowError) as error:
            if self._lost is not None:
                raise self._lost from error
            raise SourceError(f"The database can't be read: {error}.") from error


class PostgresqlTables:
    """A database of a server; the whole import sees it as it was at its beginning."""

    in_order = "key, timestamp, step, value"

    def __init__(self, connection: "psycopg.Connection[tuple[Any, ...]]", name: str) -> None:
        self.name, self._connection = name, connection
        self.columns = _by_table(self.rows(_POSTGRESQL_COLUMNS))

    def rows(self, sql: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        from psycopg import Error

        try:
            # On the server's side: a run may have more points than fit in memory.
            with self._connection.cursor(name=f"rows_{time.monotonic_ns()}") as cursor:
                cursor.itersize = PIECE
                cursor.execute(sql.replace("?", "%s").encode(), values)
                yield from cursor
        except Error as error:
            raise SourceError(f"The database can't be read: {error}") from error


def _by_table(rows: Iterator[tuple[Any, ...]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for table, column in rows:
        if table in TABLES:
            found.setdefault(table, set()).add(column)
    return found


@contextmanager
def open_tables(source: str, tick: Callable[[], None]) -> Iterator[Tables]:
    """The tables that `sqlite:///file`, a path of a file, or `postgresql://…` names.

    tick: called every now and then while SQLite works. Raises SourceError."""
    if source.startswith(("postgresql://", "postgres://", "postgresql+psycopg2://")):
        # Every process of a studio reads this module, few meet PostgreSQL: it takes 0.2 s to load.
        import psycopg

        address = "postgresql://" + source.split("://", 1)[1]
        try:
            with psycopg.connect(address, connect_timeout=10) as connection:
                connection.read_only = True
                connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                yield PostgresqlTables(connection, connection.info.dbname)
        except psycopg.OperationalError as error:
            raise SourceError(f"The database can't be reached: {error}") from error
        return
    path = Path(source.removeprefix("sqlite:///"))
    if not path.is_file():
        raise SourceError(f"There is no file “{path}”. Write sqlite:///file or postgresql://…")
    with closing(_opened(path)) as file:
        yield SqliteTables(file, path.name, tick)


def _opened(path: Path) -> sqlite3.Connection:
    where = f"file:{quote(str(path.resolve()))}"
    for how in ("mode=ro", "mode=ro&immutable=1"):
        try:
            connection = sqlite3.connect(f"{where}?{how}", uri=True, timeout=20)
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.Error as error:
            # In a folder nobody may write to, a file with a log beside it opens the second way.
            problem = error
            continue
        return connection
    raise SourceError(f"“{path.name}” is no SQLite database that can be read: {problem}.")

"""Loading very many rows soon: columns in, indexes when all are there. The database is afterwards
as plain INSERTs would have left it.

SQLite takes the rows by `executemany`, PostgreSQL by COPY.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.core.management.color import no_style
from django.db import OperationalError, connection, models

from studio.runs.models import RunText

Model = type[models.Model]
Tell = Callable[[str], None]
# No page is read twice while a piece is written; nobody waits for the disk.
LOAD_PRAGMAS = ("PRAGMA cache_size=-400000", "PRAGMA synchronous=OFF")
# An index is sorted in parts of this size, which a core keeps in its own cache (at 16 MB it takes
# 1.3 times the work), on a second core while the next part is read.
SORT_PRAGMAS = ("PRAGMA cache_size=-2000", "PRAGMA threads=2")
FTS, FTS_TRIGGER = "runs_runtext_fts", "runs_runtext_ai"
# Bytes of trigrams gathered before they are written; the second figure is SQLite's own.
FTS_GATHERED, FTS_GATHERED_USUALLY = 64 * 2**20, 2**20
_SQLITE_INDEXES = """
SELECT sql, 'DROP INDEX "' || name || '"' FROM sqlite_master
WHERE type = 'index' AND sql IS NOT NULL AND tbl_name = %s
"""
# Foreign keys last: they need the unique constraints of what they point at.
_POSTGRESQL_INDEXES = """
SELECT pg_get_indexdef(i.indexrelid), format('DROP INDEX %%s', i.indexrelid::regclass)
FROM pg_index i LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype IN ('p', 'u')
WHERE i.indrelid = %s::regclass AND c.oid IS NULL
"""
_POSTGRESQL_CONSTRAINTS = """
SELECT format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', conrelid::regclass, conname,
              pg_get_constraintdef(oid)),
       format('ALTER TABLE %%s DROP CONSTRAINT %%I', conrelid::regclass, conname)
FROM pg_constraint WHERE conrelid = %s::regclass AND contype = %s
"""


@contextmanager
def quick_writes() -> Iterator[None]:
    """A large cache, no waiting for the disk and, while nobody else has the file open, no log
    beside it, on SQLite; the connection's own settings after. Rows are not checked for what their
    keys point at."""
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    with _pragmas(LOAD_PRAGMAS), connection.cursor() as cursor:
        mode = cursor.execute("PRAGMA journal_mode").fetchone()[0]
        connection.disable_constraint_checking()
        try:
            if mode == "wal":
                _without_waiting("PRAGMA journal_mode=DELETE")
            yield
        finally:
            connection.enable_constraint_checking()
            cursor.execute(f"PRAGMA journal_mode={mode}")


@contextmanager
def _pragmas(wanted: Sequence[str]) -> Iterator[None]:
    with connection.cursor() as cursor:
        before = [cursor.execute(sql.split("=")[0]).fetchone()[0] for sql in wanted]
        for sql in wanted:
            cursor.execute(sql)
        try:
            yield
        finally:
            for sql, value in zip(wanted, before, strict=True):
                cursor.execute(f"{sql.split('=')[0]}={value}")


def _without_waiting(sql: str) -> None:
    """What is not possible while others have the file open is left."""
    with _pragmas(("PRAGMA busy_timeout=0",)), connection.cursor() as cursor:
        try:
            cursor.execute(sql)
        except OperationalError:
            return


@contextmanager
def without_indexes(kinds: Sequence[Model], tell: Tell) -> Iterator[None]:
    """Inside a transaction: indexes and constraints of these tables go, and come back over all
    rows at the end, which takes a fraction of keeping them up row by row."""
    on_sqlite = connection.vendor == "sqlite"
    with connection.cursor() as cursor:
        if not on_sqlite:
            # What was written before in this transaction would be in the way of ALTER TABLE.
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("SET LOCAL maintenance_work_mem = '256MB'")
        made = _indexes(cursor, [kind._meta.db_table for kind in kinds])
        for _, drop in reversed(made):
            cursor.execute(drop)
        has_texts = on_sqlite and RunText in kinds
        trigger = _drop_trigger(cursor) if has_texts else ""
        yield
        with _pragmas(SORT_PRAGMAS if on_sqlite else ()):
            for create, _ in made:
                tell(create.split(" ON ")[0].replace("CREATE", "making"))
                cursor.execute(create)
        if has_texts:
            tell("making the index of words")
            _rebuild_texts(cursor)
            cursor.execute(trigger)


def _indexes(cursor: Any, tables: Sequence[str]) -> list[tuple[str, str]]:
    """(statement that makes it, statement that drops it), in the order of making."""
    asked: list[tuple[str, tuple[str, ...]]] = [(_SQLITE_INDEXES, ())]
    if connection.vendor != "sqlite":
        asked = [(_POSTGRESQL_CONSTRAINTS, ("u",)), (_POSTGRESQL_INDEXES, ())]
        asked += [(_POSTGRESQL_CONSTRAINTS, ("f",))]
    found: list[tuple[str, str]] = []
    for sql, more in asked:
        for table in tables:
            cursor.execute(sql, (table, *more))
            found += cursor.fetchall()
    return found


def _drop_trigger(cursor: Any) -> str:
    cursor.execute("SELECT sql FROM sqlite_master WHERE name = %s", (FTS_TRIGGER,))
    made = str(cursor.fetchone()[0])
    cursor.execute(f"DROP TRIGGER {FTS_TRIGGER}")
    return made


def _rebuild_texts(cursor: Any) -> None:
    gather = f"INSERT INTO {FTS}({FTS}, rank) VALUES ('hashsize', %s)"  # noqa: S608  (our own name)
    cursor.execute(gather, (FTS_GATHERED,))
    cursor.execute(f"INSERT INTO {FTS}({FTS}) VALUES ('rebuild')")  # noqa: S608
    cursor.execute(gather, (FTS_GATHERED_USUALLY,))


def insert(model: Model, columns: Mapping[str, Iterable[Any]], **same: Any) -> None:
    """Rows of database values, given as columns of equal length by database name; `same` are
    columns with one value for all rows. A column not named gets the model's default."""
    _insert_rows(str(model._meta.db_table), columns, _others(model, [*columns]) | same)


def insert_selected(model: Model, expressions: Mapping[str, str], source: str, **same: Any) -> None:
    """Rows that the database makes itself: an SQL expression for each column, and what follows
    SELECT …; `same` and what is not named are as in `insert`."""
    others = _others(model, [*expressions]) | same
    quote = connection.ops.quote_name
    names = ", ".join(map(quote, [*expressions, *others]))
    made = [expression.replace("%", "%%") for expression in expressions.values()]
    made += ["%s"] * len(others)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {quote(str(model._meta.db_table))} ({names}) "
            f"SELECT {', '.join(made)} {source.replace('%', '%%')}",
            [*others.values()],
        )


def _others(model: Model, named: Sequence[str]) -> dict[str, Any]:
    blank = model()
    return {
        str(field.column): field.get_db_prep_save(getattr(blank, field.attname), connection)
        for field in model._meta.concrete_fields
        if field.column not in named and not field.primary_key
    }


@contextmanager
def temporary_table(name: str, columns: Mapping[str, Sequence[Any]]) -> Iterator[None]:
    """A table of this connection, with the rows numbered from 0 in a column `n`."""
    known = {
        name: next((v for v in column if v is not None), 0) for name, column in columns.items()
    }
    kinds = {str: "text", int: "bigint", float: "double precision"}
    named = [f"{column} {kinds[type(value)]}" for column, value in known.items()]
    n_rows = len(next(iter(columns.values())))
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMP TABLE {name} (n integer PRIMARY KEY, {', '.join(named)})")
        done = False
        try:
            _insert_rows(name, {"n": range(n_rows), **columns}, {})
            cursor.execute(f"ANALYZE {name}")
            yield
            done = True
        finally:
            # A transaction that fails takes it along.
            if done or not connection.in_atomic_block:
                cursor.execute(f"DROP TABLE {name}")


def _insert_rows(
    table: str, columns: Mapping[str, Iterable[Any]], others: Mapping[str, Any]
) -> None:
    if connection.vendor == "sqlite":
        _insert_many(table, columns, others)
    else:
        _copy(table, columns, others)


def _insert_many(
    table: str, columns: Mapping[str, Iterable[Any]], others: Mapping[str, Any]
) -> None:
    quote = connection.ops.quote_name
    names = ", ".join(map(quote, [*columns, *others]))
    with connection.cursor() as cursor:
        # Written out, the values that are the same in all rows need no binding in each.
        cursor.execute(
            f"SELECT {', '.join(['quote(%s)'] * len(others)) or '1'}", [*others.values()]
        )
        same = cursor.fetchone() if others else ()
        marks = ", ".join([*["%s"] * len(columns), *(text.replace("%", "%%") for text in same)])
        sql = f"INSERT INTO {quote(table)} ({names}) VALUES ({marks})"  # noqa: S608  (our own)
        rows: Any = zip(*columns.values(), strict=True)
        cursor.executemany(sql, rows)


def _copy(table: str, columns: Mapping[str, Iterable[Any]], others: Mapping[str, Any]) -> None:
    quote = connection.ops.quote_name
    names = ", ".join(map(quote, [*columns, *others]))
    tail = "".join(f"\t{_copied(_plain(value))}" for value in others.values()) + "\n"
    texts = [map(_copied, column) for column in columns.values()]
    lines = tail.join(map("\t".join, zip(*texts, strict=True)))
    if not lines:
        return
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY {quote(table)} ({names}) FROM STDIN") as copy,
    ):
        copy.write(lines + tail)


def _plain(value: Any) -> Any:
    """JSON without the wrapping that psycopg gives it."""
    return getattr(value, "obj", value) if not isinstance(value, str) else value


def _copied(value: Any) -> str:
    """A value in COPY's text form."""
    if value is None:
        return r"\N"
    if isinstance(value, str):
        if "\n" in value or "\t" in value or "\\" in value:
            return value.replace("\\", r"\\").replace("\n", r"\n").replace("\t", r"\t")
        return value
    return str(value)


def reset_sequences(kinds: Sequence[Model]) -> None:
    """After INSERTs with given keys, PostgreSQL's counters must be told where to go on."""
    with connection.cursor() as cursor:
        for sql in connection.ops.sequence_reset_sql(no_style(), list(kinds)):
            cursor.execute(sql)


def analyze() -> None:
    """Statistics, as in a studio that has run for a day. Outside a transaction."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA analysis_limit=20000")
            cursor.execute("ANALYZE")
        else:
            cursor.execute("VACUUM ANALYZE")

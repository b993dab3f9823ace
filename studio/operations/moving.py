"""From SQLite to PostgreSQL: every table, row by row with its id, and proof that both are the same.

One transaction on the target, so that a move that fails leaves it empty. SQLite's write lock is
held meanwhile: what somebody would write there after it was copied would be lost.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from graphlib import TopologicalSorter
from typing import Any

from django.apps import apps
from django.core.management import call_command
from django.core.management.color import no_style
from django.db import connections, models, transaction
from django.db.models import Field, Model

from studio.compute.models import Worker

Tell = Callable[[str], None]
Convert = Callable[[Any], Any]
ROWS_AT_ONCE = 2_000
SOURCE, TARGET = "default", "target"
# A number that JSON holds is the same number as long as a float tells it apart.
EXACT_TO = 2**53
# The one order in which a hash adds up to the same whatever order the rows come in: none.
SUM_BITS = 128


class NotMoved(Exception):
    """The target is as it was; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Proof:
    """Of a table: how many rows, and a sum over a hash of each."""

    n_rows: int
    checksum: int


def move_to(settings: dict[str, Any], tell: Tell) -> dict[str, Proof]:
    """Copy everything from the SQLite database of this studio to the PostgreSQL database that the
    settings name. Table -> what was moved, the same on both sides. Raises NotMoved."""
    with _connected(settings) as target:
        return _move(connections[SOURCE], target, tell)


def _move(source: Any, target: Any, tell: Tell) -> dict[str, Proof]:
    if source.vendor != "sqlite" or target.vendor != "postgresql":
        raise NotMoved(
            f"This moves from sqlite to postgresql, not {source.vendor} to {target.vendor}."
        )
    with transaction.atomic(using=SOURCE):
        _refuse_busy()
        _refuse_filled(target)
        tell("making the tables")
        call_command("migrate", database=TARGET, verbosity=0, interactive=False)
        found = in_order()
        with transaction.atomic(using=TARGET):
            _empty(target, found)
            moved = {}
            for model in found:
                began = time.monotonic()
                table = model._meta.db_table
                moved[table] = _copy(model)
                _check_keys(target)
                tell(f"{table}: {moved[table].n_rows:,} rows, {time.monotonic() - began:.1f} s")
            _set_sequences(target, found)
            tell("comparing")
            for model in found:
                _compare(model, moved[model._meta.db_table])
    with target.cursor() as cursor:
        cursor.execute("ANALYZE")
    return moved


@contextmanager
def _connected(config: dict[str, Any]) -> Iterator[Any]:
    """A connection that is known only as long as the context is open."""
    # What Django fills in for the databases of its settings.
    usual = connections.databases[SOURCE]
    connections.databases[TARGET] = {**usual, "CONN_MAX_AGE": 0, "OPTIONS": {}, **config}
    connections.databases[TARGET]["OPTIONS"].pop("pool", None)
    try:
        yield connections[TARGET]
    finally:
        connections[TARGET].close()
        del connections[TARGET], connections.databases[TARGET]


def _refuse_busy() -> None:
    if Worker.objects.live().exists():
        raise NotMoved("A worker of this studio is running. Stop the studio first.")


def _refuse_filled(target: Any) -> None:
    there = set(target.introspection.table_names())
    for model in in_order():
        table = model._meta.db_table
        if table in there and model._meta.app_label not in MADE_BY_MIGRATIONS:
            with target.cursor() as cursor:
                cursor.execute(f"SELECT 1 FROM {target.ops.quote_name(table)} LIMIT 1")  # noqa: S608
                if cursor.fetchone():
                    raise NotMoved(f"The target is not empty: {table} has rows. Give an empty one.")


# Their rows come with the tables.
MADE_BY_MIGRATIONS = {"contenttypes", "auth"}


def in_order() -> list[type[Model]]:
    """Every model with a table, those that others point at before those."""
    found = {
        model: {
            field.remote_field.model
            for field in model._meta.concrete_fields
            if field.remote_field and field.remote_field.model is not model
        }
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy
    }
    return list(TopologicalSorter(found).static_order())


def _empty(target: Any, found: Iterable[type[Model]]) -> None:
    tables = ", ".join(target.ops.quote_name(model._meta.db_table) for model in found)
    with target.cursor() as cursor:
        cursor.execute(f"TRUNCATE {tables}")


def _copy(model: type[Model]) -> Proof:
    fields = model._meta.concrete_fields
    read = [from_sqlite(field) for field in fields]
    plain = [canonical(field) for field in fields]
    n_rows = checksum = 0
    with connections[TARGET].cursor() as cursor:
        names = ", ".join(_quoted(field.column) for field in fields)
        question = f"COPY {_quoted(model._meta.db_table)} ({names}) FROM STDIN"
        with cursor.copy(question) as copy:
            for raw in _rows(SOURCE, model):
                row = [one(value) for one, value in zip(read, raw, strict=True)]
                copy.write_row(row)
                n_rows += 1
                checksum += hash_of(one(value) for one, value in zip(plain, row, strict=True))
    return Proof(n_rows, checksum % (1 << SUM_BITS))


def _rows(alias: str, model: type[Model]) -> Iterator[tuple[Any, ...]]:
    """The rows as the driver gives them, a few thousand at a time, in the order of their keys."""
    names = ", ".join(_quoted(field.column) for field in model._meta.concrete_fields)
    question = f"SELECT {names} FROM {_quoted(model._meta.db_table)}"  # noqa: S608
    connection = connections[alias]
    if connection.vendor == "sqlite":
        # Not through Django, which would read what stands there as a text of its own.
        cursor = connection.connection.cursor()
        cursor.execute(f"{question} ORDER BY {_quoted(model._meta.pk.column)}")
    else:
        cursor = connection.connection.cursor("moved")
        cursor.execute(question)
    try:
        while rows := cursor.fetchmany(ROWS_AT_ONCE):
            yield from rows
    finally:
        cursor.close()


def _quoted(name: str | None) -> str:
    return f'"{name}"'


def from_sqlite(field: "Field[Any, Any]") -> Convert:
    """What SQLite keeps in this column -> what PostgreSQL is given."""
    kind = field.get_internal_type()
    if kind == "DateTimeField":
        return lambda value: value if value is None else _moment(value)
    if kind == "BooleanField":
        return lambda value: value if value is None else bool(value)
    return lambda value: value


def _moment(value: Any) -> datetime:
    # Django's converters have read it when somebody asked for the column by its type.
    found = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def canonical(field: "Field[Any, Any]") -> Convert:
    """A value of this column, from either side -> the one text that stands for it."""
    kind = field.get_internal_type()
    if kind == "JSONField":
        return lambda value: value if value is None else _same_json(value)
    if kind == "DateTimeField":
        return lambda value: value if value is None else value.astimezone(UTC).isoformat()
    if kind == "BinaryField":
        return lambda value: value if value is None else bytes(value)
    if isinstance(field, models.FloatField):
        return lambda value: value if value is None else float(value)
    return lambda value: value


def _same_json(value: Any) -> str:
    data = (
        json.loads(value, parse_int=_number, parse_float=_number)
        if isinstance(value, str)
        else value
    )
    return json.dumps(data, sort_keys=True)


def _number(text: str) -> float:
    """PostgreSQL keeps 1e2 as 100 and 2.50 as 2.50: the same numbers in other letters."""
    number = float(text)
    return int(number) if number.is_integer() and abs(number) < EXACT_TO else number


def hash_of(values: Iterable[Any]) -> int:
    text = repr(tuple(values)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=SUM_BITS // 8).digest(), "big")


def _check_keys(target: Any) -> None:
    """Have the keys of what was just copied checked now: kept for the end, they would be a list of
    every row there is."""
    with target.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def _set_sequences(target: Any, found: Iterable[type[Model]]) -> None:
    with target.cursor() as cursor:
        for question in target.ops.sequence_reset_sql(no_style(), list(found)):
            cursor.execute(question)


def _compare(model: type[Model], moved: Proof) -> None:
    plain = [canonical(field) for field in model._meta.concrete_fields]
    n_rows = checksum = 0
    for row in _rows(TARGET, model):
        n_rows += 1
        checksum += hash_of(one(value) for one, value in zip(plain, row, strict=True))
    there = Proof(n_rows, checksum % (1 << SUM_BITS))
    if there != moved:
        table = model._meta.db_table
        raise NotMoved(f"{table} differs: {moved.n_rows:,} rows here, {there.n_rows:,} there.")

"""Writing many rows with one statement each.

`bulk_create` splits at 999 parameters on SQLite, 62 rows of ours, and compiles its SQL anew each
time, which takes longer than a few rows do; a batch may name 10,000 metrics. `executemany` prepares
one statement and loops in C.
"""

from collections.abc import Sequence
from functools import lru_cache
from types import NoneType
from typing import Any, TypeAlias

from django.db import connection
from django.db.models import (
    CharField,
    Field,
    FloatField,
    ForeignKey,
    IntegerField,
    Model,
    TextField,
)

AnyField: TypeAlias = "Field[Any, Any]"
Row: TypeAlias = Sequence[str | int | float | None]


def insert_rows(rows: Sequence[Model]) -> None:
    """INSERT the rows with all columns but an id the database makes, which is not filled in
    (1 query)."""
    if rows:
        sql, columns = _insert(type(rows[0]))
        _execute(sql, [columns.values_of(row) for row in rows])


def insert_values(model: type[Model], names: Sequence[str], rows: Sequence[Row]) -> None:
    """INSERT values of the columns named, which the driver takes as they are (1 query).

    For rows of which there are many and whose models would take longer than their writing does.
    """
    if rows:
        sql, _ = _insert(model, tuple(names))
        _execute(sql, rows)


def insert_row(row: Model) -> None:
    """INSERT one row with all columns; the id that the database makes is filled in (1 query)."""
    sql, columns = _insert(type(row))
    with connection.cursor() as cursor:
        cursor.execute(f"{sql} RETURNING id", columns.values_of(row))
        (row.pk,) = cursor.fetchone()
    row._state.adding, row._state.db = False, connection.alias


def update_rows(rows: Sequence[Model], names: Sequence[str]) -> None:
    """UPDATE the named columns of each row by its id (1 query)."""
    if rows:
        sql, columns = _update(type(rows[0]), tuple(names))
        _execute(sql, [[*columns.values_of(row), row.pk] for row in rows])


# What the driver takes as it is, by the kind of the column; the field converts anything else.
PLAIN: tuple[tuple[type[AnyField], frozenset[type]], ...] = (
    (IntegerField, frozenset({int, NoneType})),
    (ForeignKey, frozenset({int, NoneType})),
    (FloatField, frozenset({float, NoneType})),
    (CharField, frozenset({str, NoneType})),
    (TextField, frozenset({str, NoneType})),
)


class _Columns:
    """Columns of a model that are written together."""

    def __init__(self, fields: Sequence[AnyField]) -> None:
        self.fields = fields
        self.known = [(field.attname, _plain(field), field) for field in fields]

    def values_of(self, row: Model) -> list[Any]:
        values = []
        for name, plain, field in self.known:
            value = getattr(row, name)
            values.append(
                value if type(value) in plain else field.get_db_prep_save(value, connection)
            )
        return values


def _plain(field: AnyField) -> frozenset[type]:
    # Not those derived from them outside Django's own, which may write something else.
    is_own = type(field).__module__.startswith("django.db.models.fields")
    found = (types for kind, types in PLAIN if is_own and isinstance(field, kind))
    return next(found, frozenset())


@lru_cache(maxsize=64)
def _insert(model: type[Model], only: tuple[str, ...] = ()) -> tuple[str, _Columns]:
    """`only`: columns by the names of their attributes; without, all but an id that the database
    makes."""
    by_name = {field.attname: field for field in model._meta.concrete_fields}
    without = [field for field in by_name.values() if field is not model._meta.auto_field]
    fields = [by_name[name] for name in only] or without
    names = ", ".join(_quoted(field) for field in fields)
    marks = ", ".join(["%s"] * len(fields))
    sql = f"INSERT INTO {_table(model)} ({names}) VALUES ({marks})"  # noqa: S608  (names are the model's)
    return sql, _Columns(fields)


@lru_cache(maxsize=64)
def _update(model: type[Model], names: tuple[str, ...]) -> tuple[str, _Columns]:
    by_name = {field.name: field for field in model._meta.concrete_fields}
    fields = [by_name[name] for name in names]
    sets = ", ".join(f"{_quoted(field)} = %s" for field in fields)
    return f"UPDATE {_table(model)} SET {sets} WHERE id = %s", _Columns(fields)  # noqa: S608


def _execute(sql: str, values: Sequence[Sequence[Any]]) -> None:
    with connection.cursor() as cursor:
        if len(values) == 1:
            cursor.execute(sql, values[0])
        else:
            cursor.executemany(sql, values)


def _table(model: type[Model]) -> str:
    return connection.ops.quote_name(model._meta.db_table)


def _quoted(field: AnyField) -> str:
    return connection.ops.quote_name(field.column or field.name)

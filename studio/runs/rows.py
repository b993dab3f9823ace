"""Writing many rows with one statement each.

`bulk_create` splits at 999 parameters on SQLite, 62 rows of ours, and compiles its SQL anew each
time, which takes longer than a few rows do; a batch may name 10,000 metrics. `executemany` prepares
one statement and loops in C.
"""

from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.models import Field, Model


def insert_rows(rows: Sequence[Model]) -> None:
    """INSERT the rows with all columns but an id the database makes, which is not filled in
    (1 query)."""
    if not rows:
        return
    meta = rows[0]._meta
    fields = [field for field in meta.concrete_fields if field is not meta.auto_field]
    names = ", ".join(_quoted(field) for field in fields)
    marks = ", ".join(["%s"] * len(fields))
    sql = f"INSERT INTO {_table(rows[0])} ({names}) VALUES ({marks})"  # noqa: S608  (names are the model's)
    _execute(sql, [[_value(row, field) for field in fields] for row in rows])


def update_rows(rows: Sequence[Model], names: Sequence[str]) -> None:
    """UPDATE the named columns of each row by its id (1 query)."""
    if not rows:
        return
    by_name = {field.name: field for field in rows[0]._meta.concrete_fields}
    fields = [by_name[name] for name in names]
    sets = ", ".join(f"{_quoted(field)} = %s" for field in fields)
    sql = f"UPDATE {_table(rows[0])} SET {sets} WHERE id = %s"  # noqa: S608
    _execute(sql, [[*(_value(row, field) for field in fields), row.pk] for row in rows])


def _execute(sql: str, values: list[list[Any]]) -> None:
    with connection.cursor() as cursor:
        if len(values) == 1:
            cursor.execute(sql, values[0])
        else:
            cursor.executemany(sql, values)


def _table(row: Model) -> str:
    return connection.ops.quote_name(row._meta.db_table)


def _quoted(field: "Field[Any, Any]") -> str:
    return connection.ops.quote_name(field.column or field.name)


def _value(row: Model, field: "Field[Any, Any]") -> Any:
    return field.get_db_prep_save(getattr(row, field.attname), connection)

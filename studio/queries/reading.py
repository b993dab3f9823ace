"""Rows of written-out SQL as models, for the questions that most requests of programs ask.

`Model.objects.raw` works out anew for each question which columns there are and who converts them:
0.3 ms, several times what the question itself takes.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import Model

M = TypeVar("M", bound=Model)


def read(
    model: type[M], names: tuple[str, ...], sql: str, params: Sequence[Any]
) -> list[tuple[M, list[Any]]]:
    """The rows as (model, what stands behind its columns).

    `sql` selects the columns `names` (as attributes, in the order of the model's fields), then what
    else is wanted, which comes as the driver gives it. Other columns of the model are loaded when
    somebody asks for them. 1 query.
    """
    n = len(names)
    return [
        (model.from_db(DEFAULT_DB_ALIAS, names, row[:n]), row[n:])
        for row in read_values(model, names, sql, params)
    ]


def read_values(
    model: type[Model], names: tuple[str, ...], sql: str, params: Sequence[Any]
) -> list[list[Any]]:
    """As `read`, without the models: the values in the order of the SELECT."""
    # The proxy looks for its connection at each touch.
    here = connections[DEFAULT_DB_ALIAS]
    with here.cursor() as cursor:
        cursor.execute(sql, params)
        rows = [list(row) for row in cursor.fetchall()]
    for i, converters, column in _converters(model, names, here.vendor):
        for row in rows:
            for convert in converters:
                row[i] = convert(row[i], column, here)
    return rows


def these(ids: Sequence[int]) -> tuple[str, Any]:
    """(SQL, its one parameter) of what stands behind IN for rows of these ids, however many:
    databases bound the number of placeholders, so the ids travel as one."""
    if connection.vendor == "postgresql":
        return "(SELECT unnest(%s::bigint[]))", list(ids)
    return "(SELECT value FROM json_each(%s))", "[" + ",".join(map(str, ids)) + "]"


def columns(model: type[Model], *, table: str = "") -> tuple[tuple[str, ...], str]:
    """(attributes, the same as a list for SELECT) of all columns of a model; `table` as the SQL
    calls it."""
    fields = model._meta.concrete_fields
    prefix = f"{table}." if table else ""
    names = ", ".join(
        prefix + connection.ops.quote_name(field.column or field.name) for field in fields
    )
    return tuple(field.attname for field in fields), names


@lru_cache(maxsize=64)
def _converters(
    model: type[Model], names: tuple[str, ...], vendor: str
) -> list[tuple[int, list[Any], Any]]:
    """(place, converters, column) of the columns that the driver gives otherwise than the model."""
    by_name = {field.attname: field for field in model._meta.concrete_fields}
    found = []
    for i, name in enumerate(names):
        column = by_name[name].get_col(model._meta.db_table)
        converters = [
            *connection.ops.get_db_converters(column),
            *column.get_db_converters(connection),
        ]
        if converters:
            found.append((i, converters, column))
    return found

"""Queries that are the same each time but for their values, written out once.

Django puts the SQL of a query together anew each time it is asked: 0.2 to 0.5 ms, where looking a
row up takes SQLite 0.02. A page or a call that asks a dozen of them waits for that longer than for
the database. So the few that every request asks are written once in a process, and only their
values change.
"""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar, cast

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Expression, Field, Model, QuerySet
from django.db.models.sql.compiler import SQLCompiler

M = TypeVar("M", bound=Model)
R = TypeVar("R")
AnyField: TypeAlias = "Field[Any, Any]"


def fixed(
    **fields: AnyField,
) -> Callable[[Callable[..., QuerySet[M, R]]], "FixedQuery[M, R]"]:
    """Make a function that returns a queryset one that returns its rows, the SQL written once.

    fields: the type of each value, by the name of the function's parameter. The function itself is
    called once, with an expression for each, and must not look at them.
    """
    return lambda build: FixedQuery(build, fields)


class FixedQuery(Generic[M, R]):
    """Call it with the values, by name, for a list of the rows (1 query, and those of what the
    queryset prefetches). A list and no queryset: what were added to one would not be asked."""

    def __init__(self, build: Callable[..., QuerySet[M, R]], fields: dict[str, AnyField]) -> None:
        self._build = build
        self._fields = fields
        self._written: _Written | None = None
        self.__doc__ = build.__doc__

    def __call__(self, **values: Any) -> list[R]:
        if self._written is None:
            self._written = _Written.of(
                self._build(**{name: Given(name, field) for name, field in self._fields.items()})
            )
        return list(self._written.asked(values))


class Given(Expression):
    """A value that is known when the query is asked."""

    def __init__(self, name: str, field: AnyField) -> None:
        super().__init__(output_field=field)
        self.name = name

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, Any]:
        return "%s", (_Slot(self.name, self.output_field),)


@dataclass(frozen=True, slots=True)
class _Slot:
    """The place of a value among the parameters."""

    name: str
    field: AnyField


@dataclass(frozen=True, slots=True)
class _Written:
    """A queryset, the compiler that has written it, and what was written."""

    rows: QuerySet[Any, Any]
    compiler: SQLCompiler
    sql: str
    parameters: tuple[Any, ...]

    @classmethod
    def of(cls, rows: QuerySet[Any, Any]) -> "_Written":
        compiler = rows.query.get_compiler(using=DEFAULT_DB_ALIAS)
        sql, parameters = compiler.as_sql()
        return cls(rows, compiler, sql, tuple(parameters))

    def asked(self, values: dict[str, Any]) -> QuerySet[Any, Any]:
        """The queryset with these values, good for reading it once."""
        rows = self.rows.all()

        def get_compiler(*_: Any, **__: Any) -> SQLCompiler:
            # The one that wrote it belongs to the connection of another thread.
            compiler = copy(self.compiler)
            compiler.connection = connection = connections[DEFAULT_DB_ALIAS]
            parameters = tuple(
                one.field.get_db_prep_value(values[one.name], connection)
                if isinstance(one, _Slot)
                else one
                for one in self.parameters
            )
            cast(Any, compiler).as_sql = lambda *_, **__: (self.sql, parameters)
            return compiler

        cast(Any, rows.query).get_compiler = get_compiler
        return rows

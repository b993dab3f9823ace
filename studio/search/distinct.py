"""The distinct names and values of a workspace, without reading every row that bears one.

A loose index scan: one seek in the index for each distinct value, whatever the number of rows.
"""

from collections.abc import Sequence

from django.db import connection
from django.db.models import Model

from studio.metrics.models import Metric
from studio.runs.machine_tags import PREFIX as OF_PROGRAMS
from studio.runs.models import Parameter, Property, Tag
from studio.wire.measures import PREFIX as OF_MEASURES

MODELS: dict[str, tuple[type[Model], str]] = {
    "tag": (Tag, "key"),
    "property": (Property, "key"),
    "param": (Parameter, "key"),
    "metric": (Metric, "name"),
}
# Names that begin so are of machines: they are found by nobody who looks for names.
JUMPED = {"metric": OF_MEASURES, "tag": OF_PROGRAMS}
# Table and column names are ours; values are parameters.
_SCAN = """
WITH RECURSIVE seen(v, n) AS (
  SELECT (SELECT min({column}) FROM {table} WHERE {within} AND {column} >= %s), 1
  UNION ALL
  SELECT (SELECT min({column}) FROM {table} WHERE {within} AND {column} > seen.v), seen.n + 1
  FROM seen WHERE seen.v IS NOT NULL AND seen.n < %s
) SELECT v FROM seen WHERE v IS NOT NULL
"""
# The same without the names that begin with {jump}: from the first of them on it goes on behind the
# last (`behind`). There may be a dozen for each machine that ever ran something.
_SCAN_JUMPING = """
WITH RECURSIVE seen(v, n) AS (
  SELECT (SELECT min({column}) FROM {table} WHERE {within} AND {column} >= %s), 1
  UNION ALL
  SELECT CASE WHEN substr(seen.v, 1, {n_jump}) = '{jump}'
    THEN (SELECT min({column}) FROM {table} WHERE {within} AND {column} >= '{behind}')
    ELSE (SELECT min({column}) FROM {table} WHERE {within} AND {column} > seen.v) END, seen.n + 1
  FROM seen WHERE seen.v IS NOT NULL AND seen.n < %s
) SELECT v FROM seen WHERE v IS NOT NULL AND substr(v, 1, {n_jump}) <> '{jump}'
"""
# One seek for each name: the next one from it on is itself. A join or EXISTS might be planned as a
# reading of all rows, which are as many as runs.
_PRESENT = """
WITH asked(v) AS (VALUES {rows})
SELECT v FROM asked WHERE v =
  (SELECT min({column}) FROM {table} WHERE workspace_id = %s AND {column} >= asked.v)
"""


def present(family: str, workspace_id: int, asked: list[str]) -> list[str]:
    """Those of the tag keys, metric names … that some run of the workspace has (1 query)."""
    model, column = MODELS[family]
    rows = ", ".join(["(%s)"] * len(asked))
    sql = _PRESENT.format(rows=rows, column=column, table=model._meta.db_table)
    return _texts(sql, (*asked, workspace_id))


def names(family: str, workspace_id: int, *, start: str = "", limit: int) -> list[str]:
    """Distinct tag keys, metric names … from `start` on, in the index's order (1 query); without
    the metrics that measure machines and the tags that programs write for themselves."""
    model, column = MODELS[family]
    within = "workspace_id = %s"
    jump = JUMPED.get(family)
    if jump is None:
        return _scan(model, column, within, [workspace_id], start, limit)
    behind = jump[:-1] + chr(ord(jump[-1]) + 1)
    sql = _SCAN_JUMPING.format(
        column=column,
        table=model._meta.db_table,
        within=within,
        jump=jump,
        n_jump=len(jump),
        behind=behind,
    )
    asked = (workspace_id, start, workspace_id, workspace_id, limit + 1)
    return _texts(sql, asked)[:limit]


def values(family: str, name: str, workspace_id: int, *, start: str = "", limit: int) -> list[str]:
    """Distinct values of one tag, property or parameter from `start` on (1 query)."""
    model, _ = MODELS[family]
    within = "workspace_id = %s AND key = %s"
    return _scan(model, "value", within, [workspace_id, name], start, limit)


def _scan(
    model: type[Model],
    column: str,
    within: str,
    scope: list[int | str],
    start: str,
    limit: int,
) -> list[str]:
    sql = _SCAN.format(column=column, table=model._meta.db_table, within=within)
    return _texts(sql, (*scope, start, *scope, limit))


def _texts(sql: str, values: Sequence[int | str]) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return [row[0] for row in cursor.fetchall()]

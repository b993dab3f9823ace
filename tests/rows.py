"""Everything the database holds, to prove that a refused request changed nothing.

Read in plain SQL, because a quarter of a test run would go into making the same questions again.
"""

from functools import cache
from typing import Any

from django.apps import apps
from django.db import connection

# Written by signing in and by asking, not by what was asked for.
VOLATILE = {"last_login", "last_used_at"}
NOT_OURS = {"sessions.session", "accounts.browsersession", "contenttypes.contenttype"}

Rows = dict[str, list[tuple[Any, ...]]]


@cache
def _questions() -> dict[str, str]:
    """Table label -> SQL for all its rows in the order of their keys."""
    found = {}
    for model in apps.get_models(include_auto_created=True):
        facts = model._meta
        if facts.label_lower in NOT_OURS:
            continue
        names = [field.column for field in facts.concrete_fields if field.name not in VOLATILE]
        columns = ", ".join(map(connection.ops.quote_name, names))
        table, key = map(connection.ops.quote_name, (facts.db_table, facts.pk.column))
        found[facts.label_lower] = f"SELECT {columns} FROM {table} ORDER BY {key}"
    return found


def all_rows() -> Rows:
    """Table label -> its rows in the order of their keys; tables of Django itself left out."""
    rows = {}
    with connection.cursor() as cursor:
        for label, question in _questions().items():
            cursor.execute(question)
            rows[label] = cursor.fetchall()
    return rows


def changed_tables(before: Rows) -> list[str]:
    """The tables that differ from `before` by now."""
    now = all_rows()
    return sorted(label for label in now if now[label] != before.get(label))

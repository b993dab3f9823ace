"""What PostgreSQL takes a query for before it asks it."""

from typing import Any

from django.db import connection
from django.db.models import QuerySet


def estimated(rows: QuerySet[Any]) -> int:
    """About how many rows a query has, by the statistics that plans are made from (1 query, which
    reads none of them). PostgreSQL only."""
    sql, values = rows.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", values)
        ((plans,),) = cursor.fetchall()
    return int(plans[0]["Plan"]["Plan Rows"])

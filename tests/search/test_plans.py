"""Of many runs, the questions of a filtered list are answered by the index made for them."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from studio.metrics.models import Metric
from studio.metrics.seeding import Seeder
from studio.queries.estimates import estimated
from studio.runs.models import Run, Tag
from studio.search import keyset, scope
from studio.search.apply import search
from studio.search.order import Order, parse_order
from tests import make

# The load is written in transactions of its own.
pytestmark = [pytest.mark.data, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def room(people: Any) -> Any:
    room = make.workspace("load", owner=people.alice)
    Seeder(room, people.alice).write(4_000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return room


def asked(do: Callable[[], Any]) -> list[str]:
    with CaptureQueriesContext(connection) as seen:
        do()
    return [one["sql"] for one in seen]


def plan(sql: str) -> str:
    explain = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
    with connection.cursor() as cursor:
        cursor.execute(f"{explain} {sql}")
        return " ".join(str(row) for row in cursor.fetchall())


def page(room: Any, query: str, order: str = "") -> keyset.Page:
    found = search(Run.objects.of(room), query, user=None, workspace=room)
    return keyset.page(found, Order(parse_order(order), room), size=50)


def test_which_metrics_ended_at_infinity_is_read_from_an_index_of_those(
    room: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scope, "FEW", 10)
    infinite = Metric.objects.filter(name="loss").first()
    assert infinite is not None
    Metric.objects.filter(pk=infinite.pk).update(last=None, last_text="-Infinity")

    queries = [sql for sql in asked(lambda: page(room, "metric.loss<0.5")) if "-Infinity" in sql]

    assert queries
    assert "metric_infinite" in plan(queries[0])
    found = search(Run.objects.of(room), "metric.loss<0.5", user=None, workspace=room)
    assert found.filter(pk=infinite.run_id).exists()


def test_a_long_list_is_tested_along_the_index_of_the_order(
    room: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading all of the list, to sort it, would cost more the longer it is."""
    query, order = "has:tag.owner metric.loss<0.9", "-metric.accuracy"
    usual = [run.pk for run in page(room, query, order).runs]
    monkeypatch.setattr(scope, "FEW", 10)
    monkeypatch.setattr(keyset, "FEW", 10)

    queries = asked(lambda: page(room, query, order))

    walks = [sql for sql in queries if "accuracy" in sql and "ORDER BY" in sql and "run_id" in sql]
    assert walks
    told = plan(walks[0])
    assert "metric_by_last" in told
    assert "hashed SubPlan" in told or "LIST SUBQUERY" in told
    assert [run.pk for run in page(room, query, order).runs] == usual


def test_postgresql_is_asked_what_it_takes_a_list_for(room: Any) -> None:
    rows = Tag.objects.filter(workspace=room, key="owner")

    queries = asked(lambda: list(search(Run.objects.of(room), "has:tag.owner", user=None)))

    assert not [sql for sql in queries if sql.startswith("EXPLAIN")]
    if connection.vendor == "postgresql":
        assert 0.5 < estimated(rows) / rows.count() < 2

"""Of many runs, the questions of a filtered list are answered by the index made for them."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from studio.metrics.models import Metric
from studio.metrics.seeding import Seeder
from studio.queries.estimates import estimated
from studio.runs.models import Experiment, Run, Tag
from studio.runs.querysets import RunQuerySet
from studio.runs.status import Status
from studio.search import choosing, keyset, scope
from studio.search import newest as newest_module
from studio.search.apply import search
from studio.search.newest import newest_of
from studio.search.order import Order, parse_order
from tests import make
from tests.mlflow_api.search_world import Door

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


@pytest.mark.parametrize("cost", [0.2, 1_000.0])
def test_a_walk_that_meets_few_goes_on_or_becomes_a_sort(
    room: Any, monkeypatch: pytest.MonkeyPatch, cost: float
) -> None:
    query, order = "has:tag.owner metric.loss<0.5 status:Failed", "-metric.accuracy,name"

    def met() -> list[list[int]]:
        found, after = [], ""
        while True:
            runs = search(Run.objects.of(room), query, user=None, workspace=room)
            by = Order(parse_order(order), room)
            one = keyset.page(runs, by, size=50, after=after)
            found.append([run.pk for run in one.runs])
            if not one.older:
                back = keyset.page(runs, by, size=50, before=one.newer)
                return [*found, [run.pk for run in back.runs]]
            after = one.older

    usual = met()
    assert len(usual) > 3
    monkeypatch.setattr(scope, "FEW", 10)
    monkeypatch.setattr(keyset, "FEW", 10)
    monkeypatch.setattr(choosing, "SAMPLE", 60)
    monkeypatch.setattr(choosing, "COST_OF_SORTING", cost)

    queries = asked(lambda: page(room, query, order))

    assert met() == usual
    if connection.vendor == "postgresql":
        walks = [sql for sql in queries if "IS TRUE" in sql and "ORDER BY" in sql]
        assert (len(walks) == 1) == (cost < 1)


def test_the_ids_of_a_list_are_read_once_for_a_walk_through_mlflows_door(
    room: Any, people: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scope, "FEW", 10)
    door = Door(people.alice, room)
    ids = [str(one.pk) for one in Experiment.objects.of(room)]
    text = "tags.owner = 'team-7' AND metrics.loss < 0.9"
    asking = {"experiment_ids": ids, "filter": text, "max_results": 1_000}
    usual = door.search(**asking)

    queries = asked(lambda: door.search(**asking))

    walks = [sql for sql in queries if "started_at" in sql and "ORDER BY" in sql]
    assert walks
    if connection.vendor == "postgresql":
        assert "hashed SubPlan" in plan(walks[0])
    monkeypatch.setattr(scope, "COST_OF_LOOKUP", 0)
    assert door.search(**asking) == usual


def test_a_short_list_is_counted_and_grouped_in_one_question(
    room: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scope, "FEW", 10)

    def found() -> RunQuerySet:
        return search(Run.objects.of(room), "tag.owner:team-7", user=None, workspace=room)

    by_hand = Counter(found().values_list("status", flat=True))
    for limit, n_questions in ((5, len(Status)), (10_000, 1)):
        queries = asked(lambda limit=limit: choosing.status_counts(found(), limit))
        counts = [sql for sql in queries if "COUNT(" in sql and "status" in sql]
        if connection.vendor == "postgresql":
            assert len(counts) == n_questions
        told = {status: min(n, limit) for status, n in by_hand.items()}
        assert choosing.status_counts(found(), limit) == told

    for n, is_all in ((5, False), (10_000, True)):
        newest, is_whole = newest_of(found(), n)
        assert is_whole is is_all
        assert newest.count() == (by_hand.total() if is_all else n)


def test_of_a_search_that_no_index_answers_the_newest_of_all_runs_are_looked_at(
    room: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found() -> tuple[list[int], bool]:
        runs = search(Run.objects.of(room), "duration>0", user=None, workspace=room)
        newest, is_all = newest_of(runs, 100)
        return [run.pk for run in newest.newest()], is_all

    every = Run.objects.of(room).newest()
    met = [run.pk for run in every if (run.duration_s or 0) > 0]
    within = {run.pk for run in every[:100]} & set(met)
    assert 5 < len(within) < 100
    monkeypatch.setattr(newest_module, "ENOUGH", len(within))
    assert found() == (met[: len(within)], False)
    monkeypatch.setattr(newest_module, "ENOUGH", len(within) + 1)
    assert found() == (met[:100], False)


def test_postgresql_is_asked_what_it_takes_a_list_for(room: Any) -> None:
    rows = Tag.objects.filter(workspace=room, key="owner")

    queries = asked(lambda: list(search(Run.objects.of(room), "has:tag.owner", user=None)))

    assert not [sql for sql in queries if sql.startswith("EXPLAIN")]
    if connection.vendor == "postgresql":
        assert 0.5 < estimated(rows) / rows.count() < 2

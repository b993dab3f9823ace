"""Queries that are written once: the same rows as the queryset they are made of, each time."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.db.models import BigIntegerField, CharField, DateTimeField, QuerySet
from django.db.models.functions import Length
from django.test.utils import CaptureQueriesContext

from studio.queries.fixed import fixed
from studio.queries.ids import Ids, IdsField, any_of
from studio.runs.models import Experiment, Run
from tests import make

pytestmark = [pytest.mark.django_db, pytest.mark.data]

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def runs(experiment: Experiment) -> list[Run]:
    """net-0 to net-3, an hour after each other."""
    made = [make.run(experiment, display_name=f"net-{i}") for i in range(4)]
    for i, run in enumerate(made):
        run.created_at = NOON + timedelta(hours=i)
        run.save(update_fields=["created_at"])
    return made


def test_the_rows_are_those_of_the_values(runs: list[Run]) -> None:
    @fixed(workspace=BigIntegerField(), since=DateTimeField(), name=CharField())
    def found(workspace: Any, since: Any, name: Any) -> QuerySet[Run]:
        later = Run.objects.filter(workspace=workspace, created_at__gte=since)
        return later.exclude(display_name=name).order_by("pk")

    room = runs[0].workspace_id
    assert found(workspace=room, since=NOON, name="net-3") == runs[:3]
    assert found(workspace=room, since=NOON + timedelta(hours=2), name="") == runs[2:]
    assert found(workspace=room + 1, since=NOON, name="") == []
    assert found(workspace=room, since=NOON, name="net-0") == runs[1:]


def test_a_call_is_one_query_written_once(runs: list[Run]) -> None:
    n_built = 0

    @fixed(pk=BigIntegerField())
    def found(pk: Any) -> QuerySet[Run]:
        nonlocal n_built
        n_built += 1
        return Run.objects.filter(pk=pk)

    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert [found(pk=run.pk)[0].display_name for run in runs] == [f"net-{i}" for i in range(4)]
    assert len(asked) == 4
    assert n_built == 1


def test_models_come_whole(runs: list[Run]) -> None:
    """Moments, JSON and annotations as from any queryset, and what is prefetched."""

    @fixed(pk=BigIntegerField())
    def found(pk: Any) -> QuerySet[Run]:
        rows = Run.objects.filter(pk=pk).annotate(length=Length("display_name"))
        return rows.select_related("workspace").prefetch_related("experiment")

    Run.objects.filter(pk=runs[1].pk).update(arguments=["--lr", "0.1"])
    found(pk=runs[0].pk)
    (one,) = found(pk=runs[1].pk)
    with CaptureQueriesContext(connection) as asked:
        assert one.created_at == NOON + timedelta(hours=1)
        assert one.arguments == ["--lr", "0.1"]
        assert vars(one)["length"] == 5
        assert (one.workspace.name, one.experiment.name) == ("lab", "vision")
    assert not asked.captured_queries


def test_values_instead_of_models(runs: list[Run]) -> None:
    @fixed(ids=IdsField())
    def names(ids: Any) -> "QuerySet[Run, Any]":
        return Run.objects.filter(pk__in=Ids(ids)).order_by("-pk").values_list("pk", "display_name")

    @fixed(ids=IdsField())
    def first(ids: Any) -> "QuerySet[Run, Any]":
        return Run.objects.filter(pk__in=Ids(ids)).order_by("pk").values_list("pk", flat=True)[:1]

    ids = [run.pk for run in runs]
    assert names(ids=ids[1:3]) == [(ids[2], "net-2"), (ids[1], "net-1")]
    assert names(ids=set()) == []
    assert first(ids=ids) == ids[:1]
    assert first(ids=ids[2:]) == ids[2:3]


def test_a_missing_value_is_an_error(runs: list[Run]) -> None:
    @fixed(pk=BigIntegerField())
    def found(pk: Any) -> QuerySet[Run]:
        return Run.objects.filter(pk=pk)

    with pytest.raises(KeyError):
        found()
    with pytest.raises(ValueError, match="expected a number"):
        found(pk="one' OR 1=1 --")


@pytest.mark.django_db(transaction=True)
def test_each_thread_asks_on_its_own_connection(runs: list[Run]) -> None:
    @fixed(pk=BigIntegerField())
    def found(pk: Any) -> QuerySet[Run]:
        return Run.objects.filter(pk=pk)

    def ask(pk: int) -> list[Run]:
        try:
            return [found(pk=pk)[0] for _ in range(20)]
        finally:
            connections.close_all()

    found(pk=runs[0].pk)
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(ask, [run.pk for run in runs]))
    assert answers == [[run] * 20 for run in runs]


def test_many_ids_are_one_parameter(runs: list[Run]) -> None:
    ids = [run.pk for run in runs]
    many = [*ids[:2], *range(10**12, 10**12 + 2_000)]
    with CaptureQueriesContext(connection) as asked:
        assert set(Run.objects.filter(any_of(many))) == set(runs[:2])
        assert set(Run.objects.filter(~any_of(many))) == set(runs[2:])
        assert set(Run.objects.filter(any_of(ids))) == set(runs)
        assert not Run.objects.filter(any_of([]))
    assert len(asked) == 3

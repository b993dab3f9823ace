"""Values of thousands of runs as lists: the same as those that a page of runs shows."""

from typing import Any

import pytest

from studio.metrics.models import Metric
from studio.queries.ids import Ids
from studio.runs import actions
from studio.runs.models import Run
from studio.search.column_values import values_for
from studio.search.columns import parse_columns
from studio.search.many_values import many_values
from tests import make
from tests.browser import charting

COLUMNS = (
    "name,status,submitted,started,ended,type,number,uid,experiment,submitter,target,param.lr,"
    "tag.model,tag.bare,property.p,metric.loss,metric.loss:min,metric.accuracy:max,metric.gone,"
    "metric.accuracy:at-min(loss)"
)


@pytest.fixture
def runs(experiment: Any) -> list[Any]:
    made = charting.six_runs(experiment)
    made.append(make.run(experiment, tags={"bare": None}, start=False))
    actions.cancel_run(made[-1], by=make.actor(made[-1].submitter))
    return made


def test_every_column_says_what_a_page_says(runs: Any) -> None:
    columns = parse_columns(COLUMNS)
    newest = list(Run.objects.newest())
    shown = values_for(newest, columns)

    found = many_values(Run.objects.newest(), columns)

    assert list(found.ids) == [run.pk for run in newest]
    assert list(found.names) == [run.display_name for run in newest]
    for column in columns:
        assert list(found.values[column]) == [shown[run.pk][column] for run in newest], column


def test_durations_of_ended_runs_are_theirs_and_of_running_ones_go_on(runs: Any) -> None:
    (column,) = parse_columns("duration")
    found = many_values(Run.objects.newest(), [column])

    by_id = dict(zip(found.ids, found.values[column], strict=True))
    for run in Run.objects.all():
        if run.is_terminal:
            assert by_id[run.pk] == run.duration_s
        else:
            assert by_id[run.pk] >= 0


def test_what_has_no_place_on_an_axis_is_nothing(runs: Any) -> None:
    columns = parse_columns("tags,star,children,description")
    found = many_values(Run.objects.newest(), columns)

    assert {value for cells in found.values.values() for value in cells} == {None}


def test_no_runs_have_no_values() -> None:
    columns = parse_columns(COLUMNS)
    found = many_values(Run.objects.none(), columns)

    assert len(found) == 0
    assert found.values.keys() == set(columns)


def test_a_part_is_in_the_order_asked_for(runs: Any) -> None:
    found = many_values(Run.objects.newest(), parse_columns("name"))
    turned = found.part([2, 0])

    assert list(turned.ids) == [found.ids[2], found.ids[0]]
    assert list(turned.values[parse_columns("name")[0]]) == [found.names[2], found.names[0]]


def test_the_queries_do_not_grow_with_the_columns(
    runs: Any, django_assert_max_num_queries: Any
) -> None:
    columns = parse_columns(COLUMNS + ",param.a,param.b,tag.c,metric.d,metric.e:max")
    with django_assert_max_num_queries(9):
        many_values(Run.objects.newest(), columns)


def test_keys_travel_as_one_parameter(runs: Any) -> None:
    ids = [run.pk for run in runs[:3]]
    metrics = Metric.objects.filter(run__in=Ids(ids), name="loss")

    assert sorted(metrics.values_list("run_id", flat=True)) == sorted(ids)
    assert len(metrics.query.sql_with_params()[1]) == 2

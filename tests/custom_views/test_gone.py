"""What a view asks for and the workspace does not have."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from studio.accounts.permissions import Actor
from studio.custom_views.actions import Draft, create_view
from studio.custom_views.gone import (
    Missing,
    Name,
    missing_names,
    missing_of_each,
    missing_of_view,
    named_in,
)
from studio.custom_views.models import Place
from studio.custom_views.state import ViewState
from studio.runs import actions
from tests import make

pytestmark = pytest.mark.data
LOSS = [{"name": "loss", "kind": "scalar", "steps": [0], "times": [1e9], "values": [0.3]}]


@pytest.fixture
def labelled(run: Any, people: Any) -> Any:
    """A run with a tag, a property, a parameter and a metric."""
    by = Actor.of_user(people.bob)
    actions.change_tags(run, by=by, put={"quality": "great"}, remove=[])
    actions.add_properties(run, {"commit": "abc"}, by=by)
    actions.set_parameters(run, {"lr": "0.1"}, by=by)
    api = make.Api(people.bob, run.workspace)
    body = {"batch": "11111111-ab55-4a33-9d2b-1c1f0a4a4c11", "metrics": LOSS}
    assert api.post(f"/runs/{run.uid}/batches", body).status_code == 200
    return run


@pytest.mark.parametrize(
    ("state", "found"),
    [
        (ViewState(q="status:failed cat has:tag"), {}),
        (ViewState(q="tag.a:1 -has:param.b"), {("tag", "a"): "filters", ("param", "b"): "filters"}),
        (ViewState(off="metric.loss:min<0.5"), {("metric", "loss"): "filters"}),
        (
            ViewState(q="experiment:a|b OR experiment!=c"),
            {("experiment", x): "filters" for x in "abc"},
        ),
        (ViewState(q="experiment~visi experiment^=v"), {}),
        (ViewState(order="-property.commit,status"), {("property", "commit"): "order"}),
        (ViewState(group="experiment,tag.a"), {("tag", "a"): "group"}),
        (
            ViewState(columns="name,metric.acc:at-min(loss)"),
            {("metric", "acc"): "columns", ("metric", "loss"): "columns"},
        ),
        (ViewState(charts="kind=line&y=metric.a&x=metric.b"), {("metric", "a"): "charts"}),
        (
            ViewState(charts="kind=line&y=metric.a&x=metric.b&axis=metric"),
            {("metric", "a"): "charts", ("metric", "b"): "charts"},
        ),
        (ViewState(charts="kind=bar&y=param.lr,duration"), {("param", "lr"): "charts"}),
        (ViewState(columns='tag."e\u0301 x "'), {("tag", "\xe9 x"): "columns"}),
    ],
)
def test_names_are_gathered_from_every_part(
    state: ViewState, found: dict[tuple[str, str], str]
) -> None:
    assert named_in(state) == {Name(*name): [part] for name, part in found.items()}


def test_a_name_in_several_parts_is_told_once_with_all_of_them() -> None:
    state = ViewState(q="tag.a:1 tag.a:2", off="tag.a:3", columns="tag.a", order="tag.a")

    assert named_in(state) == {Name("tag", "a"): ["filters", "order", "columns"]}


@pytest.mark.parametrize(
    "state",
    [
        ViewState(
            q="tag.a:(", off="metric.:", order="tag.", group="metric.loss", columns="nonsense"
        ),
        ViewState(charts="kind=pie&y=metric.loss;;%%"),
    ],
)
def test_a_text_that_can_not_be_read_asks_for_nothing(state: ViewState) -> None:
    assert named_in(state) == {}


WHOLE = ViewState(
    q="tag.quality:great has:tag.Quality property.commit:abc param.lr:0.1 experiment:vision|Vision",
    order="metric.loss:min,metric.los",
    columns="param.lr2,property.commi,tag.qualit",
)


def test_what_the_workspace_has_is_found_and_the_rest_is_told(labelled: Any) -> None:
    assert missing_names(labelled.workspace, WHOLE) == [
        Missing("tag", "Quality", ("filters",)),
        Missing("experiment", "Vision", ("filters",)),
        Missing("metric", "los", ("order",)),
        Missing("param", "lr2", ("columns",)),
        Missing("property", "commi", ("columns",)),
        Missing("tag", "qualit", ("columns",)),
    ]


def test_another_workspace_does_not_count(labelled: Any, people: Any) -> None:
    other = make.workspace("elsewhere", owner=people.alice)
    found = missing_names(other, ViewState(columns="tag.quality,metric.loss"))

    assert [str(one) for one in found] == ["tag “quality”", "metric “loss”"]


def test_a_run_in_the_trash_still_has_its_names(labelled: Any, people: Any) -> None:
    actions.complete_run(labelled, by=Actor.of_user(people.bob))
    from studio.runs.actions.keeping import delete_run

    delete_run(labelled, by=Actor.of_user(people.bob))

    assert missing_names(labelled.workspace, ViewState(columns="tag.quality")) == []


def test_names_that_are_odd_are_looked_for_as_they_are(labelled: Any, people: Any) -> None:
    odd = "100 % “x”'; DROP TABLE"
    state = ViewState(columns=f'tag."{odd}",tag."%"')
    assert len(missing_names(labelled.workspace, state)) == 2

    actions.change_tags(labelled, by=Actor.of_user(people.bob), put={odd: None}, remove=[])

    assert missing_names(labelled.workspace, state) == [Missing("tag", "%", ("columns",))]


def test_each_family_costs_one_query_however_many_names_and_states(labelled: Any) -> None:
    room, nothing = labelled.workspace, ViewState(q="status:failed")
    many = ViewState(columns=",".join(f"tag.t{i}" for i in range(60)))
    for states, n in (([nothing], 0), ([WHOLE], 5), ([WHOLE, many, nothing, WHOLE], 5)):
        with CaptureQueriesContext(connection) as caught:
            found = missing_of_each(room, states)
        assert len(caught) == n
        assert len(found) == len(states)


def test_more_names_than_a_database_takes_at_once_are_looked_for(labelled: Any) -> None:
    states = [
        ViewState(columns=",".join(f"tag.t{i}-{j}" for j in range(59)) + ",tag.quality")
        for i in range(50)
    ]

    found = missing_of_each(labelled.workspace, states)

    assert [len(one) for one in found] == [59] * 50


def test_each_name_is_a_seek_in_an_index(labelled: Any) -> None:
    with CaptureQueriesContext(connection) as caught:
        missing_names(labelled.workspace, WHOLE)
    for query in caught.captured_queries:
        told = plan(query["sql"])
        assert re.search(r"SEARCH|Index", told), told
        assert not re.search(r"SCAN (runs|metrics)|Seq Scan", told), told


def plan(sql: str) -> str:
    """What the database would do, as text; on PostgreSQL as in a table with many rows."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
        explain = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
        cursor.execute(f"{explain} {sql}")
        return "\n".join(str(row[-1]) for row in cursor.fetchall())


def test_a_view_of_an_experiment_that_is_gone_says_so(experiment: Any, people: Any) -> None:
    draft = Draft("Mine", {"columns": "tag.a"}, place=Place.EXPERIMENT, experiment=experiment)
    view = create_view(experiment.workspace, draft, by=Actor.of_user(people.bob))
    assert missing_of_view(view) == [Missing("tag", "a", ("columns",))]

    experiment.delete()
    view.refresh_from_db()

    assert missing_of_view(view)[0] == Missing("experiment", "vision", ("list",))

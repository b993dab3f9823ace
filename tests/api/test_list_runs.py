"""GET …/runs."""

import pytest

from tests import make


def uids(answer):
    assert answer.status_code == 200, answer.content
    return [item["uid"] for item in answer.json()["items"]]


@pytest.fixture
def tree(experiment):
    root = make.run(experiment, uid="root")
    child = make.run(experiment, uid="child", parent=root)
    make.run(experiment, uid="grandchild", parent=child)
    make.run(experiment, uid="second")
    return root


def test_root_runs_newest_first(api, tree):
    assert uids(api.get("/runs")) == ["second", "root"]


def test_children_may_be_included_or_asked_for_alone(api, tree):
    assert uids(api.get("/runs?children=1")) == ["second", "grandchild", "child", "root"]
    assert uids(api.get("/runs?parent=root")) == ["child"]
    assert uids(api.get("/runs?ancestor=root")) == ["grandchild", "child"]
    assert uids(api.get("/runs?ancestor=child")) == ["grandchild"]


def test_an_unknown_parent_ancestor_or_experiment_is_404(api, tree):
    for query in ("parent=x", "ancestor=x", "experiment=x"):
        assert api.get(f"/runs?{query}").status_code == 404


def test_by_experiment_and_type(api, tree, workspace):
    make.run(make.experiment(workspace, "speech"), uid="other", type="pipeline")
    assert uids(api.get("/runs?experiment=speech")) == ["other"]
    assert uids(api.get("/runs?type=pipeline")) == ["other"]
    assert uids(api.get("/runs?experiment=vision")) == ["second", "root"]


def test_pages_together_are_the_list_each_run_once(api, experiment):
    made = [make.run(experiment).uid for _ in range(7)]
    found, cursor = [], ""
    while cursor is not None:
        page = api.get(f"/runs?limit=3&cursor={cursor}").json()
        found += [item["uid"] for item in page["items"]]
        cursor = page["next"]
    assert found == made[::-1]


def test_a_run_made_between_two_pages_shifts_nothing(api, experiment):
    made = [make.run(experiment).uid for _ in range(4)]
    first = api.get("/runs?limit=2").json()
    make.run(experiment)
    second = api.get(f"/runs?limit=2&cursor={first['next']}")
    assert uids(second) == made[1::-1]


def test_items_leave_the_definition_out_and_cut_descriptions(api, experiment, people):
    from studio.runs.actions import describe_run

    run = make.run(experiment, definition={"cwd": "/home"})
    describe_run(run, "x" * 3000, by=make.actor(people.bob))
    item = api.get("/runs").json()["items"][0]
    assert "definition" not in item
    assert len(item["description"]) == 1000
    assert len(api.get(f"/runs/{run.uid}").json()["description"]) == 3000


def test_archived_and_deleted_runs_are_left_out(api, experiment):
    from django.utils import timezone

    from studio.runs.models import Run

    for column in ("archived_at", "deleted_at"):
        run = make.run(experiment)
        Run.objects.filter(pk=run.pk).update(**{column: timezone.now()})
    assert uids(api.get("/runs")) == []


def test_a_search_narrows_the_list(api, experiment):
    make.run(experiment, uid="good", tags={"quality": "good"})
    make.run(experiment, uid="bad", tags={"quality": "bad"})
    assert uids(api.get("/runs", q="tag.quality:good")) == ["good"]
    assert uids(api.get("/runs", q="-tag.quality:good")) == ["bad"]


def test_a_search_that_can_not_be_read_is_422_with_the_place_and_an_example(api, experiment):
    answer = api.get("/runs", q="status:")
    error = answer.json()["error"]
    assert (answer.status_code, error["field"]) == (422, "q")
    assert error["example"]
    assert "position" in error


def test_the_number_of_queries_does_not_grow_with_the_page(api, experiment, count_queries):
    make.run(experiment, tags={"a": "b"}, parameters={"lr": 1})
    few = count_queries(lambda: api.get("/runs"))
    parent = make.run(experiment)
    for _ in range(20):
        make.run(experiment, tags={"a": "b"}, parameters={"lr": 1}, parent=parent)
    assert count_queries(lambda: api.get("/runs?children=1")) == few <= 6

"""The tags of a selection: on all, on some, with one value or several; what a purge weighs."""

from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from studio.bulk import tagging
from studio.bulk.selection import Selection, checked
from studio.bulk.tagging import TagState, tag_states
from studio.bulk.weighing import Weight, weigh
from studio.runs import actions
from studio.runs.actions import keeping
from tests import make

pytestmark = [pytest.mark.data, pytest.mark.django_db]
ALL = Selection(query="")


def states(selection: Selection, workspace: Any) -> dict[str, TagState]:
    found = tag_states(checked(selection), workspace, user=None)
    return {state.key: state for state in found.states}


@pytest.fixture
def runs(experiment: Any) -> list[Any]:
    tags = [
        {"all": "x", "values": "1", "mixed": None, "bare": None},
        {"all": "x", "values": "2", "mixed": "1", "bare": None, "one": "y"},
        {"all": "x", "values": "2"},
    ]
    return [make.run(experiment, tags=each) for each in tags]


@pytest.mark.parametrize("by_id", [True, False])
def test_it_tells_on_how_many_and_with_which_value(
    by_id: bool, runs: list[Any], workspace: Any
) -> None:
    chosen = Selection(uids=tuple(run.uid for run in runs)) if by_id else ALL
    assert states(chosen, workspace) == {
        "all": TagState("all", 3, 3, 0, False, "x"),
        "values": TagState("values", 3, 3, 0, True, None),
        "mixed": TagState("mixed", 2, 3, 1, True, None),
        "bare": TagState("bare", 2, 3, 2, False, None),
        "one": TagState("one", 1, 3, 0, False, "y"),
    }


def test_many_ids_are_added_up_over_their_slices(
    runs: list[Any], workspace: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studio.bulk.selection.UIDS_PER_QUERY", 1)
    chosen = Selection(uids=tuple(run.uid for run in runs))
    assert states(chosen, workspace)["values"].has_several
    assert states(chosen, workspace)["all"].is_on_all
    assert states(chosen, workspace)["mixed"].has_several


def test_of_too_many_only_the_newest_are_looked_at(
    runs: list[Any], workspace: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tagging, "MAX_LOOKED_AT", 2)
    found = tag_states(checked(ALL), workspace, user=None)
    assert (found.n_runs, found.is_whole) == (2, False)
    assert next(state for state in found.states if state.key == "mixed").n == 1


def test_rare_keys_are_left_out_and_counted(experiment: Any, workspace: Any) -> None:
    make.run(experiment, tags={f"k{i:03}": None for i in range(60)})
    make.run(experiment, tags={"k059": None})
    found = tag_states(checked(ALL), workspace, user=None)
    assert (len(found.states), found.n_more) == (50, 10)
    assert found.states[0].key == "k059"


def test_it_takes_two_queries_however_many_tags(experiment: Any, workspace: Any) -> None:
    for i in range(5):
        make.run(experiment, tags={f"k{i}{j}": "v" for j in range(10)})
    selection = checked(ALL)
    with CaptureQueriesContext(connection) as seen:
        tag_states(selection, workspace, user=None)
    assert len(seen) == 2


def test_other_workspaces_and_the_trash_are_not_looked_at(
    runs: list[Any], workspace: Any, people: Any
) -> None:
    other = make.workspace("other", owner=people.dave, contributor=people.alice)
    theirs = make.run(make.experiment(other), tags={"theirs": "x"})
    keeping.delete_run(runs[1], by=make.actor(people.bob), cancel=True)
    chosen = Selection(uids=(*(run.uid for run in runs), theirs.uid))
    assert set(states(chosen, workspace)) == {"all", "values", "mixed", "bare"}


def test_a_purge_is_weighed_with_what_went_along(
    experiment: Any, workspace: Any, people: Any
) -> None:
    by, api = make.actor(people.bob), make.Api(people.bob, workspace)
    parent = make.run(experiment)
    for run, n in ((parent, 100), (make.run(experiment, parent=parent), 20)):
        path = f"/runs/{run.uid}/artifacts/outputs/a.bin"
        assert api.send("PUT", path, b"x" * n, "application/octet-stream").status_code == 201
        actions.complete_run(run, by=by)
    keeping.delete_run(parent, by=by)
    trash = replace(ALL, trash=True)
    assert weigh(checked(trash), workspace, user=None) == Weight(n_runs=2, n_bytes=120)
    chosen = Selection(uids=(parent.uid, "f" * 32), trash=True)
    assert weigh(checked(chosen), workspace, user=None) == Weight(n_runs=2, n_bytes=120)

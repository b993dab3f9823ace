"""What lists sort by is written with the run, and filled in for runs that were there before."""

from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest

from tests import make

pytestmark = [pytest.mark.django_db, pytest.mark.data]
COLUMNS = ("n_children", "first_tag", "description_start")


def columns_of(run: Any) -> tuple[Any, ...]:
    run.refresh_from_db()
    return tuple(getattr(run, name) for name in COLUMNS)


@pytest.fixture
def bob(people: Any) -> Any:
    from studio.accounts.permissions import Actor

    return Actor.of_user(people.bob)


@pytest.fixture
def family(experiment: Any, bob: Any) -> list[Any]:
    from studio.runs.actions.annotate import describe_run
    from studio.runs.actions.create import NewRun, create_run
    from studio.runs.actions.keeping import delete_run
    from studio.runs.actions.tags import change_tags

    parent = make.run(experiment, tags={"b": "2", "B": "x" * 100, "a": None})
    bare = make.run(experiment)
    children = [create_run(experiment, NewRun(), by=bob, parent=parent) for _ in range(3)]
    delete_run(children[0], by=bob, cancel=True)
    describe_run(parent, "# First\n\n  line " + "word " * 40, by=bob)
    describe_run(bare, " \n ", by=bob)
    change_tags(children[1], put={"z": "", "y": "1"}, by=bob)
    change_tags(children[1], remove=["y"], by=bob)
    return [parent, bare, *children]


def test_every_action_keeps_them(family: list[Any]) -> None:
    parent, bare, gone, tagged, plain = map(columns_of, family)
    assert parent[0] == 2
    assert parent[1] == ("B: " + "x" * 100)[:80]
    assert parent[2] == ("# First line " + "word " * 40)[:80].rstrip()
    assert bare == gone == plain == (None, None, None)
    assert tagged == (None, "z", None)


def test_a_restored_child_run_counts_again(family: list[Any], bob: Any) -> None:
    from studio.runs.actions.keeping import restore_run

    family[2].refresh_from_db()
    restore_run(family[2], by=bob)
    assert columns_of(family[0])[0] == 3


def test_an_update_fills_them_for_runs_that_are_there(family: list[Any]) -> None:
    from django.db import connection

    from studio.runs.models import Run

    before = [columns_of(run) for run in family]
    Run.objects.update(**dict.fromkeys(COLUMNS))
    migration = import_module("studio.runs.migrations.0008_sorted_columns")
    migration.fill(None, SimpleNamespace(connection=connection))
    assert [columns_of(run) for run in family] == before

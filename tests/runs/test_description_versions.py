"""Every text that a description had, by number, and bringing one back."""

from typing import Any

import pytest
from django.test.utils import CaptureQueriesContext

from studio.accounts.permissions import NotAllowed
from studio.runs import actions
from studio.runs.actions.experiments import describe_experiment
from studio.runs.actions.restore_description import (
    restore_description,
    restore_experiment_description,
)
from studio.runs.description_versions import PAGE_SIZE, version_of, versions_of
from studio.runs.limits import Invalid
from studio.runs.models import Description, Experiment, Run
from tests import make

pytestmark = pytest.mark.data


@pytest.fixture(params=["run", "experiment"])
def held(request: Any, run: Any) -> Any:
    """Something with a description: each test is of a run and of an experiment."""
    return run if request.param == "run" else run.experiment


def describe(held: Any, text: str, by: Any, **facts: Any) -> None:
    how = actions.describe_run if isinstance(held, Run) else describe_experiment
    how(held, text, by=make.actor(by), **facts)


def restore(held: Any, version: int, by: Any, **facts: Any) -> None:
    is_run = isinstance(held, Run)
    how: Any = restore_description if is_run else restore_experiment_description
    how(held, version, by=make.actor(by), **facts)


def stored(held: Any) -> tuple[int, str]:
    if isinstance(held, Run):
        row = Description.objects.get(run=held)
        return row.version, row.text
    fresh = Experiment.objects.get(pk=held.pk)
    return fresh.description_version, fresh.description


def told(held: Any, **query: Any) -> list[tuple[int, str, str, str]]:
    found = versions_of(held, **query).versions
    return [(one.number, one.before, one.text, one.actor) for one in found]


def test_each_save_is_a_version_with_who_made_it_and_what_it_replaced(
    held: Any, people: Any
) -> None:
    assert told(held) == []
    describe(held, "one", people.bob)
    describe(held, "two", people.alice)
    describe(held, "", people.bob)

    assert told(held) == [(3, "two", "", "bob"), (2, "one", "two", "alice"), (1, "", "one", "bob")]
    assert version_of(held, 2) == versions_of(held).versions[1]


def test_the_same_text_again_is_no_version(held: Any, people: Any) -> None:
    for _ in range(2):
        describe(held, "one", people.bob)

    assert stored(held) == (1, "one")
    assert len(told(held)) == 1


def test_an_older_text_becomes_the_newest_and_says_so(held: Any, people: Any) -> None:
    for text in ("one", "two"):
        describe(held, text, people.bob)

    restore(held, 1, people.alice, expected_version=2)

    assert stored(held) == (3, "one")
    newest = versions_of(held).versions[0]
    assert (newest.number, newest.before, newest.text, newest.actor) == (3, "two", "one", "alice")
    assert "brought back" in newest.note
    assert held.events.order_by("id").last().kind == "description_restored"


def test_restoring_over_what_somebody_saved_meanwhile_is_a_conflict(held: Any, people: Any) -> None:
    for text in ("one", "two", "hers"):
        describe(held, text, people.alice)

    with pytest.raises(actions.EditConflict) as conflict:
        restore(held, 1, people.bob, expected_version=2)

    assert conflict.value.current.text == "hers"
    assert stored(held) == (3, "hers")


@pytest.mark.parametrize("version", [-1, 0, 3, 10**30])
def test_a_version_there_is_not_cannot_come_back(held: Any, people: Any, version: int) -> None:
    for text in ("one", "two"):
        describe(held, text, people.bob)

    assert version_of(held, version) is None
    with pytest.raises(Invalid, match="There is no version"):
        restore(held, version, people.bob)
    assert stored(held) == (2, "two")


def test_who_may_not_describe_may_not_restore(held: Any, people: Any) -> None:
    for text in ("one", "two"):
        describe(held, text, people.bob)

    for version in (1, 99):
        with pytest.raises(NotAllowed):
            restore(held, version, people.carol)
    assert stored(held) == (2, "two")


def test_the_text_a_thing_came_with_is_kept_and_comes_back(held: Any, people: Any) -> None:
    """Seeded runs and experiments made with a description have a text that nobody saved."""
    if isinstance(held, Run):
        Description.objects.create(run=held, text="came with it")
        at = 1
    else:
        Experiment.objects.filter(pk=held.pk).update(description="came with it")
        held.refresh_from_db()
        at = 0
    assert [one.is_first for one in versions_of(held).versions] == [True]
    describe(held, "two", people.bob)

    made = versions_of(held).versions[-1]
    assert (made.number, made.text, made.is_first) == (at, "came with it", True)
    restore(held, at, people.bob)
    assert stored(held) == (at + 2, "came with it")
    assert len(versions_of(held).versions) == 3


def test_pages_hold_thirty_and_cost_the_same_however_many_there_are(
    held: Any, people: Any, django_assert_num_queries: Any
) -> None:
    n = 2 * PAGE_SIZE + 5
    for i in range(1, n + 1):
        describe(held, f"text {i}", people.bob)
    held = type(held).objects.get(pk=held.pk)

    seen, below = [], None
    for size in (PAGE_SIZE, PAGE_SIZE, 5):
        with django_assert_num_queries(2) as asked:
            page = versions_of(held, below=below)
        assert isinstance(asked, CaptureQueriesContext)
        assert len(page.versions) == size
        seen += [(one.number, one.text) for one in page.versions]
        below = page.below
        # What is saved meanwhile moves no page.
        describe(held, f"meanwhile {below}", people.alice)

    assert below is None
    assert seen == [(i, f"text {i}") for i in range(n, 0, -1)]
    for beyond in (0, 1, 10**30):
        assert len(versions_of(held, below=beyond).versions) == (PAGE_SIZE if beyond > n else 0)


def test_a_conflict_with_nothing_stored_names_the_version_to_write_upon(
    run: Any, people: Any
) -> None:
    with pytest.raises(actions.EditConflict) as conflict:
        actions.describe_run(run, "mine", by=make.actor(people.bob), expected_version=4)

    version = conflict.value.current.version
    assert version == 0
    row = actions.describe_run(run, "mine", by=make.actor(people.bob), expected_version=version)
    assert (row.version, row.text) == (1, "mine")

"""The keys and values of a workspace: counted, found, sorted, and cut into pages."""

from typing import Any

import pytest

from studio.runs import actions
from studio.runs.actions import keeping
from studio.search import tag_overview
from studio.search.tag_overview import TagPage, n_bare, tag_keys, tag_values
from tests import make

pytestmark = [pytest.mark.data, pytest.mark.django_db]


@pytest.fixture
def room(experiment: Any, people: Any) -> Any:
    """beta on 3 runs with 2 values, Alpha on 2 without one, gamma on 1, %_ in the trash only."""
    by = make.actor(people.bob)
    parent = make.run(experiment, tags={"beta": "x", "Alpha": None})
    make.run(experiment, parent=parent, tags={"beta": "x", "Alpha": ""})
    archived = make.run(experiment, tags={"beta": "y", "gamma": "%"})
    trashed = make.run(experiment, tags={"beta": "z", "%_": "1"})
    for run in (archived, trashed):
        actions.complete_run(run, by=by)
    keeping.archive_runs(experiment.workspace, [archived], by=by)
    keeping.delete_run(trashed, by=by)
    elsewhere = make.workspace("elsewhere", owner=people.alice, contributor=people.bob)
    make.run(make.experiment(elsewhere), tags={"beta": "theirs", "secret": "1"})
    return experiment.workspace


def told(page: TagPage) -> list[tuple[str, int, int]]:
    return [(row.text, row.n_runs, row.n_values) for row in page.rows]


def walked(read: Any, sort: str, *, size: int) -> list[str]:
    """The texts of all pages, one after the other."""
    found, after = [], ""
    for _ in range(20):
        page = read(sort=sort, after=after, size=size)
        found += [row.text for row in page.rows]
        after = page.next
        if not after:
            return found
    raise AssertionError("the pages do not end")


def test_keys_are_counted_without_the_trash_and_other_workspaces(room: Any) -> None:
    assert sorted(told(tag_keys(room, size=50))) == [
        ("%_", 0, 1),
        ("Alpha", 2, 0),
        ("beta", 3, 3),
        ("gamma", 1, 1),
    ]
    assert told(tag_values(room, "beta", size=50)) == [("x", 2, 0), ("y", 1, 0), ("z", 0, 0)]
    assert n_bare(room, "Alpha") == 2
    assert told(tag_values(room, "Alpha", size=50)) == []


@pytest.mark.parametrize(
    ("find", "keys"), [("A", 3), ("ALPHA", 1), ("%", 1), ("_", 1), ("secret", 0), ('"', 0)]
)
def test_a_part_of_a_key_finds_it_in_any_case(room: Any, find: str, keys: int) -> None:
    assert len(tag_keys(room, find=find, size=50).rows) == keys


@pytest.mark.parametrize("size", [1, 3])
def test_pages_of_every_order_hold_each_key_once(room: Any, size: int) -> None:
    def read(**asked: Any) -> TagPage:
        return tag_keys(room, **asked)

    names = walked(read, "key", size=size)
    assert sorted(names) == ["%_", "Alpha", "beta", "gamma"]
    assert walked(read, "-key", size=size) == names[::-1]
    assert walked(read, "-runs", size=size) == ["beta", "Alpha", "gamma", "%_"]
    assert walked(read, "runs", size=size) == ["%_", "gamma", "Alpha", "beta"]
    assert walked(read, "-values", size=size) == ["beta", "%_", "gamma", "Alpha"]


def test_of_very_many_there_is_one_order_and_bounded_counts(room: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(tag_overview, "MAX_SORTED", 2)
    monkeypatch.setattr(tag_overview, "COUNTED_TO", 1)
    monkeypatch.setattr(tag_overview, "VALUES_TO", 1)

    def read(**asked: Any) -> TagPage:
        page = tag_keys(room, **asked)
        assert not page.is_sortable
        return page

    assert sorted(walked(read, "-runs", size=1)) == ["%_", "Alpha", "beta", "gamma"]
    (beta,) = [row for row in read(size=50).rows if row.text == "beta"]
    assert (beta.n_runs, beta.is_exact) == (2, False)
    assert (beta.n_values, beta.values_exact) == (2, False)


def test_a_page_goes_on_where_a_key_has_gone(room: Any, people: Any, experiment: Any) -> None:
    extra = make.run(experiment, tags={"bravo": "1"})
    names = walked(lambda **asked: tag_keys(room, **asked), "key", size=50)
    at = names.index("bravo")
    first = tag_keys(room, size=at + 1)
    actions.change_tags(extra, by=make.actor(people.bob), remove=["bravo"])
    rest = [row.text for row in tag_keys(room, after=first.next, size=50).rows]
    assert rest == names[at + 1 :]

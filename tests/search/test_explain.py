"""What each condition of a query removes, and the ways out of an empty list."""

from itertools import combinations
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.search import explain as module
from studio.search.apply import asks_for_archived
from studio.search.errors import SearchSyntaxError
from studio.search.explain import Count, Explanation, explain
from studio.search.pills import pills
from studio.search.syntax import parse
from studio.search.tree import Node, all_of
from tests import make
from tests.amount import form
from tests.search import world
from tests.search.reference import Facts, matches
from tests.search.test_reference import NODES

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.data,
    pytest.mark.usefixtures("lasting_people", "lasting_workspace"),
]


@pytest.fixture(scope="module")
def lasting_facts(lasting_lab: Any, everybody: Any) -> list[Facts]:
    return world.build(lasting_lab, everybody)


@pytest.fixture
def facts(lasting_facts: list[Facts], put_back: None) -> list[Facts]:
    return lasting_facts


@pytest.fixture(scope="module")
def lasting_twelve(everybody: Any) -> Any:
    """Twelve runs: tags by number, every third one Queued."""
    from studio.runs.models import Run

    room = make.workspace("twelve", owner=everybody.alice, contributor=everybody.bob)
    experiment = make.experiment(room)
    for i in range(12):
        tags = {"size": "big" if i < 4 else "small", "n": str(i)}
        made = make.run(experiment, tags=tags, parameters={"lr": "0.1"})
        if i % 3 == 0:
            Run.objects.filter(pk=made.pk).update(status="Queued")
    return room


@pytest.fixture
def lab(lasting_twelve: Any, put_back: None) -> Any:
    return lasting_twelve


def explained(workspace: Any, text: str, **more: Any) -> Explanation:
    from studio.runs.models import Run

    return explain(Run.objects.of(workspace), parse(text), user=None, workspace=workspace, **more)


def listed(facts: list[Facts], parts: list[Node]) -> list[Facts]:
    """The runs a list with these conditions shows."""
    node = all_of(parts) if parts else None
    shown = facts if asks_for_archived(node) else [fact for fact in facts if not fact.archived]
    return [one for one in shown if matches(one, node, user="bob", now=world.NOW)]


def n_removed(facts: list[Facts], parts: list[Node], place: int) -> int:
    rest = [*parts[:place], *parts[place + 1 :]]
    before = {one.uid for one in listed(facts, rest)}
    return len(before - {one.uid for one in listed(facts, parts)})


def agrees(count: Count, n: int) -> bool:
    return count.n == n if count.is_exact else count.n <= n


@pytest.mark.parametrize(
    ("window", "most", "budget_s"),
    [(1_000, 1_000, 60.0), (15, 1_000, 60.0), (15, 20, 60.0), (15, 1_000, 0.0)],
)
def test_it_says_what_the_plain_reference_says(
    workspace: Any,
    people: Any,
    facts: list[Facts],
    monkeypatch: pytest.MonkeyPatch,
    window: int,
    most: int,
    budget_s: float,
) -> None:
    """All runs in the window; few of them; too many to count; and no time to count."""
    from studio.runs.models import Run

    monkeypatch.setattr(module, "WINDOW", window)
    monkeypatch.setattr(module, "MAX_COUNT", most)

    @settings(
        max_examples=form(30, 200),
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(st.lists(NODES, min_size=1, max_size=4).map(all_of))
    def check(node: Node) -> None:
        found = explain(
            Run.objects.of(workspace),
            node,
            user=people.bob,
            workspace=workspace,
            now=world.NOW,
            budget_s=budget_s,
        )
        parts = list(pills(node))
        assert agrees(found.n, len(listed(facts, parts)))
        assert [effect.pill for effect in found.effects] == parts
        for place, effect in enumerate(found.effects):
            assert agrees(effect.n_removed, n_removed(facts, parts, place))
        if found.n.n:
            assert found.ways_out == ()
        elif budget_s:
            assert_ways_out(facts, parts, found)

    check()


def assert_ways_out(facts: list[Facts], parts: list[Node], found: Explanation) -> None:
    for way in found.ways_out:
        rest = [part for i, part in enumerate(parts) if i not in way.places]
        assert way.rest == (all_of(rest) if rest else None)
        assert way.n.n
        assert agrees(way.n, len(listed(facts, rest)))
    sizes = [way.n.n for way in found.ways_out]
    assert sizes == sorted(sizes, reverse=True)
    alone = [i for i in range(len(parts)) if listed(facts, parts[:i] + parts[i + 1 :])]
    pairs = {
        pair: listed(facts, [part for i, part in enumerate(parts) if i not in pair])
        for pair in combinations(range(len(parts)), 2)
    }
    if alone:
        assert sorted(way.places for way in found.ways_out) == [(i,) for i in alone]
    elif len(pairs) <= module.MAX_PAIRS and any(pairs.values()):
        (way,) = found.ways_out
        assert len(pairs[way.places]) >= way.n.n > 0


def test_no_query_has_no_conditions(lab: Any) -> None:
    assert explained(lab, "") == Explanation(Count(12), (), ())


def test_each_pill_says_how_many_runs_it_alone_keeps_out(lab: Any) -> None:
    found = explained(lab, "tag.size:big status:queued has:param.lr")
    assert found.n == Count(2)
    assert [effect.n_removed for effect in found.effects] == [Count(2), Count(2), Count(0)]
    assert found.ways_out == ()


def test_of_an_empty_list_it_says_which_condition_to_drop_best_first(lab: Any) -> None:
    found = explained(lab, "status:queued tag.size:huge tag.n:0")
    assert found.n == Count(0)
    (way,) = found.ways_out
    assert (way.places, way.n, way.dropped) == ((1,), Count(1), (parse("tag.size:huge"),))
    assert way.rest == parse("status:queued tag.n:0")
    found = explained(lab, "status:queued tag.n:1")
    assert [(way.places, way.n.n) for way in found.ways_out] == [((1,), 4), ((0,), 1)]


def test_where_one_is_not_enough_it_names_the_pair_that_brings_back_most(lab: Any) -> None:
    found = explained(lab, "tag.size:huge tag.n:1 tag.n:99")
    (way,) = found.ways_out
    assert (way.places, way.n) == ((0, 2), Count(1))
    assert explained(lab, "tag.a:1 tag.b:1 tag.c:1").ways_out == ()


def test_the_only_condition_can_be_dropped_too(lab: Any) -> None:
    (way,) = explained(lab, "tag.size:huge").ways_out
    assert (way.rest, way.n) == (None, Count(12))


def test_archived_runs_do_not_come_back_by_dropping_what_asks_for_them(
    lab: Any,
) -> None:
    from django.utils import timezone

    from studio.runs.models import Run

    put_away = make.run(make.experiment(lab), tags={"size": "big"})
    Run.objects.filter(pk=put_away.pk).update(archived_at=timezone.now())
    assert explained(lab, "tag.size:big").n == Count(4)
    found = explained(lab, "tag.size:big is:archived")
    assert found.n == Count(1)
    assert [effect.n_removed.n for effect in found.effects] == [0, 4]
    (way,) = explained(lab, "tag.size:small is:archived").ways_out[:1]
    assert (way.places, way.n.n) == ((1,), 8)


def test_more_than_ten_thousand_are_never_counted(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_COUNT", 5)
    assert explained(lab, "").n == Count(5, is_exact=False)
    monkeypatch.setattr(module, "WINDOW", 6)
    found = explained(lab, "has:param.lr tag.size:small")
    assert found.n == Count(5, is_exact=False)
    assert [effect.n_removed for effect in found.effects] == [Count(0, False), Count(0, False)]


def test_without_time_it_says_what_the_newest_runs_say(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WINDOW", 6)
    hurried = explained(lab, "status:queued tag.n:1", budget_s=0)
    assert [(way.places, way.n) for way in hurried.ways_out] == [((1,), Count(2, False))]
    calm = explained(lab, "status:queued tag.n:1")
    assert [(way.places, way.n) for way in calm.ways_out] == [
        ((1,), Count(4)),
        ((0,), Count(1)),
    ]


@pytest.mark.parametrize(("window", "n_queries"), [(100, 2), (6, 3 + 12 + module.MAX_PAIRS)])
def test_its_queries_are_bounded(
    lab: Any,
    django_assert_max_num_queries: Any,
    monkeypatch: pytest.MonkeyPatch,
    window: int,
    n_queries: int,
) -> None:
    monkeypatch.setattr(module, "WINDOW", window)
    n_looked_up = 12
    with django_assert_max_num_queries(n_looked_up + n_queries):
        found = explained(lab, " ".join(f"tag.n:{i}" for i in range(100, 112)))
    assert (found.n, found.ways_out) == (Count(0), ())


def test_what_cannot_be_asked_is_refused(lab: Any) -> None:
    with pytest.raises(SearchSyntaxError, match="no status"):
        explained(lab, "tag.n:1 status:nonsense")

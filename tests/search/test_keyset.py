"""Pages in any order are the list, each run once, also while runs are being added."""

import functools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.search.columns import Column
from studio.search.order import Order, SortKey, order_by, parse_order
from tests import make
from tests.amount import form

pytestmark = [pytest.mark.django_db, pytest.mark.data]

NUMBERS = [None, 0.0, 0.5, -1.0, 3.0]
WORDS = [None, "aa", "ab", "b"]
COLUMNS = (
    Column("metric", "loss"),
    Column("metric", "loss", "min"),
    Column("metric", "acc", "max"),
    Column("tag", "quality"),
    Column("param", "lr"),
    Column("property", "data"),
    Column("duration"),
    Column("name"),
    Column("star"),
    Column("submitter"),
    Column("submitted"),
    Column("experiment"),
    Column("status"),
    Column("children"),
    Column("tags"),
    Column("description"),
)
FACTS = st.fixed_dictionaries(
    {
        "loss": st.sampled_from([*NUMBERS, "NaN", "text"]),
        "low": st.sampled_from(NUMBERS),
        "acc": st.sampled_from(NUMBERS),
        "quality": st.sampled_from(WORDS),
        "lr": st.sampled_from([None, "1e-3", "0.001", "5", "adam", "sgd"]),
        "data": st.sampled_from(WORDS),
        "duration": st.sampled_from(NUMBERS),
        "name": st.sampled_from(["run", "runs"]),
        "star": st.booleans(),
        "submitter": st.sampled_from([None, "alice", "bob"]),
        "experiment": st.sampled_from(["one", "two", "three"]),
        "status": st.sampled_from(["Queued", "Running"]),
        "children": st.sampled_from([None, 1, 2]),
        "description": st.sampled_from(WORDS),
    }
)
KEYS = st.lists(
    st.builds(SortKey, st.sampled_from(COLUMNS), st.booleans()),
    min_size=1,
    max_size=3,
    unique_by=lambda key: key.column,
)


def store(experiment: Any, people: Any, fact: dict[str, Any]) -> Any:
    from studio.metrics.models import Metric
    from studio.runs.limits import as_number
    from studio.runs.models import Experiment, Parameter, Property, Run, Star, Tag

    room = experiment.workspace
    person = getattr(people, fact["submitter"]) if fact["submitter"] else None
    named, _ = Experiment.objects.get_or_create(workspace=room, name=fact["experiment"])
    run = Run.objects.create(
        workspace=room,
        experiment=named,
        status=fact["status"],
        n_children=fact["children"],
        first_tag=fact["quality"] and f"quality: {fact['quality']}",
        description_start=fact["description"],
        number=1,
        display_name=fact["name"],
        duration_s=fact["duration"],
        submitter=person,
    )
    owner = {"workspace": room, "run": run}
    loss = fact["loss"]
    if isinstance(loss, str):
        Metric.objects.create(**owner, name="loss", last_text=loss, min=fact["low"])
    elif loss is not None or fact["low"] is not None:
        Metric.objects.create(**owner, name="loss", last=loss, min=fact["low"])
    if fact["acc"] is not None:
        Metric.objects.create(**owner, name="acc", max=fact["acc"])
    if fact["lr"] is not None:
        lr = fact["lr"]
        Parameter.objects.create(**owner, key="lr", value=lr, number=as_number(lr))
    for model, key in ((Tag, "quality"), (Property, "data")):
        if fact[key] is not None:
            model.objects.create(**owner, key=key, value=fact[key])
    if fact["star"]:
        Star.objects.create(user=people.bob, run=run)
    return run


def value_of(column: Column, run: Any, fact: dict[str, Any]) -> Any:
    """(rank, value) of a run in a column: numbers before texts; None for no value."""
    found = {
        "loss": fact["loss"] if not column.stat else fact["low"],
        "star": 1 if fact["star"] else None,
        "submitted": run.created_at,
        "tags": fact["quality"],
    }.get(column.name or column.family, fact.get(column.name or column.family))
    if column.family == "param" and found and found[0].isdigit():
        found = float(found)
    return None if found is None else (isinstance(found, str), found)


def plainly(keys: Any, runs: list[tuple[Any, Any]]) -> list[Any]:
    """The runs' ids in order, by Python's own sort."""

    def compare(one: tuple[Any, Any], other: tuple[Any, Any]) -> int:
        for key in keys:
            a, b = value_of(key.column, *one), value_of(key.column, *other)
            if a == b:
                continue
            if a is None or b is None or a[0] != b[0]:
                return 1 if a is None or (b is not None and a[0]) else -1
            return (-1 if a < b else 1) * (-1 if key.descending else 1)
        newer = one[0].pk > other[0].pk
        return -1 if newer == keys[-1].newest_first else 1

    return [run.pk for run, _ in sorted(runs, key=functools.cmp_to_key(compare))]


def check_way_back(runs: Any, order: Any, page: Any, whole: list[int], size: int) -> None:
    """Going up from a page meets all that stands above it."""
    from studio.search import keyset

    first_shown = page.runs[0].pk if page.runs else None
    above = whole[: whole.index(first_shown)] if first_shown else []
    met: list[int] = []
    cursor = page.newer
    while cursor and above:
        page = keyset.page(runs, order, size=size, before=cursor)
        met = [run.pk for run in page.runs] + met
        cursor = page.newer
    if met:
        assert met == above


@pytest.mark.parametrize(("few", "big"), [(1_000, 10_000), (2, 10_000), (0, 1)])
def test_pages_are_a_plain_sort_while_runs_are_added(
    experiment: Any, people: Any, few: int, big: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `few` = 2 indexes are walked, with 1,000 all values are read and sorted; with `big` = 1
    the runs of one tag value are walked in the order of the next key."""
    from studio.runs.models import Run
    from studio.search import keyset

    monkeypatch.setattr(keyset, "FEW", few)
    monkeypatch.setattr(keyset, "BIG", big)

    @settings(max_examples=form(25, 200), deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(FACTS, max_size=9), st.lists(FACTS, max_size=4), KEYS, st.integers(1, 4))
    def check(first: Any, added: Any, keys: Any, size: int) -> None:
        Run.objects.all().delete()
        known = [(store(experiment, people, fact), fact) for fact in first]
        order = Order(tuple(keys), experiment.workspace, people.bob)
        runs = Run.objects.of(experiment.workspace).select_related("experiment")
        before = plainly(keys, known)
        assert [run.pk for run in order_by(runs, order)] == before
        waiting, seen, after = list(added), [], ""
        pages = []
        while True:
            page = keyset.page(runs, order, size=size, after=after)
            seen += [run.pk for run in page.runs]
            pages.append(page)
            assert len(pages) <= 30
            if waiting:
                fact = waiting.pop()
                known.append((store(experiment, people, fact), fact))
            if not page.older:
                break
            after = page.older
        whole = plainly(keys, known)
        assert len(seen) == len(set(seen))
        assert [pk for pk in seen if pk in before] == before
        # What was added below the reader is met in its place.
        assert seen == [pk for pk in whole if pk in seen]
        check_way_back(runs, order, page, whole, size)

    check()


def test_the_way_back_meets_runs_that_came_into_a_big_block_without_the_next_value(
    experiment: Any, people: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from studio.runs.models import Run
    from studio.search import keyset

    monkeypatch.setattr(keyset, "FEW", 0)
    monkeypatch.setattr(keyset, "BIG", 1)
    plain = [make.run(experiment) for _ in range(3)]
    keys = (SortKey(Column("param", "lr")), SortKey(Column("metric", "loss")))
    order, runs = (
        Order(keys, experiment.workspace, people.bob),
        Run.objects.of(experiment.workspace),
    )
    first = keyset.page(runs, order, size=1)
    second = keyset.page(runs, order, size=1, after=first.older)
    assert second.runs == [plain[1]]

    # They belong above: they have a parameter, but no metric.
    added = [make.run(experiment, parameters={"lr": "1e-3"}) for _ in range(2)]
    met, cursor = [], second.newer
    while cursor:
        page = keyset.page(runs, order, size=1, before=cursor)
        met, cursor = [*page.runs, *met], page.newer
    assert met == [added[1], added[0], plain[2]]


def test_a_made_up_cursor_gives_the_first_page(experiment: Any, people: Any) -> None:
    from studio.runs.models import Run
    from studio.search import keyset

    for _ in range(4):
        make.run(experiment)
    runs = Run.objects.of(experiment.workspace)
    order = Order(parse_order("name"), experiment.workspace, people.bob)
    other = Order(parse_order("-duration,name"), experiment.workspace, people.bob)
    first = keyset.page(runs, order, size=2)
    cursors = ["x", "=", "é", "A" * 4000, first.older[:-2], "A" + first.older[1:], "0"]
    cursors.append(keyset.page(runs, other, size=2).older)
    for cursor in cursors:
        for way in ("after", "before"):
            assert keyset.page(runs, order, size=2, **{way: cursor}).runs == first.runs
    assert keyset.page(runs, order, size=2, after=first.older).runs != first.runs


@pytest.mark.parametrize("text", ["-metric.loss:min,tag.quality", "children,star", "-tags"])
def test_every_page_costs_a_bounded_number_of_queries(
    experiment: Any, people: Any, text: str, django_assert_max_num_queries: Any
) -> None:
    from studio.runs.models import Run
    from studio.search import keyset

    for i in range(12):
        make.run(experiment, tags={"quality": str(i)} if i % 2 else {})
    order = Order(parse_order(text), experiment.workspace, people.bob)
    with django_assert_max_num_queries(len(order.steps) + 3):
        keyset.page(Run.objects.of(experiment.workspace), order, size=10)

"""Groups of a list say what plain Python says, and lead to the runs they count."""

import math
import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.runs.limits import as_number
from studio.runs.status import COUNTERS
from studio.search import groups as module
from studio.search.apply import apply
from studio.search.columns import Column, parse_columns
from studio.search.errors import SearchSyntaxError
from studio.search.grouping import parse_group, print_group
from studio.search.groups import GroupPage, Measure, group_page
from studio.search.printer import print_query
from studio.search.syntax import parse
from tests import make
from tests.amount import form
from tests.search import world
from tests.search.reference import Facts

pytestmark = [pytest.mark.django_db, pytest.mark.data]

KEYS = [
    *(Column(family) for family in ("experiment", "status", "submitter", "target")),
    *(Column(family, name) for family in ("tag", "param") for name in ("größe", "lr", "Q")),
    Column("tag", "worth another look"),
]
METRICS = [
    *(Column("metric", name, stat) for name in world.METRICS for stat in ("", "min", "max")),
    Column("metric", 'no "such" -- one;'),
]


def grouped(runs: Any, text: str, metrics: str = "", *, size: int = 50, after: str = "") -> Any:
    return group_page(runs, parse_group(text), parse_columns(metrics), size=size, after=after)


@pytest.fixture
def runs(workspace: Any) -> Any:
    from studio.runs.models import Run

    return Run.objects.of(workspace)


# Reading and writing


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("  ", ()),
        ("experiment", (Column("experiment"),)),
        (" Status , tag.quality", (Column("status"), Column("tag", "quality"))),
        ('param."a, b",target', (Column("param", "a, b"), Column("target"))),
        ("submitter,submitter", (Column("submitter"),)),
        ("parameter.lr", (Column("param", "lr"),)),
    ],
)
def test_a_group_is_read_and_written(text: str, expected: tuple[Column, ...]) -> None:
    keys = parse_group(text)
    assert keys == expected
    assert parse_group(print_group(keys)) == keys


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("name", 0, "not by name"),
        ("status,metric.loss", 7, "not by metric"),
        ("tags", 0, "not by tags"),
        ("property.a", 0, "not by property"),
        ("nonsense", 0, ""),
        ("status,", 7, "comma"),
        ("status,target,tag.a", 14, "at most 2"),
        ("tag.", None, ""),
        ("metric.a:at-min(b)", 0, "not by metric"),
    ],
)
def test_what_cannot_group_is_refused_with_its_place(
    text: str, position: int | None, message: str
) -> None:
    with pytest.raises(SearchSyntaxError) as refused:
        parse_group(text)
    assert refused.value.field == "group"
    assert message in refused.value.message
    assert position is None or refused.value.position == position
    assert parse_group(refused.value.example)


@given(st.lists(st.sampled_from(KEYS), min_size=1, max_size=2, unique=True))
def test_every_group_survives_its_text(keys: list[Column]) -> None:
    assert parse_group(print_group(keys)) == tuple(keys)


# Against plain Python


def value_of(fact: Facts, key: Column) -> Any:
    """What tells the groups apart: numbers, texts, None."""
    if key.family == "tag":
        return (fact.tags[key.name] or "") if key.name in fact.tags else None
    if key.family == "param":
        text = fact.params.get(key.name)
        number = None if text is None else as_number(text)
        return text if number is None else number
    return getattr(fact, key.family)


def place(value: Any) -> Any:
    if value is None:
        return (2, 0.0, "")
    return (0, value, "") if isinstance(value, float) else (1, 0.0, value)


def shown_value(key: Column, text: str | None) -> Any:
    number = as_number(text) if key.family == "param" and text is not None else None
    return text if number is None else number


def measure(facts: list[Facts], column: Column) -> tuple[int, Any, Any, Any]:
    held = [fact.metrics.get(column.name) for fact in facts]
    at = ("", "min", "max").index(column.stat)
    numbers = [
        one[at]
        for one in held
        if one is not None and isinstance(one[at], float) and math.isfinite(one[at])
    ]
    if not numbers:
        return 0, None, None, None
    mean = math.fsum(number / len(numbers) for number in numbers)
    return len(numbers), mean, min(numbers), max(numbers)


def test_groups_are_those_of_the_plain_reference(workspace: Any, people: Any, runs: Any) -> None:
    facts = world.build(workspace, people)

    @settings(
        max_examples=form(30, 200),
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(
        st.lists(st.sampled_from(KEYS), min_size=1, max_size=2, unique=True),
        st.lists(st.sampled_from(METRICS), max_size=4),
        st.sampled_from([3, 100]),
    )
    def check(keys: list[Column], metrics: list[Column], size: int) -> None:
        expected: dict[Any, list[Facts]] = {}
        for fact in facts:
            expected.setdefault(tuple(value_of(fact, key) for key in keys), []).append(fact)
        order = sorted(expected, key=lambda v: (-len(expected[v]), [place(one) for one in v]))
        first = group_page(runs, keys, metrics, size=size)
        assert (first.n_groups, first.n_runs) == (len(expected), len(facts))
        assert not first.is_cut
        assert not first.is_sampled
        found = all_groups(runs, keys, metrics, first, size=size)
        values = [
            tuple(shown_value(key, text) for key, text in zip(keys, group.values, strict=True))
            for group in found
        ]
        assert values == order
        for group, value in zip(found, values, strict=True):
            assert_is(group, expected[value], metrics)
            assert_leads_to(group, expected[value], workspace, people.bob)

    check()


def all_groups(
    runs: Any, keys: Any, metrics: Any, page: GroupPage, *, size: int
) -> list[module.Group]:
    found, at = list(page.groups), [""]
    while page.older:
        at.append(page.older)
        page = group_page(runs, keys, metrics, size=size, after=page.older)
        assert 0 < len(page.groups) <= size
        assert page.newer == (at[-2] or "0")
        found += page.groups
    return found


def assert_is(group: module.Group, facts: list[Facts], metrics: list[Column]) -> None:
    assert group.n == len(facts)
    counters = Counter(
        name for fact in facts for name, statuses in COUNTERS.items() if fact.status in statuses
    )
    assert group.counters == dict(counters)
    assert group.newest_at == max(fact.created_at for fact in facts)
    assert set(group.measures) == set(metrics)
    for column in metrics:
        found, (n, mean, low, high) = group.measures[column], measure(facts, column)
        assert (found.n, found.low, found.high) == (n, low, high)
        assert found.mean is None if mean is None else found.mean == pytest.approx(mean)


def assert_leads_to(group: module.Group, facts: list[Facts], workspace: Any, user: Any) -> None:
    from studio.runs.models import Run

    assert parse(print_query(group.query)) == group.query
    narrowed = apply(Run.objects.of(workspace), group.query, user=user, workspace=workspace)
    assert set(narrowed.values_list("uid", flat=True)) == {fact.uid for fact in facts}


# By example


@pytest.fixture
def lab(experiment: Any, runs: Any) -> Any:
    """Ten runs, whose loss is their number, two of them hidden from every list."""
    from studio.metrics.models import Metric
    from studio.runs.models import Run

    for i in range(10):
        tags = {"quality": "good"} if i < 5 else {"quality": None} if i < 7 else {}
        made = make.run(
            experiment, tags=tags, parameters={"lr": ("0.1", "1e-1", "adam", "10", "9")[i % 5]}
        )
        Metric.objects.create(workspace=made.workspace, run=made, name="loss", last=float(i))
    hidden = make.run(experiment, tags={"quality": "good"})
    Run.objects.filter(pk=hidden.pk).update(deleted_at=hidden.created_at)
    return runs


def shape(page: GroupPage) -> list[tuple[Any, int]]:
    return [(group.values[0], group.n) for group in page.groups]


def test_a_tag_without_a_value_is_another_group_than_no_tag(lab: Any) -> None:
    page = grouped(lab, "tag.quality")
    assert shape(page) == [("good", 5), (None, 3), ("", 2)]
    assert [print_query(group.query) for group in page.groups] == [
        "tag.quality:good",
        "-has:tag.quality",
        'tag.quality:""',
    ]


def test_parameters_that_are_one_number_are_one_group_and_sort_as_numbers(lab: Any) -> None:
    page = grouped(lab, "param.lr")
    assert shape(page) == [("0.1", 4), ("9", 2), ("10", 2), ("adam", 2)]


def test_a_group_has_the_mean_the_lowest_and_the_highest_of_its_metrics(lab: Any) -> None:
    good, none, _ = grouped(lab, "tag.quality", "metric.loss,metric.gone,name").groups
    assert good.measures == {
        Column("metric", "loss"): Measure(5, 2.0, 0.0, 4.0),
        Column("metric", "gone"): Measure(),
    }
    assert none.measures[Column("metric", "loss")] == Measure(3, 8.0, 7.0, 9.0)


def test_a_value_at_another_metrics_best_step_has_no_measure(lab: Any) -> None:
    page = grouped(lab, "status", "metric.loss:at-min(acc),metric.loss")
    assert list(page.groups[0].measures) == [Column("metric", "loss")]


def test_the_largest_numbers_there_are_have_a_mean(lab: Any) -> None:
    from studio.metrics.models import Metric

    Metric.objects.update(last=1.7e308)
    (group,) = grouped(lab, "status", "metric.loss").groups
    assert group.measures[Column("metric", "loss")] == Measure(10, 1.7e308, 1.7e308, 1.7e308)


def test_a_name_holds_anything(lab: Any, experiment: Any) -> None:
    from studio.metrics.models import Metric

    name, value = 'x"; -- #%s', "'); DROP TABLE runs_run; -- %s \" \\"
    made = make.run(experiment, tags={name: value})
    Metric.objects.create(workspace=made.workspace, run=made, name=name, last=0.5)
    page = group_page(lab, [Column("tag", name)], [Column("metric", name, "")], size=5)
    assert [(group.values, group.n) for group in page.groups] == [((None,), 10), ((value,), 1)]
    assert page.groups[1].measures[Column("metric", name)].mean == 0.5


def test_many_metrics_are_measured_in_portions(lab: Any, experiment: Any) -> None:
    from studio.metrics.models import Metric

    pick, run = random.Random(3), make.run(experiment, tags={"quality": "good"})
    values = {f"m{i:02d}": pick.random() for i in range(45)}
    for name, value in values.items():
        Metric.objects.create(workspace=run.workspace, run=run, name=name, last=value, min=value)
    columns = ",".join(f"metric.{name},metric.{name}:min" for name in list(values)[:30])
    page = grouped(lab, "tag.quality", columns)
    for column, found in page.groups[0].measures.items():
        assert found == Measure(1, *[values[column.name]] * 3)
    assert len(page.groups[0].measures) == 60


@pytest.mark.parametrize("after", ["", "99", "-1", "x", "²", "9" * 5_000, "None"])
def test_what_no_page_gave_means_the_first_page(lab: Any, after: str) -> None:
    page = grouped(lab, "param.lr", size=3, after=after)
    assert shape(page) == [("0.1", 4), ("9", 2), ("10", 2)]
    assert (page.newer, page.older) == ("", "3")


def test_only_the_largest_groups_are_told_apart_and_the_page_says_so(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_GROUPS", 2)
    page = grouped(lab, "tag.quality")
    assert (shape(page), page.n_groups, page.is_cut) == ([("good", 5), (None, 3)], 2, True)
    assert page.n_runs == 10


def test_of_a_long_list_the_newest_runs_are_grouped_and_the_page_says_so(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_RUNS", 4)
    page = grouped(lab, "tag.quality", "metric.loss")
    assert (shape(page), page.n_runs, page.is_sampled) == ([(None, 3), ("", 1)], 4, True)
    monkeypatch.setattr(module, "MAX_RUNS", 10)
    assert not grouped(lab, "tag.quality").is_sampled


def test_every_look_up_takes_from_the_number_of_runs(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_LOOKUPS", 6)
    assert grouped(lab, "status").n_runs == 6
    assert grouped(lab, "tag.quality,param.lr", "metric.loss,metric.loss:min").n_runs == 2


def test_an_empty_list_has_no_groups(runs: Any) -> None:
    page = grouped(runs, "experiment,tag.quality", "metric.loss")
    assert (page.groups, page.n_groups, page.n_runs, page.older) == ([], 0, 0, "")


def test_its_queries_do_not_grow_with_the_groups(lab: Any, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(4):
        grouped(lab.for_list(), "experiment,submitter", "metric.loss,metric.acc")
    with django_assert_num_queries(2):
        grouped(lab.for_list(), "tag.quality,param.lr", "metric.loss,metric.acc")

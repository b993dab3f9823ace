"""Columns: their text, what they show, and how they are found."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.search.columns import (
    ATTRIBUTES,
    STATS,
    Column,
    parse_column,
    parse_columns,
    print_columns,
)
from studio.search.errors import SearchSyntaxError
from studio.search.order import SortKey, parse_order, print_order
from tests import make

NAMES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30
).map(lambda text: f"a{text}b") | st.sampled_from(
    ["loss", "val/acc.top1", "a,b", ":at-min(x)", 'say "hi"', "x y", "\\", "min", "größe", "-a"]
)


@st.composite
def columns(draw: Any) -> Column:
    import unicodedata

    def name() -> str:
        return unicodedata.normalize("NFC", draw(NAMES))

    family = draw(st.sampled_from([*ATTRIBUTES, "tag", "property", "param", *["metric"] * 5]))
    if family in ATTRIBUTES:
        return Column(family)
    stat = draw(st.sampled_from(STATS)) if family == "metric" else ""
    return Column(family, name(), stat, name() if stat.startswith("at-") else "")


@given(columns())
def test_a_column_reads_back_as_itself(column: Column) -> None:
    assert parse_column(str(column)) == column
    assert column.label
    assert column.type


@given(st.lists(columns(), max_size=6, unique=True))
def test_a_list_of_columns_reads_back_as_itself(some: list[Column]) -> None:
    assert parse_columns(print_columns(some)) == tuple(some)


@given(
    st.lists(
        st.builds(SortKey, columns().filter(lambda c: c.can_sort), st.booleans()),
        min_size=1,
        max_size=5,
        unique_by=lambda key: key.column,
    )
)
def test_an_order_reads_back_as_itself(keys: list[SortKey]) -> None:
    assert parse_order(print_order(keys)) == tuple(keys)


@given(st.text(max_size=40) | st.text(alphabet='metric.tag:at-min(x),"\\ -', max_size=40))
def test_any_text_is_columns_or_a_mistake_inside_it(text: str) -> None:
    for parse in (parse_columns, parse_order):
        if (error := mistake_of(parse, text)) is not None:
            assert 0 <= error.position <= error.position + error.length <= len(text)
            assert parse(error.example)


def mistake_of(parse: Any, text: str) -> SearchSyntaxError | None:
    try:
        parse(text)
    except SearchSyntaxError as error:
        return error
    return None


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("name,,status", 5),
        ("name,foo", 5),
        ("name, metric", 6),
        ("is", 0),
        ("tag.x:at-min(y)", 0),
        ("name,metric.a:at(b)", 13),
        ("metric.a:at-min()", 8),
        ('tag."x', 4),
    ],
)
def test_a_wrong_column_is_told_by_its_place(text: str, position: int) -> None:
    with pytest.raises(SearchSyntaxError) as caught:
        parse_columns(text)
    assert (caught.value.position, caught.value.field) == (position, "columns")


def test_a_value_at_the_best_step_is_shown_but_not_sorted_by() -> None:
    with pytest.raises(SearchSyntaxError) as caught:
        parse_order("status,-metric.acc:at-min(loss)")
    assert (caught.value.position, caught.value.field) == (7, "order")
    assert parse_order(caught.value.example)


@pytest.mark.data
@pytest.mark.django_db
class TestValues:
    def cells(self, run: Any, text: str, *, user: Any = None) -> dict[str, Any]:
        from studio.runs.models import Run
        from studio.search.column_values import values_for

        (one,) = [Run.objects.get(pk=run.pk)]
        found = values_for([one], parse_columns(text), user=user)
        return {str(column): value for column, value in found[run.pk].items()}

    def test_attributes_and_labels(self, experiment: Any, people: Any) -> None:
        from studio.runs.actions import describe_run
        from studio.runs.models import Star

        run = make.run(
            experiment, tags={"a": "1", "none": None}, parameters={"lr": 0.1}, display_name="x"
        )
        describe_run(run, "# Big\n\n*One* `a<b`\n\n- two & three", by=make.actor(people.bob))
        Star.objects.create(run=run, user=people.bob)
        make.run(experiment, parent=run)
        text = "name,experiment,submitter,target,status,tags,tag.a,tag.none,tag.no,param.lr"
        text += ",description,star,children,number,uid,ended,property.p"
        found = self.cells(run, text, user=people.bob)
        children = found.pop("children")
        assert children.words == "0 of 1 completed"
        assert found == {
            "name": "x",
            "experiment": "vision",
            "submitter": "bob",
            "target": None,
            "status": "Running",
            "tags": {"a": "1", "none": None},
            "tag.a": "1",
            "tag.none": "",
            "tag.no": None,
            "param.lr": "0.1",
            "description": "Big One a<b two & three",
            "star": True,
            "number": 1,
            "uid": run.uid,
            "ended": None,
            "property.p": None,
        }

    def log(self, api: Any, run: Any, name: str, steps: list[int], values: list[Any]) -> None:
        from tests.api.calls import batch

        body = batch(*values)
        (series,) = body["metrics"]
        series.update(name=name, steps=steps, times=[float(step) for step in steps])
        answer = api.post(f"/runs/{run.uid}/batches", body)
        assert answer.status_code == 200, answer.content

    def test_metrics_as_last_lowest_highest_and_at_another_ones_best_step(
        self, api: Any, run: Any
    ) -> None:
        self.log(api, run, "loss", [1, 2, 3], [3.0, 1.0, 2.0])
        self.log(api, run, "acc", [1, 2], [0.1, 0.2])
        self.log(api, run, "acc", [2, 3], [0.25, "NaN"])
        text = "metric.loss,metric.loss:min,metric.loss:max,metric.acc,metric.gone"
        text += ",metric.acc:at-min(loss),metric.acc:at-max(loss),metric.loss:at-max(acc)"
        text += ",metric.gone:at-min(loss),metric.acc:at-min(gone)"
        assert list(self.cells(run, text).values()) == [
            *(2.0, 1.0, 3.0, "NaN", None),
            *(0.25, 0.1, 1.0, None, None),
        ]

    def test_the_step_is_found_in_whichever_chunk_it_is(self, api: Any, run: Any) -> None:
        steps = list(range(20_000))
        self.log(api, run, "loss", steps, [abs(step - 9_000) + 1.0 for step in steps])
        self.log(api, run, "acc", steps, [float(step) for step in steps])
        assert self.cells(run, "metric.acc:at-min(loss)") == {"metric.acc:at-min(loss)": 9_000.0}

    def test_queries_do_not_grow_with_runs_or_columns(
        self, experiment: Any, django_assert_max_num_queries: Any
    ) -> None:
        from studio.runs.models import Run
        from studio.search.column_values import values_for

        for i in range(20):
            make.run(experiment, tags={"a": str(i)}, parameters={"lr": i})
        names = [f"{family}.n{i}" for i in range(8) for family in ("tag", "param", "metric")]
        names += [f"metric.n{i}:at-min(n{i + 1})" for i in range(8)]
        text = ",".join([*ATTRIBUTES, *names, "property.p"])
        with django_assert_max_num_queries(13):
            values_for(list(Run.objects.all()), parse_columns(text))


@pytest.mark.data
@pytest.mark.django_db
def test_columns_are_found_among_the_names_of_all_data(run: Any, workspace: Any) -> None:
    from studio.metrics.models import Metric
    from studio.runs.models import Tag
    from studio.search.column_finder import find_columns

    Metric.objects.bulk_create(
        Metric(workspace=workspace, run=run, name=f"layer{i}/Loss") for i in range(2_000)
    )
    Tag.objects.create(workspace=workspace, run=run, key="lossless")

    def found(text: str, limit: int = 50) -> list[str]:
        return [str(column) for column in find_columns(workspace, text, limit)]

    assert found("", 16) == list(ATTRIBUTES)
    assert found("sub") == ["submitted", "submitter"]
    assert found("loss", 3) == ["tag.lossless", "metric.layer0/Loss", "metric.layer0/Loss:min"]
    assert found("metric.LAYER1999", 9)[-1] == "metric.layer1999/Loss:max"
    assert found("tags.l") == ["tag.lossless"]
    assert len(found("layer", 30)) == 30
    assert found("no such") == []

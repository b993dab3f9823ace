"""The text of charts."""

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.custom_views import charts
from studio.custom_views.charts import ChartSpec, parse_chart, parse_charts, print_charts
from studio.search.columns import Column
from tests.custom_views.world import CALM

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=12)
COLUMNS = st.builds(
    Column,
    st.just("metric"),
    # As they are stored.
    NAMES.map(lambda name: unicodedata.normalize("NFC", name.strip()) or "loss"),
    st.sampled_from(["", "min", "max"]),
) | st.sampled_from([Column("duration"), Column("submitted"), Column("status")])
ENDS = st.tuples(st.floats(-1e9, 0, allow_nan=False), st.floats(1e-9, 1e18, allow_nan=False))


def specs(kind: str) -> st.SearchStrategy[ChartSpec]:
    def columns(name: str) -> Any:
        used = {*charts.FIELDS[kind], *(["x"] if kind == "line" else [])}
        most = charts.MAX_COLUMNS if name == "y" and kind in charts.MANY else 1
        many = st.lists(COLUMNS, max_size=most, unique=True).map(tuple)
        return many if name in used else st.just(())

    return st.builds(
        ChartSpec,
        kind=st.just(kind),
        x=columns("x"),
        y=columns("y"),
        z=columns("z"),
        axis=st.sampled_from(list(charts.AXES)),
        smooth=st.sampled_from([0.0, 0.6, 0.99]),
        smoothing=st.sampled_from(list(charts.SMOOTHINGS)),
        log_x=st.booleans(),
        log_y=st.booleans(),
        clip=st.booleans(),
        zoom_x=st.none() | ENDS,
        zoom_y=st.none() | ENDS,
        hidden=st.lists(st.integers(0, 2**48 - 1).map("{:012x}".format), unique=True).map(tuple),
        width=st.sampled_from(charts.WIDTHS),
        height=st.sampled_from(charts.HEIGHTS),
        title=st.sampled_from(["", "Loss; of & = 100 %", "µ"]),
    )


@CALM
@given(st.lists(st.sampled_from(list(charts.KINDS)).flatmap(specs), max_size=charts.MAX_CHARTS))
def test_charts_read_back_as_they_were_written(some: list[ChartSpec]) -> None:
    assert parse_charts(print_charts(some)) == tuple(some)


@CALM
@given(st.text(max_size=200))
def test_any_text_is_read_without_an_error(text: str) -> None:
    found = parse_charts(text)

    assert parse_charts(print_charts(found)) == found


@pytest.mark.parametrize(
    "text",
    [
        *("", "kind=pie", "loss", "kind=", "&&&"),
        "=".join("a" * 50),
    ],
)
def test_what_has_no_known_kind_is_no_chart(text: str) -> None:
    assert parse_chart(text) is None


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("smooth=2", "smooth", 0.99),
        ("smooth=nan", "smooth", 0.0),
        ("smooth=-1", "smooth", 0.0),
        ("zx=1..nan", "zoom_x", None),
        ("zx=5..1", "zoom_x", None),
        ("zx=1", "zoom_x", None),
        ("zx=1..2.5", "zoom_x", (1.0, 2.5)),
        ("width=9", "width", 1),
        ("width=²", "width", 1),
        ("hidden=x,y", "hidden", ()),
        ("axis=log", "axis", "step"),
        ("y=metric.", "y", ()),
        ("title=" + "a" * 500, "title", "a" * 100),
    ],
)
def test_what_can_not_be_read_falls_back(text: str, field: str, value: Any) -> None:
    chart = parse_chart(f"kind=line&{text}")

    assert chart is not None
    assert getattr(chart, field) == value


def test_a_chart_says_which_columns_it_lacks() -> None:
    assert ChartSpec("scatter", y=(Column("duration"),)).missing == ("x",)
    assert ChartSpec("box", y=(Column("duration"),)).missing == ()
    assert ChartSpec("line", y=(Column("metric", "loss"),), axis="metric").missing == ("x",)


def test_charts_are_copied_moved_and_dropped_by_their_place() -> None:
    one, two = ChartSpec("bar"), ChartSpec("line")

    assert charts.duplicated((one, two), 0) == (one, one, two)
    assert charts.moved((one, two), 1, 0) == (two, one)
    assert charts.without_chart((one, two), 0) == (two,)
    assert charts.with_chart((one,), 5, two) == (one, two)
    assert [charts.resized(ChartSpec(width=n)).width for n in (1, 2, 3)] == [2, 3, 1]

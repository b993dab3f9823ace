"""Where the steps of a pipeline are drawn."""

import re
from graphlib import CycleError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.web.step_layout import HEIGHT, WIDTH, drawing_of, layers_of, n_segments


def test_a_step_stands_right_of_all_it_depends_on() -> None:
    needs = {2: [1], 3: [2], 4: [1, 3]}
    layers = layers_of([1, 2, 3, 4, 5], needs)

    assert layers == {1: 0, 2: 1, 3: 2, 4: 3, 5: 0}
    assert n_segments(layers, needs) == 6


def test_crossings_that_need_not_be_are_untangled() -> None:
    # Each of three depends on the one of the other end: as given, all lines cross.
    needs = {4: [3], 5: [2], 6: [1]}
    drawing = drawing_of(layers_of([1, 2, 3, 4, 5, 6], needs), needs)
    rows = {step: y for step, (_, y) in drawing.places.items()}

    assert [rows[step] - rows[needs[step][0]] for step in (4, 5, 6)] == [0, 0, 0]


def test_a_circle_is_no_graph() -> None:
    with pytest.raises(CycleError):
        layers_of([1, 2], {1: [2], 2: [1]})


def test_nothing_is_drawn_of_nothing() -> None:
    assert drawing_of({}, {}).places == {}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sets(st.integers(0, 14), max_size=4), min_size=1, max_size=15))
def test_no_step_lies_on_another_and_each_line_joins_its_two(wanted: list[set[int]]) -> None:
    needs = {i: sorted(one for one in before if one < i) for i, before in enumerate(wanted)}
    layers = layers_of(list(needs), needs)
    drawing = drawing_of(layers, needs)

    corners = sorted(drawing.places.values())
    for i, (x, y) in enumerate(corners):
        assert 0 <= x <= drawing.width - WIDTH
        assert 0 <= y <= drawing.height - HEIGHT
        assert all(a != x or abs(b - y) > HEIGHT for a, b in corners[i + 1 :])
    joined = [(drawing.places[one], drawing.places[step]) for step in layers for one in needs[step]]
    for (start, end), line in zip(joined, drawing.lines, strict=True):
        numbers = [int(n) for n in re.findall(r"\d+", line)]
        assert numbers[:2] == [start[0] + WIDTH, start[1] + HEIGHT // 2]
        assert numbers[-2:] == [end[0], end[1] + HEIGHT // 2]

"""How points are kept: many small appends become few chunks, in order, with nothing lost."""

import uuid

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.metrics.actions import merge_chunks, record_batch
from studio.metrics.chunks import MERGE_AT, SEALED_AT
from studio.metrics.models import Metric
from studio.metrics.packing import from_lists, pack, unpack
from studio.metrics.series import points_of, summaries, values_of
from studio.wire import Batch, Series
from tests import make

pytestmark = pytest.mark.data


@pytest.fixture
def log(run, people):
    def send(values, name="loss", kind="scalar", steps=None):
        one = Series(name, kind, [1.7e9] * len(values), list(values), steps)
        return record_batch(run, Batch(str(uuid.uuid4()), (one,)), by=make.actor(people.bob))

    return send


def metric(run, name="loss"):
    return Metric.objects.get(run=run, name=name)


def sizes(run):
    return list(metric(run).chunks.order_by("id").values_list("n_points", "is_open"))


def test_single_points_are_merged_after_64_of_them(run, log):
    for i in range(MERGE_AT):
        log([float(i)])
    assert sizes(run) == [(1, True)] * MERGE_AT
    log([64.0])
    assert sizes(run) == [(MERGE_AT + 1, True)]
    assert points_of(metric(run)).values.tolist() == [float(i) for i in range(65)]
    assert metric(run).n_open_chunks == 1


def test_long_series_are_sealed_in_full_chunks_and_the_rest_stays_open(run, log):
    log([1.0])
    log([0.0] * (2 * SEALED_AT + 5))
    assert sizes(run) == [(SEALED_AT, False), (SEALED_AT, False), (6, True)]
    log([2.0] * (SEALED_AT - 6))
    log([3.0] * SEALED_AT)
    assert [n for n, is_open in sizes(run) if is_open] == []
    points = points_of(metric(run))
    assert (points.values[0], points.values[-1]) == (1.0, 3.0)
    assert len(points) == metric(run).n_points == 4 * SEALED_AT


def test_points_of_one_step_stay_in_the_order_they_came(run, log):
    for i in range(MERGE_AT + 2):
        log([float(i)], steps=[7])
    assert points_of(metric(run)).values.tolist() == [float(i) for i in range(MERGE_AT + 2)]


def test_texts_are_merged_too(run, log):
    for i in range(MERGE_AT + 1):
        log([f"line {i}"], name="notes", kind="text")
    assert points_of(metric(run, "notes")).values == [f"line {i}" for i in range(65)]


def test_the_open_chunks_of_a_finished_run_become_one(run, log):
    for i in range(5):
        log([float(i)])
        log([f"{i}"], name="notes", kind="text")
    assert merge_chunks([run]) == 2
    assert merge_chunks([run]) == 0
    assert sizes(run) == [(5, True)]
    assert points_of(metric(run)).values.tolist() == [0, 1, 2, 3, 4]


def test_summaries_and_values_take_a_fixed_number_of_queries(
    run, experiment, log, django_assert_num_queries
):
    other = make.run(experiment)
    log([1.0, float("nan")])
    log(["x"], name="notes", kind="text")
    with django_assert_num_queries(1):
        found = summaries([run, other], ["loss", "unknown"])
    assert found[run.pk]["loss"].last_text == "NaN"
    assert found[other.pk] == {}
    with django_assert_num_queries(2):
        values = values_of(run)
    assert values["notes"] == ["x"]
    assert values["loss"][0] == 1.0
    assert np.isnan(values["loss"][1])
    assert list(values_of(run, ["notes"])) == ["notes"]


int64 = st.integers(-(2**63), 2**63 - 1)
json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.lists(st.tuples(int64, st.floats(), st.floats())))
def test_numbers_survive_packing_bit_for_bit(rows):
    columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], []]
    points = from_lists(*columns, numeric=True)
    again = unpack(pack(points))
    for name in ("steps", "times", "values"):
        assert getattr(again, name).tobytes() == getattr(points, name).tobytes()


@given(st.lists(json_values, max_size=20))
def test_documents_survive_packing(values):
    points = from_lists(list(range(len(values))), [0.0] * len(values), values, numeric=False)
    assert unpack(pack(points)).values == values

"""Downsampling: what a chart must never lose."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.metrics.thinning import downsample

steps = st.integers(-(2**40), 2**40) | st.integers(0, 50)
values = st.floats(allow_nan=True, allow_infinity=True, width=64)
lines = st.lists(st.tuples(steps, values), min_size=1, max_size=400)


def columns(line):
    line = sorted(line, key=lambda point: point[0])
    return np.array([p[0] for p in line], np.int64), np.array([p[1] for p in line], np.float64)


@settings(max_examples=300, deadline=None)
@given(lines, st.integers(8, 100))
def test_every_bucket_keeps_its_extremes_and_the_ends_stay(line, n):
    x, y = columns(line)
    kept = downsample(x, y, n)
    assert np.all(np.diff(kept) > 0)
    assert kept[0] == 0
    assert kept[-1] == len(y) - 1
    assert len(kept) <= 2 * n + 4 or len(kept) == len(y) <= n
    finite = np.isfinite(y)
    drawn = kept[finite[kept]]
    if not finite.any():
        return
    span = x[finite][-1] - x[finite][0]
    width = float(span) / (n // 4) * 1.001
    for i in np.flatnonzero(finite):
        near = drawn[np.abs(x[drawn] - x[i]) <= width]
        assert y[near].min() <= y[i] <= y[near].max()


@settings(max_examples=300, deadline=None)
@given(lines, st.integers(8, 100))
def test_a_gap_between_two_kept_points_breaks_the_line(line, n):
    x, y = columns(line)
    kept = downsample(x, y, n)
    finite = np.isfinite(y)
    for left, right in pairwise(kept):
        if finite[left] and finite[right]:
            assert finite[left:right].all()


def test_a_million_points_keep_each_single_spike():
    y = np.sin(np.arange(1_000_000) / 1000)
    spikes = np.arange(5_000, 1_000_000, 10_000)
    y[spikes] += 2.0
    kept = downsample(np.arange(1_000_000), y, 2_000)
    assert set(spikes) <= set(kept.tolist())
    assert len(kept) <= 2_000


def test_few_points_come_back_as_they_are():
    assert downsample(np.arange(3), np.array([1.0, np.nan, 2.0]), 2_000).tolist() == [0, 1, 2]
    assert downsample(np.arange(0), np.empty(0), 2_000).tolist() == []

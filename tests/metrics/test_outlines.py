"""What an outline of a chunk must never lose, and that a chart of outlines loses no more."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.metrics import outlines
from studio.metrics.outlines import Count, outline_of
from studio.metrics.packing import Points, by_step, join, pack, unpack
from studio.metrics.thinning import downsample

rows = st.tuples(
    st.integers(-(2**40), 2**40) | st.integers(0, 50),
    st.floats(-1e12, 1e12),
    st.floats(allow_nan=True, allow_infinity=True, width=64),
)
chunks = st.lists(st.lists(rows, min_size=1, max_size=300), min_size=1, max_size=4)


def packed(chunk):
    steps, times, values = zip(*chunk, strict=True)
    return pack(Points(np.array(steps, np.int64), np.array(times), np.array(values)))


@settings(max_examples=200, deadline=None)
@given(st.lists(rows, min_size=1, max_size=600), st.sampled_from([16, 64, 256]))
def test_an_outline_keeps_the_ends_in_steps_and_time_and_counts_all(chunk, n):
    whole = by_step(unpack(packed(chunk)))
    outlines.OUTLINE_POINTS, before = n, outlines.OUTLINE_POINTS
    try:
        data, count = outline_of(packed(chunk))
    finally:
        outlines.OUTLINE_POINTS = before
    thin = unpack(data)
    assert {thin.times.min(), thin.times.max()} == {whole.times.min(), whole.times.max()}
    assert (thin.steps[0], thin.steps[-1]) == (whole.steps[0], whole.steps[-1])
    finite = np.isfinite(whole.values)
    assert count == Count(len(chunk), int((~finite).sum()), int((whole.values <= 0).sum()))
    for extreme in (np.min, np.max):
        if finite.any():
            assert extreme(whole.values[finite]) in thin.values


@settings(max_examples=200, deadline=None)
@given(chunks, st.integers(8, 60))
def test_a_line_of_outlines_keeps_extremes_ends_and_gaps(news, n):
    """Steps ascend through all chunks, as a run logs them; buckets are those of chart and chunk."""
    ordered = iter(sorted(row[0] for chunk in news for row in chunk))
    news = [[(next(ordered), *row[1:]) for row in chunk] for chunk in news]
    whole = join([unpack(packed(chunk)) for chunk in news])
    x, y = whole.steps, np.asarray(whole.values)
    outlines.OUTLINE_POINTS, before = 32, outlines.OUTLINE_POINTS
    try:
        thin = join([unpack(outline_of(packed(chunk))[0]) for chunk in news])
    finally:
        outlines.OUTLINE_POINTS = before
    kept = downsample(thin.steps, np.asarray(thin.values), n)
    shown_x, shown_y = thin.steps[kept], np.asarray(thin.values)[kept]

    assert (shown_x[0], shown_x[-1]) == (x[0], x[-1])
    finite, shown = np.isfinite(y), np.isfinite(shown_y)
    span = float(x[-1] - x[0])
    width = (span / (n // 4) + span / 8) * 1.001
    for i in np.flatnonzero(finite):
        near = shown_y[shown][np.abs(shown_x[shown] - x[i]) <= width]
        assert near.min() <= y[i] <= near.max()
    for left, right in pairwise(range(len(shown_x))):
        if shown[left] and shown[right]:
            between = (x > shown_x[left]) & (x < shown_x[right])
            assert finite[between].all()

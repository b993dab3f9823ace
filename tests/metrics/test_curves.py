"""Many metrics as lines of one chart."""

import math
import uuid
from typing import Any

import numpy as np
import pytest

from studio.metrics import curves as drawing
from studio.metrics.actions import record_batch
from studio.metrics.curves import Wish, curves
from studio.metrics.models import Metric, MetricChunk, Outline
from studio.metrics.outlines import Count
from studio.metrics.smoothing import ema
from studio.metrics.thinning import downsample
from studio.wire import Batch, Series
from tests import make

pytestmark = pytest.mark.data


def log(run: Any, name: str, values: Any, *, steps: Any = None, start: float = 1.7e9) -> Metric:
    """Store the values in batches, ten points a second."""
    values = list(map(float, values))
    steps = list(steps) if steps is not None else list(range(len(values)))
    times = [start + i / 10 for i in range(len(values))]
    by = make.actor(run.submitter)
    for at in range(0, len(values), 10_000):
        cut = slice(at, at + 10_000)
        one = Series(name, "scalar", times[cut], values[cut], steps[cut])
        record_batch(run, Batch(str(uuid.uuid4()), (one,)), by=by)
    return Metric.objects.get(run=run, name=name)


@pytest.fixture
def spiky(run: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Metric, Any]:
    """A long series with rare spikes and one gap, too long to be read whole."""
    monkeypatch.setattr(drawing, "READ_WHOLE", 20_000)
    y = np.sin(np.arange(60_000) / 500)
    y[7_777::5_000] += 3.0
    y[31_000] = np.nan
    return log(run, "loss", y), y


def test_full_chunks_have_an_outline_and_open_ones_none(spiky: Any) -> None:
    metric, _ = spiky
    sealed = MetricChunk.objects.filter(metric=metric, is_open=False)

    assert Outline.objects.count() == sealed.count() > 0
    assert all(len(one.data) < 20_000 for one in Outline.objects.all())


def test_no_spike_is_lost_over_the_whole_series(spiky: Any) -> None:
    metric, y = spiky
    (curve,) = curves([metric], Wish(max_points=2_000))

    assert curve.is_thinned
    assert curve.count == Count(len(y), 1, int((y <= 0).sum()))
    assert len(curve.x) <= 4_004
    shown = set(curve.x.tolist())
    assert {float(x) for x in range(7_777, 60_000, 5_000)} <= shown
    assert {0.0, 59_999.0} <= shown
    # What is drawn are points of the series, at their own steps.
    given = y[curve.x.astype(int)]
    assert np.array_equal(curve.y, given, equal_nan=True)
    assert np.isnan(curve.y).any()


@pytest.mark.parametrize("low", [0, 9_000, 30_500, 58_000])
def test_a_zoom_shows_every_point_of_its_part(spiky: Any, low: int) -> None:
    metric, y = spiky
    (curve,) = curves([metric], Wish(zoom=(low, low + 1_000), max_points=5_000))

    inside = curve.x[(curve.x >= low) & (curve.x <= low + 1_000)].astype(int)
    assert inside.tolist() == list(range(low, min(low + 1_000, len(y) - 1) + 1))
    assert not curve.is_thinned


def test_a_zoom_over_much_keeps_the_spikes(spiky: Any) -> None:
    metric, y = spiky
    (curve,) = curves([metric], Wish(zoom=(10_000, 50_000), max_points=400))

    assert {float(x) for x in range(12_777, 50_000, 5_000)} <= set(curve.x.tolist())
    part = y[8_000:52_001]
    assert (curve.x[0], curve.x[-1]) == (8_000, 52_000)
    assert curve.count == Count(len(part), 1, int((part <= 0).sum()))


@pytest.mark.parametrize(
    ("zoom", "n"), [((40_000, math.inf), 20_000), ((-math.inf, 40_000), 40_001), ((9e18, 9e18), 0)]
)
def test_a_zoom_may_have_one_end_and_lie_beside_all_points(spiky: Any, zoom: Any, n: int) -> None:
    (curve,) = curves([spiky[0]], Wish(zoom=zoom, max_points=300))

    assert curve.count.n_points == n
    assert curve.is_thinned == (n > 0)


def test_all_is_read_where_all_is_asked_for(spiky: Any) -> None:
    metric, y = spiky
    (curve,) = curves([metric], Wish(is_whole=True, smooth=0.9, is_timed=True, max_points=400))

    exact = ema(np.arange(60_000.0), y, 0.9)
    assert curve.smooth is not None
    assert np.array_equal(curve.smooth.y, exact[curve.smooth.x.astype(int)], equal_nan=True)
    assert len(curve.smooth.x) <= 802


def test_times_count_from_the_start_of_each_run(experiment: Any) -> None:
    runs = [make.run(experiment) for _ in range(2)]
    metrics = [log(run, "loss", [1, 2, 3], start=1.7e9 + 100 * i) for i, run in enumerate(runs)]
    starts = {run.pk: 1.7e9 + 100 * i for i, run in enumerate(runs)}

    relative = curves(metrics, Wish(axis="relative", starts=starts))
    assert [curve.x.round(6).tolist() for curve in relative] == [[0.0, 0.1, 0.2]] * 2
    wall = curves(metrics, Wish(axis="time"))
    assert wall[1].x[0] - wall[0].x[0] == 100


def test_a_metric_over_another_pairs_their_steps(run: Any) -> None:
    loss = log(run, "loss", [5, 4, 3, 2], steps=[0, 1, 2, 3])
    epoch = log(run, "epoch", [0, 0.5, 1.5], steps=[0, 1, 3])

    (curve,) = curves([loss], Wish(axis="metric", across={run.pk: epoch}))
    assert curve.x.tolist() == [0, 0.5, 1.5]
    assert curve.y.tolist() == [5, 4, 2]
    (nothing,) = curves([loss], Wish(axis="metric", across={}))
    assert len(nothing.x) == 0


def test_the_smoothed_line_comes_beside_the_raw_one(run: Any) -> None:
    metric = log(run, "loss", [0, 1] * 50)
    (curve,) = curves([metric], Wish(smooth=0.9))

    assert curve.smooth is not None
    assert len(curve.smooth.y) == len(curve.y) == 100
    assert curve.smooth.y[-20:].std() < 0.1 < curve.y[-20:].std()


def test_lines_share_the_points_and_come_in_the_order_asked(experiment: Any) -> None:
    metrics = [
        log(make.run(experiment), "loss", np.random.default_rng(i).normal(size=3_000))
        for i in range(4)
    ]
    found = curves(metrics[::-1], Wish(max_points=2_000))

    assert [curve.metric for curve in found] == metrics[::-1]
    assert all(curve.is_thinned and len(curve.x) <= 504 for curve in found)


def test_the_number_of_queries_is_fixed(
    experiment: Any, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    monkeypatch.setattr(drawing, "READ_WHOLE", 25_000)
    metrics = [log(make.run(experiment), "loss", range(9_000)) for _ in range(3)]

    with django_assert_num_queries(1):
        curves(metrics, Wish())
    with django_assert_num_queries(2):
        curves(metrics, Wish(zoom=(100, 200), max_points=300))


def test_outlines_hold_what_the_thinned_chunk_holds(run: Any) -> None:
    y = np.random.default_rng(1).normal(size=8_192)
    metric = log(run, "loss", y)
    (outline,) = Outline.objects.filter(chunk__metric=metric)

    kept = downsample(np.arange(8_192), y, 256)
    assert len(outline.data) == 5 + 24 * len(kept)
    assert (outline.n_gaps, outline.n_low) == (0, int((y <= 0).sum()))

"""The chart of a series of 1,000,000 points: the figure a page asks for, and the parts of it."""

import json
import sqlite3
import struct
from contextlib import closing

import numpy as np

from benchmarks.measure import Sample, repeat
from benchmarks.options import Options
from benchmarks.report import Group, Row, Target
from benchmarks.server import Studio

N_BUCKETS = 500
# The run and metric that `seed_load --points` gives its long series.
LONGEST = """
SELECT r.uid, m.id, m.n_points FROM metrics_metric m JOIN runs_run r ON r.id = m.run_id
ORDER BY m.n_points DESC LIMIT 1
"""


def measure(options: Options) -> Group:
    """Timed over HTTP: the figure of the whole series. In a process of its own, without HTTP:
    `studio.metrics.curves.curves`."""
    small, _ = timed(options, options.n_points // 10)
    large, note = timed(options, options.n_points, Target(22))
    rows = [*small, *large]
    growth = large[0].value / small[0].value
    notes = [note, f"10 × the points take {growth:.1f} × the time (goal: at most 2 ×)"]
    return Group(
        "Chart of a long series",
        "The figure of the whole series at about 2,000 points as the page asks for it, signed in. "
        "`curves()` alone is the reading and thinning without HTTP and figure; zoomed is the tenth "
        "in the middle. Limit: chunks read by bare SQLite, least and greatest of 500 buckets by "
        "NumPy, JSON.",
        rows,
        notes,
    )


def timed(options: Options, n_points: int, target: Target | None = None) -> tuple[list[Row], str]:
    """The figure, whole and zoomed, and `curves()` of a series of `n_points`, and what the figure
    weighs."""
    studio = Studio(options.folder / f"charts-{n_points}").prepare()
    studio.manage("seed_load", "--runs", "20", "--points", str(n_points))
    with studio, closing(sqlite3.connect(studio.database)) as base:
        uid, metric_id, _ = base.execute(LONGEST).fetchone()
        limit = repeat(lambda: bare(base, metric_id), n=options.n_calls).p50
        figure, n_bytes = figure_of(studio, uid, options)
        zoomed, _ = figure_of(studio, uid, options, (0.45 * n_points, 0.55 * n_points))
    inside = curve_of(studio, metric_id, options)
    size = f"{n_points:,} points"
    rows = [
        Row.of_sample(f"figure over HTTP, {size}", figure, limit=limit, target=target),
        Row.of_sample(f"zoomed figure over HTTP, {size}", zoomed),
        Row.of_sample(f"curves() alone, {size}", inside, limit=limit),
    ]
    return rows, f"{size}: {n_bytes / 1024:.0f} KB of JSON"


def bare(base: sqlite3.Connection, metric_id: int) -> str:
    """The least that could be done with the chunks as they are stored."""
    values = []
    asked = "SELECT data FROM metrics_metricchunk WHERE metric_id = ? ORDER BY id"
    for (data,) in base.execute(asked, (metric_id,)):
        (n,) = struct.unpack_from("<I", data)
        values.append(np.frombuffer(data, "<f8", n, 5 + 16 * n))
    y = np.concatenate(values)
    part = y[: len(y) // N_BUCKETS * N_BUCKETS].reshape(N_BUCKETS, -1)
    return json.dumps({"min": part.min(axis=1).tolist(), "max": part.max(axis=1).tolist()})


def figure_of(
    studio: Studio, uid: str, options: Options, zoom: tuple[float, float] | None = None
) -> tuple[Sample, int]:
    """The figure over HTTP, and its size; fails when a spike of the series is missing."""
    browser = studio.browser()
    path = f"/w/load/runs/{uid}/metrics/figure?m=loss"
    path += f"&from={zoom[0]:.0f}&to={zoom[1]:.0f}" if zoom else ""
    text = browser.page(path)
    found = json.loads(text)
    y = [value for value in found["data"][-1]["y"] if value is not None]
    if not len(y) > 500 or max(y) < 2:
        raise RuntimeError(f"the figure has {len(y)} points, the greatest is {max(y, default=0)}")
    taken = repeat(lambda: browser.page(path), n=options.n_calls, warm=5, root=studio.web)
    return taken, len(text.encode())


# Prints times in ms and the CPU a call; runs where Django is set up.
CURVES = """
import json
from benchmarks.measure import repeat
from studio.metrics.curves import Wish, curves
from studio.metrics.models import Metric
metric = Metric.objects.get(pk={metric_id})
taken = repeat(lambda: curves([metric], Wish(max_points=2_000)), n={n})
print(json.dumps([taken.times_ms, taken.cpu_ms]))
"""


def curve_of(studio: Studio, metric_id: int, options: Options) -> Sample:
    times, cpu_ms = json.loads(studio.shell(CURVES.format(metric_id=metric_id, n=options.n_calls)))
    return Sample(times, cpu_ms)

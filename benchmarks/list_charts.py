"""Charts above a list of runs: 100 lines of 1,000,000 points each, one such line, 5,000 runs."""

import json
import sqlite3
from contextlib import closing
from urllib.parse import quote

from benchmarks.charts import LONGEST, bare
from benchmarks.client import Browser
from benchmarks.measure import repeat
from benchmarks.options import Options
from benchmarks.report import Group, Row, Target
from benchmarks.server import Studio

N_LINES = 100
N_RUNS = 6_000
N_DOTS = 5_000
# Runs whose loss gets the points of the longest.
OTHERS = """
SELECT r.uid, m.id FROM metrics_metric m JOIN runs_run r ON r.id = m.run_id
WHERE m.name = 'loss' AND m.id != ? ORDER BY m.id DESC LIMIT ?
"""
COPY_CHUNKS = """
INSERT INTO metrics_metricchunk (metric_id, n_points, is_open, first_step, last_step, data)
SELECT ?, n_points, is_open, first_step, last_step, data FROM metrics_metricchunk
WHERE metric_id = ? ORDER BY id
"""
# The chunks of both in the order they were written.
COPY_OUTLINES = """
INSERT INTO metrics_outline (chunk_id, data, n_gaps, n_low)
SELECT new.id, o.data, o.n_gaps, o.n_low
FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM metrics_metricchunk
      WHERE metric_id = ?) AS new
JOIN (SELECT id, row_number() OVER (ORDER BY id) AS n FROM metrics_metricchunk
      WHERE metric_id = ?) AS old ON old.n = new.n
JOIN metrics_outline o ON o.chunk_id = old.id
"""
KINDS = {
    "scatter": "kind=scatter&x=param.lr&y=metric.loss&z=metric.accuracy",
    "parallel coordinates": "kind=parallel&y=param.lr,metric.accuracy,duration,metric.loss",
    "contour": "kind=contour&x=duration&y=metric.accuracy&z=metric.loss",
    "box": "kind=box&y=metric.loss&x=experiment",
}


def measure(options: Options) -> Group:
    """Timed over HTTP: figures of charts above a list, as the page asks for them."""
    studio = Studio(options.folder / "list-charts").prepare()
    studio.manage("seed_load", "--runs", str(N_RUNS), "--points", str(options.n_points))
    with closing(sqlite3.connect(studio.database)) as base:
        uids = multiply(base)
    with studio, closing(sqlite3.connect(studio.database)) as base:
        browser = studio.browser()
        rows = [
            lines(studio, browser, base, uids, options),
            lines(studio, browser, base, uids[:1], options),
            *(dots(studio, browser, name, options) for name in KINDS),
        ]
    return Group(
        "Charts above a list",
        "The figure as the page asks for it, signed in. Limit of lines: all their chunks read by "
        "bare SQLite, least and greatest of 500 buckets by NumPy, JSON.",
        rows,
        [],
    )


def multiply(base: sqlite3.Connection) -> list[str]:
    """Give 99 more metrics the points of the longest; the uids of all 100 runs."""
    uid, longest, n_points = base.execute(LONGEST).fetchone()
    uids = [uid]
    for other, metric_id in base.execute(OTHERS, (longest, N_LINES - 1)).fetchall():
        base.execute("DELETE FROM metrics_metricchunk WHERE metric_id = ?", (metric_id,))
        base.execute(COPY_CHUNKS, (metric_id, longest))
        base.execute(COPY_OUTLINES, (metric_id, longest))
        base.execute("UPDATE metrics_metric SET n_points = ? WHERE id = ?", (n_points, metric_id))
        base.commit()
        uids.append(other)
    return uids


def address(chart: str, uids: list[str]) -> str:
    return f"/w/load/runs-chart?charts={quote(chart)}&chart=0&chosen={','.join(uids)}"


def lines(
    studio: Studio, browser: Browser, base: sqlite3.Connection, uids: list[str], options: Options
) -> Row:
    """A line for each run; fails when one of them or one of its spikes is missing."""
    path = address("kind=line&y=metric.loss", uids)
    data = json.loads(browser.page(path))["data"]
    tops = [max(value for value in trace["y"] if value is not None) for trace in data]
    if len(tops) != len(uids) or min(tops) < 2:
        raise RuntimeError(f"{len(tops)} lines, the lowest ends at {min(tops, default=0)}")
    n_calls = options.n_calls if len(uids) == 1 else 5
    taken = repeat(lambda: browser.page(path), n=n_calls, root=studio.web)
    marks = ",".join("?" * len(uids))
    asked = "SELECT m.id FROM metrics_metric m JOIN runs_run r ON r.id = m.run_id WHERE m.name = "
    ids = base.execute(f"{asked}'loss' AND r.uid IN ({marks})", uids).fetchall()
    limit = repeat(lambda: [bare(base, pk) for (pk,) in ids], n=min(3, n_calls), warm=1).p50
    size = f"{len(uids)} × {options.n_points:,} points"
    return Row.of_sample(size, taken, limit=limit, target=Target(35 if len(uids) == 1 else 3_000))


def dots(studio: Studio, browser: Browser, name: str, options: Options) -> Row:
    """A chart of 5,000 runs."""
    path = address(KINDS[name], [])
    if f"{N_DOTS:,} runs" not in json.loads(browser.page(path))["badge"]:
        raise RuntimeError(f"not {N_DOTS} runs")
    taken = repeat(lambda: browser.page(path), n=options.n_calls, root=studio.web)
    return Row.of_sample(f"{name}, {N_DOTS:,} runs", taken, target=Target(300))

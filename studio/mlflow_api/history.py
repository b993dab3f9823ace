"""GET metrics/get-history: all points of a metric, by time, step and value, page after page.

Points are kept in the order in which they came, which nearly always is that of their times. Then a
page reads only the chunks that it shows; the token says that the first page found them so, and how
many points were passed. Otherwise all of them are put in order for each page.
"""

import re
from typing import Any

import numpy as np

from studio.metrics.models import NUMERIC, Metric, MetricChunk
from studio.metrics.packing import EMPTY, Ints, Points, join, unpack
from studio.mlflow_api.answers import double, filled
from studio.mlflow_api.asked import Asked, whole
from studio.mlflow_api.errors import wrong
from studio.mlflow_api.finding import run_id_of, run_of
from studio.mlflow_api.points import ms_of

MAX_RESULTS = 25_000
# "a": as they came, "s": sorted; then how many of them were passed.
TOKEN = re.compile(r"([as])([0-9]{1,15})")
CHUNKS_AT_ONCE = 64


def get_history(asked: Asked) -> dict[str, Any]:
    """A page of points. Queries: 2 and those of the run; 1 more after the first page."""
    run = run_of(asked, run_id_of(asked), deleted=True)
    key = asked.text("metric_key")
    size = _page_size(asked)
    metric = Metric.objects.filter(run=run, name=key, kind__in=NUMERIC).first()
    if metric is None:
        return {}
    token = asked.text_or("page_token")
    if not token:
        # What fits one page is put in order sooner than it is looked through first.
        came_sorted = metric.n_points > size and came_in_order(metric)
        page, following = _page(metric, came_sorted, 0, size)
    else:
        match = TOKEN.fullmatch(token)
        if match is None:
            raise wrong(f"Invalid page token '{token[:80]}': it is not one of this list.")
        page, following = _page(metric, match[1] == "a", int(match[2]), size)
    return filled(metrics=_as_json(key, page), next_page_token=following)


def _page_size(asked: Asked) -> int:
    asked_for = asked.arguments.get("max_results")
    size = MAX_RESULTS if asked_for in (None, "") else whole(asked_for, "max_results")
    if size < 1:
        raise wrong(f"Invalid value {size} for parameter 'max_results': it must be at least 1.")
    return min(size, MAX_RESULTS)


def _page(metric: Metric, as_they_came: bool, first: int, size: int) -> tuple[Points, str]:
    """Points from number `first` on, equal ones once, and the token of the next page or ""."""
    if as_they_came:
        # One more on either side: the one before may be equal, the one behind says that there is.
        points, start = _part(metric, max(0, first - 1), first + size + 1)
    else:
        # What came twice, in batches of their own, would make pages short.
        points, start = _once(_in_order(_all(metric)), EMPTY), 0
    stop = min(len(points), first - start + size)
    page = points.part(first - start, stop)
    before = points.part(first - start - 1, first - start) if first > start else EMPTY
    more = len(points) > stop
    return _once(page, before), f"{'a' if as_they_came else 's'}{first + size}" if more else ""


def came_in_order(metric: Metric) -> bool:
    """Whether the points came by time, step and value (1 query, one chunk in memory at a time)."""
    chunks = _chunks(metric).values_list("data", flat=True).iterator(chunk_size=CHUNKS_AT_ONCE)
    last = EMPTY
    for points in map(unpack, chunks):
        joined = join([last, points])
        if not _is_sorted(joined):
            return False
        last = joined.part(len(joined) - 1, len(joined))
    return True


def _is_sorted(points: Points) -> bool:
    times, steps, values = points.times, points.steps, _ranks(points)
    later = times[1:] > times[:-1]
    same = times[1:] == times[:-1]
    higher = steps[1:] > steps[:-1]
    not_less = (steps[1:] == steps[:-1]) & (values[1:] >= values[:-1])
    return bool(np.all(later | (same & (higher | not_less))))


def _ranks(points: Points) -> Any:
    """The values for comparing: NaN is below all numbers."""
    values = np.asarray(points.values, np.float64)
    return np.where(np.isnan(values), -np.inf, values)


def _in_order(points: Points) -> Points:
    order: Ints = np.lexsort((_ranks(points), points.steps, points.times))
    return Points(points.steps[order], points.times[order], np.asarray(points.values)[order])


def _once(page: Points, before: Points) -> Points:
    """The page without points that equal the one before them."""
    all_of = join([before, page])
    n = len(before)
    values = np.asarray(all_of.values, np.float64)
    same = np.zeros(len(all_of), bool)
    same[1:] = (all_of.times[1:] == all_of.times[:-1]) & (all_of.steps[1:] == all_of.steps[:-1])
    same[1:] &= values[1:].view(np.int64) == values[:-1].view(np.int64)
    keep = ~same[n:]
    return Points(page.steps[keep], page.times[keep], np.asarray(page.values)[keep])


def _chunks(metric: Metric) -> Any:
    return MetricChunk.objects.filter(metric=metric).order_by("id")


def _all(metric: Metric) -> Points:
    return join([unpack(data) for data in _chunks(metric).values_list("data", flat=True)])


def _part(metric: Metric, first: int, stop: int) -> tuple[Points, int]:
    """(points of the chunks that hold numbers `first` to `stop`, the number of the first of them),
    in the order they came (2 queries)."""
    sizes = list(_chunks(metric).values_list("id", "n_points"))
    ends = np.cumsum([n for _, n in sizes], dtype=np.int64)
    starts = ends - [n for _, n in sizes]
    wanted = [sizes[i][0] for i in np.flatnonzero((ends > first) & (starts < stop))]
    if not wanted:
        return EMPTY, first
    begin = int(starts[int(np.searchsorted(ends, first, "right"))])
    rows = MetricChunk.objects.filter(pk__in=wanted).order_by("id")
    points = join([unpack(data) for data in rows.values_list("data", flat=True)])
    return points.part(0, stop - begin), begin


def _as_json(key: str, page: Points) -> list[dict[str, Any]]:
    values = np.asarray(page.values).tolist()
    columns = zip(values, ms_of(page.times.tolist()), page.steps.tolist(), strict=True)
    return [
        {"key": key, "value": double(value), "timestamp": at_ms, "step": step}
        for value, at_ms, step in columns
    ]

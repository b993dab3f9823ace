"""The value of one metric at the step where another one was lowest or highest."""

import math
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np
from django.db.models import F, Q

from studio.metrics.models import Metric, MetricChunk
from studio.metrics.packing import Points, unpack
from studio.metrics.summary import cell_text

# (name of the metric, name of the metric whose best step counts, highest instead of lowest)
Asked = tuple[str, str, bool]


def values_at_best(
    run_ids: Sequence[int], asked: Collection[Asked]
) -> Iterator[tuple[int, Asked, float | str]]:
    """(run id, what was asked, value), for the runs that logged the metric at that very step.

    Of several points at one step the last one counts. Values that are not finite, and no numbers,
    come as text. Two queries: the summaries, and of the points the chunks that hold a wanted step.
    """
    names = {name for name, _, _ in asked} | {of for _, of, _ in asked}
    rows = Metric.objects.filter(run__in=run_ids, name__in=names)
    by_run: dict[int, dict[str, Metric]] = {}
    for metric in rows:
        by_run.setdefault(metric.run_id, {})[metric.name] = metric
    wanted: dict[int, dict[int, list[Asked]]] = {}
    for metrics in by_run.values():
        for one in asked:
            step = _best_step(metrics.get(one[1]), highest=one[2])
            if step is not None and one[0] in metrics:
                wanted.setdefault(metrics[one[0]].pk, {}).setdefault(step, []).append(one)
    run_of = {metric.pk: metric.run_id for metric in rows}
    for metric_id, at in _points_at(run_ids, asked, wanted).items():
        for step, value in at.items():
            yield from ((run_of[metric_id], one, value) for one in wanted[metric_id][step])


def _best_step(metric: Metric | None, *, highest: bool) -> int | None:
    if metric is None:
        return None
    return metric.max_step if highest else metric.min_step


def _points_at(
    run_ids: Sequence[int], asked: Collection[Asked], wanted: dict[int, dict[int, list[Asked]]]
) -> dict[int, dict[int, float | str]]:
    """metric id -> step -> value (1 query, streamed: one chunk in memory at a time)."""
    if not wanted:
        return {}
    found: dict[int, dict[int, tuple[float, float | str]]] = {}
    for metric_id, data in _chunks(run_ids, asked).iterator(chunk_size=16):
        points = unpack(data)
        for step in wanted.get(metric_id, ()):
            here = _latest(points, step)
            known = found.setdefault(metric_id, {})
            # Chunks come in the order of arrival: of equal times the later one counts.
            if here is not None and (step not in known or here[0] >= known[step][0]):
                known[step] = here
    return {pk: {step: value for step, (_, value) in at.items()} for pk, at in found.items()}


def _chunks(run_ids: Sequence[int], asked: Collection[Asked]) -> Any:
    """(metric id, data) of the chunks whose steps enclose the best step of the other metric."""
    pairs = Q()
    for name, of, highest in asked:
        best = F(f"metric__run__metrics__{'max' if highest else 'min'}_step")
        pairs |= Q(
            metric__name=name,
            metric__run__metrics__name=of,
            first_step__lte=best,
            last_step__gte=best,
        )
    chunks = MetricChunk.objects.filter(pairs, metric__run__in=run_ids)
    # A chunk that two columns ask for comes twice; the second reading changes nothing.
    return chunks.order_by("metric_id", "id").values_list("metric_id", "data")


def _latest(points: Points, step: int) -> tuple[float, float | str] | None:
    """(time, value) of the last point at a step."""
    at = np.flatnonzero(points.steps == step)
    if not len(at):
        return None
    times = points.times[at]
    index = int(at[len(at) - 1 - int(np.argmax(times[::-1]))])
    return float(points.times[index]), _cell(points.values[index])


def _cell(value: Any) -> float | str:
    if not isinstance(value, float):
        return cell_text(value)
    if math.isfinite(value):
        return float(value)
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"

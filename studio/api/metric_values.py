"""The values of all metrics of a run, or of a whole tree of runs, in few answers."""

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from django.db.models import Q
from django.http import HttpRequest, JsonResponse
from ninja import Path, Router
from ninja.params.functions import Query

from studio import wire
from studio.api.access import run_of
from studio.api.schemas import Closed, answers
from studio.metrics.models import NUMERIC, Metric, MetricQuerySet
from studio.metrics.packing import EMPTY, Points
from studio.metrics.series import points_of_each
from studio.runs.limits import Invalid
from studio.runs.models import Run

router = Router(tags=["metrics"])
MAX_VALUES = 100_000
METRICS_AT_ONCE = 1_000
# Of the values of one answer, as JSON; a number has at most 24 characters and a comma.
MAX_BYTES = 8_000_000
NUMBER_BYTES = 26


class ValuesItem(Closed):
    run: str
    name: str
    kind: str
    values: list[Any]


class ValuesPage(Closed):
    items: list[ValuesItem]
    next: str | None


@router.get("/runs/{uid}/metrics/values", response=answers(ValuesPage))
def list_values(
    request: HttpRequest,
    workspace: Path[str],
    uid: str,
    name: str = Query("", max_length=wire.MAX_NAME),
    tree: bool = False,
    cursor: str = "",
    limit: int = Query(MAX_VALUES, ge=1, le=MAX_VALUES),
) -> Any:
    """The values of every metric, each by step; with `tree` those of all runs below it too. A
    metric that does not fit goes on in the next page; a page has about 8 MB at most. Samples of
    machines come for their `name` only."""
    run = run_of(request, workspace, uid)
    metrics = _of_tree(run) if tree else Metric.objects.filter(run=run)
    metrics = metrics.filter(name=name) if name else metrics.ordinary()
    begin = _place(cursor)
    found = metrics.filter(pk__gte=begin[0]).select_related("run").order_by("pk")
    chosen = list(found[: METRICS_AT_ONCE + 1])
    fitting = list(_fitting(chosen, begin[1], limit))
    with closing(points_of_each(fitting)) as points:
        page = _Page(_in_order(chosen[: len(fitting)], points), begin=begin, room=limit)
        page.fill()
    following = chosen[len(fitting) :]
    place = page.next or (f"{following[0].pk}.0" if following else None)
    return JsonResponse({"items": page.items, "next": place})


def _of_tree(run: Run) -> MetricQuerySet:
    below = Run.objects.descendants_of(run).filter(deleted_at=None).order_by().values("pk")
    return Metric.objects.filter(Q(run__in=below) | Q(run=run.pk))


def _place(cursor: str) -> tuple[int, int]:
    """(the metric to begin with, how many of its values are known) of "12.500"."""
    metric, _, skipped = (cursor or "0.0").partition(".")
    if not (metric.isdecimal() and skipped.isdecimal() and len(cursor) < 40):
        raise Invalid("cursor", "This cursor is not one of this list.")
    return int(metric[:18]), int(skipped[:18])


def _fitting(metrics: list[Metric], skipped: int, limit: int) -> Iterator[int]:
    """Ids of the metrics whose values begin within the page, by how many each is said to have."""
    n_values = -skipped
    for metric in metrics[:METRICS_AT_ONCE]:
        if n_values >= limit:
            return
        yield metric.pk
        n_values += metric.n_points


def _in_order(
    metrics: list[Metric], found: Iterator[tuple[int, Points]]
) -> Iterator[tuple[Metric, Points]]:
    """Each metric with its points, of which the store has none for an empty one; what nobody takes
    is not read."""
    ahead: tuple[int, Points] | None = None
    for metric in metrics:
        ahead = ahead or next(found, (0, EMPTY))
        is_there = ahead[0] == metric.pk
        yield metric, ahead[1] if is_there else EMPTY
        ahead = None if is_there else ahead


class _Page:
    """The items of an answer, and `next`, where the one after it begins if not all fitted."""

    def __init__(
        self, found: Iterator[tuple[Metric, Points]], *, begin: tuple[int, int], room: int
    ) -> None:
        self.found, self.begin, self.room = found, begin, room
        self.room_bytes = MAX_BYTES
        self.items: list[dict[str, Any]] = []
        self.next: str | None = None

    def fill(self) -> None:
        for metric, points in self.found:
            first = self.begin[1] if metric.pk == self.begin[0] else 0
            values = self._fitting(points.part(first, first + self.room))
            if values or first >= len(points):
                self.items.append(_item(metric, values))
            if first + len(values) < len(points):
                self.next = f"{metric.pk}.{first + len(values)}"
                return

    def _fitting(self, part: Points) -> list[Any]:
        """The values that the page has room for; a first one always."""
        if not isinstance(part.values, list):
            numbers: list[Any] = part.values[: self.room_bytes // NUMBER_BYTES].tolist()
            self._take(len(numbers), len(numbers) * NUMBER_BYTES)
            return numbers
        values: list[Any] = []
        for value in part.values:
            n_bytes = len(json.dumps(value))
            if n_bytes > self.room_bytes and (values or self.items):
                break
            values.append(value)
            self._take(1, n_bytes)
        return values

    def _take(self, n: int, n_bytes: int) -> None:
        self.room -= n
        self.room_bytes = max(0, self.room_bytes - n_bytes)


def _item(metric: Metric, values: list[Any]) -> dict[str, Any]:
    return {
        "run": metric.run.uid,
        "name": metric.name,
        "kind": metric.kind,
        "values": wire.dump_numbers(values) if metric.kind in NUMERIC else values,
    }

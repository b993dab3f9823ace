"""Where the steps of a pipeline are drawn: columns from left to right, few crossing lines. Pure.

Layers by longest path, long lines led through places of their own, order by barycentres: the method
of Sugiyama, Tagawa and Toda (1981). ADR 28 says why it is not a library's.
"""

from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import pairwise

WIDTH, HEIGHT = 164, 56
GAP_ACROSS, GAP_DOWN = 36, 16
# A line that passes a column needs less room than a step.
LANE = 8
MARGIN = 4
# A short column stands in the middle of a tall one, but not far below what is seen first.
DEEPEST = 160
SWEEPS = 8

Needs = Mapping[int, Sequence[int]]
# A step, or a place where the line from one to another passes a column.
Slot = tuple[int, ...]
Columns = list[list[Slot]]
Links = list[list[tuple[Slot, Slot]]]


@dataclass(frozen=True, slots=True)
class Drawing:
    """`places`: step -> its left upper corner in pixels; `lines`: SVG paths; width and height of
    the whole."""

    places: dict[int, tuple[int, int]]
    lines: list[str]
    width: int
    height: int


def layers_of(steps: Sequence[int], needs: Needs) -> dict[int, int]:
    """Step -> its column: one more than the last of those it depends on. Keeps the given order.

    Raises CycleError for steps that wait for each other."""
    known = set(steps)
    graph = {step: [one for one in needs.get(step, ()) if one in known] for step in steps}
    layers: dict[int, int] = {}
    for step in TopologicalSorter(graph).static_order():
        layers[step] = max((layers[one] + 1 for one in graph[step]), default=0)
    return {step: layers[step] for step in steps}


def n_segments(layers: Mapping[int, int], needs: Needs) -> int:
    """How many pieces the lines have, one for each gap between columns that they cross."""
    return sum(
        layers[step] - layers[one]
        for step in layers
        for one in needs.get(step, ())
        if one in layers
    )


def drawing_of(layers: Mapping[int, int], needs: Needs) -> Drawing:
    """The drawing of steps whose columns are known; those of a column as given at first."""
    columns, links, routes = _columns(layers, needs)
    _untangle(columns, links)
    heights = [_height_of(column) for column in columns]
    tallest = max(heights, default=0)
    corners: dict[Slot, tuple[int, int]] = {}
    for i, column in enumerate(columns):
        y = MARGIN + min((tallest - heights[i]) // 2, DEEPEST)
        for slot in column:
            corners[slot] = (MARGIN + i * (WIDTH + GAP_ACROSS), y)
            y += (HEIGHT if len(slot) == 1 else LANE) + GAP_DOWN
    return Drawing(
        {slot[0]: corner for slot, corner in corners.items() if len(slot) == 1},
        [_path(route, corners) for route in routes],
        2 * MARGIN + len(columns) * (WIDTH + GAP_ACROSS) - GAP_ACROSS,
        2 * MARGIN + tallest,
    )


def _columns(layers: Mapping[int, int], needs: Needs) -> tuple[Columns, Links, list[list[Slot]]]:
    """The slots of each column, the links to the next, and the slots each line leads through."""
    n = max(layers.values(), default=-1) + 1
    columns: Columns = [[] for _ in range(n)]
    links: Links = [[] for _ in range(n)]
    routes: list[list[Slot]] = []
    for step, layer in layers.items():
        columns[layer].append((step,))
    for step, layer in layers.items():
        for one in needs.get(step, ()):
            if one not in layers:
                continue
            between: list[Slot] = [(one, step, at) for at in range(layers[one] + 1, layer)]
            for at, slot in enumerate(between, start=layers[one] + 1):
                columns[at].append(slot)
            route: list[Slot] = [(one,), *between, (step,)]
            for at, link in enumerate(pairwise(route), start=layers[one]):
                links[at].append(link)
            routes.append(route)
    return columns, links, routes


def _untangle(columns: Columns, links: Links) -> None:
    """Order each column by the middle of what its slots are linked to, forth and back, and keep the
    order with the fewest crossings."""
    before: dict[Slot, list[Slot]] = {}
    after: dict[Slot, list[Slot]] = {}
    for pairs in links:
        for left, right in pairs:
            after.setdefault(left, []).append(right)
            before.setdefault(right, []).append(left)
    best, fewest = [list(column) for column in columns], _crossings(columns, links)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        forth = sweep % 2 == 0
        for i in range(1, len(columns)) if forth else range(len(columns) - 2, -1, -1):
            side = columns[i - 1] if forth else columns[i + 1]
            _order(columns[i], side, before if forth else after)
        now = _crossings(columns, links)
        if now < fewest:
            best, fewest = [list(column) for column in columns], now
    columns[:] = best


def _order(column: list[Slot], side: list[Slot], linked: Mapping[Slot, list[Slot]]) -> None:
    places = {slot: i for i, slot in enumerate(side)}
    middle = {}
    for i, slot in enumerate(column):
        found = [places[one] for one in linked.get(slot, ())]
        middle[slot] = sum(found) / len(found) if found else float(i)
    column.sort(key=middle.__getitem__)


def _crossings(columns: Columns, links: Links) -> int:
    """How often lines between neighbouring columns cross."""
    n = 0
    for i, pairs in enumerate(links[:-1]):
        left = {slot: at for at, slot in enumerate(columns[i])}
        right = {slot: at for at, slot in enumerate(columns[i + 1])}
        seen: list[int] = []
        for _, end in sorted((left[a], right[b]) for a, b in pairs):
            n += len(seen) - bisect_right(seen, end)
            insort(seen, end)
    return n


def _height_of(column: Sequence[Slot]) -> int:
    slots = sum(HEIGHT if len(slot) == 1 else LANE for slot in column)
    return slots + GAP_DOWN * max(0, len(column) - 1)


def _path(route: Sequence[Slot], corners: Mapping[Slot, tuple[int, int]]) -> str:
    """A curve from the right side of the first step to the left side of the last."""
    x, y = corners[route[0]]
    x, y = x + WIDTH, y + HEIGHT // 2
    parts = [f"M{x} {y}"]
    for slot in route[1:]:
        to_x, to_y = corners[slot]
        to_y += (HEIGHT if len(slot) == 1 else LANE) // 2
        middle = (x + to_x) // 2
        parts.append(f"C{middle} {y} {middle} {to_y} {to_x} {to_y}")
        x, y = to_x, to_y
        if len(slot) > 1:
            x += WIDTH
            parts.append(f"H{x}")
    return "".join(parts)

"""Values as W&B logs them, as points and labels. Pure."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from studio.importers.naming import is_time
from studio.importers.records import Points
from studio.wire.checks import MAX_TEXT
from studio.wire.measures import name_of

PIECE_POINTS = 8_000
# A long text waits as so many points more.
CHARS_A_POINT = 400
FILES = "outputs"
# Levels of a value; deeper ones are one value.
MAX_DEPTH = 50
UNREADABLE = object()
_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def merged(items: Iterable[Any]) -> dict[str, Any]:
    """The items of a message as nested values; one that can't be read is UNREADABLE."""
    found: dict[str, Any] = {}
    for item in items:
        keys = list(item.nested_key) or [item.key]
        place = found
        for key in keys[:-1]:
            inner = place.setdefault(key, {})
            if not isinstance(inner, dict):
                inner = place[key] = {}
            place = inner
        try:
            place[keys[-1]] = json.loads(item.value_json)
        except (ValueError, RecursionError):
            place[keys[-1]] = UNREADABLE
    return found


def sampled(items: Iterable[Any], host: str) -> dict[str, float]:
    """The numbers of a sample by the names of their metrics (`wire.measures`)."""
    found = {}
    for item in items:
        with suppress(ValueError):
            found[name_of(host, item.key)] = float(item.value_json)
    return found


def flat(values: Mapping[str, Any], above: str = "", depth: int = 1) -> Iterator[tuple[str, Any]]:
    """(name, value) with `.` between the names of levels; what has a `_type` is one value."""
    for key, value in values.items():
        name = f"{above}{key}"
        if isinstance(value, dict) and value and "_type" not in value and depth < MAX_DEPTH:
            yield from flat(value, f"{name}.", depth + 1)
        else:
            yield name, value


def labels(values: Mapping[str, Any]) -> dict[str, str]:
    """A configuration as parameters."""
    return {
        name: value if isinstance(value, str) else _as_json(value)
        for name, value in flat(values)
        if not name.startswith("_wandb") and value is not UNREADABLE
    }


def _as_json(value: Any) -> str:
    try:
        return json.dumps(value)
    except RecursionError:
        return "…"


def point_of(value: Any) -> tuple[str, Any] | None:
    """(kind, value) of what was logged; None for what has no place here."""
    if isinstance(value, bool | int | float):
        with suppress(OverflowError):
            return "scalar", float(value)
        # A whole number that is larger than any float.
        return None
    if isinstance(value, str):
        if value in _NOT_FINITE:
            return "scalar", _NOT_FINITE[value]
        return "text", value[:MAX_TEXT]
    if isinstance(value, dict) and value.get("_type") == "image-file":
        path = value.get("path")
        return ("image", {"path": f"{FILES}/{path}"}) if isinstance(path, str) else None
    return None


class Gathering:
    """Rows of a history as pieces of points, one metric each; counts what has no place here."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str], tuple[list[int], list[float], list[Any]]] = {}
        self._kinds: dict[str, str] = {}
        self._n_waiting = 0
        self.left_out: set[str] = set()
        self.last_step, self.last_time = 0, 0.0

    def take(self, row: Mapping[str, Any], step: int, time: Any) -> Iterator[Points]:
        """A row; yields when enough wait. A time that is none is that of the row before."""
        if isinstance(time, int | float) and is_time(time):
            self.last_time = float(time)
        self.last_step = step
        for name, value in flat(row):
            if name.startswith("_") or value is None:
                continue
            point = point_of(value)
            if point is None or self._kinds.setdefault(name, point[0]) != point[0]:
                self.left_out.add(name)
                continue
            steps, times, values = self._waiting.setdefault((name, point[0]), ([], [], []))
            steps.append(step)
            times.append(self.last_time)
            values.append(point[1])
            self._n_waiting += 1 + len(point[1]) // CHARS_A_POINT if point[0] == "text" else 1
        if self._n_waiting >= PIECE_POINTS:
            yield from self.rest()

    def has(self, name: str) -> bool:
        return name in self._kinds

    def rest(self) -> Iterator[Points]:
        waiting, self._waiting, self._n_waiting = self._waiting, {}, 0
        for (name, kind), (steps, times, values) in waiting.items():
            yield Points(name, steps, times, values, kind)

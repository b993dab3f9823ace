"""Metrics of a request as series: columns, checked in bulk, because a batch may hold 1,000 points.

A point without a value, a time or a key is looked for one by one only when a column shows a fault.
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from operator import itemgetter
from typing import Any

from studio.lineage.actions import ModelPoint
from studio.metrics.models import Kind
from studio.metrics.summary import Series
from studio.mlflow_api.asked import number, whole
from studio.mlflow_api.errors import wrong
from studio.mlflow_api.keys import check_keys

MAX_INT = 2**63 - 1
# What a point says beside key, value, timestamp and step.
ABOUT_MODEL = frozenset({"model_id", "dataset_name", "dataset_digest"})


@dataclass(frozen=True, slots=True)
class Sent:
    """The points of one request. batch_id: a hash over all that they say, so that a request that is
    sent again is known; of_models: those that are about a logged model."""

    series: list[Series]
    batch_id: str
    of_models: list[ModelPoint]


@dataclass(frozen=True, slots=True)
class _Columns:
    """One element a point; times in ms as sent."""

    keys: list[str]
    values: list[float]
    times: list[int]
    steps: list[int]


def read_points(found: Sequence[dict[str, Any]], *, where: str = "metrics") -> Sent:
    """The points in `found`; equal ones once. `where` names them in errors: "" for a lone one.

    Raises MlflowError for what is missing or of the wrong type, and for keys that can't be.
    """
    columns = _columns(found, where)
    check_keys(set(columns.keys), "metric")
    names = set().union(*found)
    of_models = [] if ABOUT_MODEL.isdisjoint(names) else _of_models(found, columns)
    series = _series(columns)
    return Sent(series, _digest(series, of_models), of_models)


def _columns(found: Sequence[dict[str, Any]], where: str) -> _Columns:
    try:
        keys, values, times, steps = map(list, zip(*map(FIELDS, found), strict=True))
        if not set(map(type, values)) <= {float, int}:
            return _one_by_one(found, where)
        columns = _Columns(keys, list(map(float, values)), times, steps)
    except (KeyError, OverflowError):
        return _one_by_one(found, where)
    return columns if _are_plain(columns) else _one_by_one(found, where)


def _are_plain(columns: _Columns) -> bool:
    """Whether all keys are texts, all times and steps are numbers of 64 bits."""
    times, steps = columns.times, columns.steps
    return (
        set(map(type, columns.keys)) == {str}
        and all(columns.keys)
        and set(map(type, times)) == set(map(type, steps)) == {int}
        and min(times) >= 0
        and max(times) <= MAX_INT
        and min(steps) >= -MAX_INT - 1
        and max(steps) <= MAX_INT
    )


FIELDS = itemgetter("key", "value", "timestamp", "step")


def _one_by_one(found: Sequence[dict[str, Any]], where: str) -> _Columns:
    """The slow way, which says what is wrong with which point."""
    columns = _Columns([], [], [], [])
    for i, one in enumerate(found):
        at = f"{where}[{i}]." if where else ""
        for name in ("key", "value", "timestamp"):
            if one.get(name) is None or one[name] == "":
                raise wrong(f"Missing value for required parameter '{at}{name}'.")
        key, step = one["key"], one.get("step")
        if not isinstance(key, str):
            raise wrong(f"Invalid value for parameter '{at}key': it must be a string.")
        columns.keys.append(key)
        value = number(one["value"], f"{at}value")
        # One NaN for all: only the same object equals itself.
        columns.values.append(math.nan if math.isnan(value) else value)
        columns.times.append(_time(one["timestamp"], f"{at}timestamp"))
        columns.steps.append(0 if step is None or step == "" else whole(step, f"{at}step"))
    return columns


def _time(value: Any, name: str) -> int:
    found = whole(value, name)
    if found < 0:
        raise wrong(f"Invalid value {found} for parameter '{name}': it must not be negative.")
    return found


def _series(columns: _Columns) -> list[Series]:
    """The points by key, in the order they came, equal ones once; times in seconds."""
    times = [at_ms / 1000 for at_ms in columns.times]
    keys = set(columns.keys)
    if len(keys) == 1 and len(set(columns.steps)) == len(times):
        return [Series(keys.pop(), Kind.SCALAR.value, columns.steps, times, columns.values)]
    rows = list(zip(columns.keys, columns.steps, times, columns.values, strict=True))
    if len(set(rows)) < len(rows):
        rows = list(dict.fromkeys(rows))
    by_key: dict[str, list[tuple[str, int, float, float]]] = {}
    for row in rows:
        by_key.setdefault(row[0], []).append(row)
    found = []
    for key, group in by_key.items():
        _, steps, seconds, values = zip(*group, strict=True)
        found.append(Series(key, Kind.SCALAR.value, list(steps), list(seconds), list(values)))
    return found


def _digest(series: Sequence[Series], of_models: Sequence[ModelPoint]) -> str:
    told = blake2b(digest_size=24)
    for one in series:
        n, name = len(one.steps), one.name.encode()
        told.update(struct.pack(f"<I{len(name)}sI", len(name), name, n))
        told.update(struct.pack(f"<{n}q{n}d{n}d", *one.steps, *one.times, *one.values))
    for point in of_models:
        told.update(repr(point).encode())
    return f"mlflow:{told.hexdigest()}"


def _of_models(found: Sequence[dict[str, Any]], columns: _Columns) -> list[ModelPoint]:
    points = []
    for i, one in enumerate(found):
        told = {name: one.get(name) or "" for name in sorted(ABOUT_MODEL)}
        for name, text in told.items():
            if not isinstance(text, str):
                raise wrong(f"Invalid value for parameter '{name}': it must be a string.")
        if told["model_id"]:
            points.append(
                ModelPoint(
                    model=told["model_id"],
                    name=columns.keys[i],
                    value=columns.values[i],
                    step=columns.steps[i],
                    at_ms=columns.times[i],
                    dataset_name=told["dataset_name"],
                    dataset_digest=told["dataset_digest"],
                )
            )
    return list(dict.fromkeys(points))


def ms_of(seconds: Sequence[float]) -> list[int]:
    """Times as they were sent: exact up to the year 10000 and far beyond, the nearest 64-bit number
    at the end of all time."""
    return [max(0, min(MAX_INT, round(one * 1000))) for one in seconds]

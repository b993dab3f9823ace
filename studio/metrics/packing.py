"""How points become bytes: three columns of equal length, one after the other. Pure.

Numeric kinds: steps int64, times float64 (epoch seconds), values float64, all little-endian.
Other kinds: the same two columns, then the values as one UTF-8 JSON array. A chunk begins with
its number of points as uint32 and a format byte (b"N" or b"J").
"""

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

HEADER = struct.Struct("<Ic")
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Points:
    """Columns of equal length; `values` is an array for numeric kinds, else a list."""

    steps: Ints
    times: Floats
    values: Floats | list[Any]

    def __len__(self) -> int:
        return len(self.steps)

    def part(self, start: int, stop: int) -> "Points":
        """The points from `start` up to `stop`."""
        cut = slice(start, stop)
        return Points(self.steps[cut], self.times[cut], self.values[cut])


EMPTY = Points(np.empty(0, np.int64), np.empty(0), np.empty(0))


def pack(points: Points) -> bytes:
    if isinstance(points.values, list):
        tail, tag = json.dumps(points.values, separators=(",", ":")).encode(), b"J"
    else:
        tail, tag = points.values.astype("<f8").tobytes(), b"N"
    head = HEADER.pack(len(points), tag)
    return head + points.steps.astype("<i8").tobytes() + points.times.astype("<f8").tobytes() + tail


def unpack(data: bytes | memoryview) -> Points:
    n, tag = HEADER.unpack_from(data)
    start = HEADER.size
    steps = np.frombuffer(data, "<i8", n, start)
    times = np.frombuffer(data, "<f8", n, start + 8 * n)
    tail = start + 16 * n
    if tag == b"J":
        return Points(steps, times, json.loads(bytes(data[tail:])))
    return Points(steps, times, np.frombuffer(data, "<f8", n, tail))


def join(parts: Sequence[Points]) -> Points:
    """The points of all parts, in their order."""
    if not parts:
        return EMPTY
    steps = np.concatenate([part.steps for part in parts])
    times = np.concatenate([part.times for part in parts])
    if any(isinstance(part.values, list) for part in parts):
        values: list[Any] = [value for part in parts for value in part.values]
        return Points(steps, times, values)
    return Points(steps, times, np.concatenate([np.asarray(part.values) for part in parts]))


def by_step(points: Points) -> Points:
    """Ordered by step, points of one step in the order they came."""
    if len(points) < 2 or bool(np.all(points.steps[1:] >= points.steps[:-1])):
        return points
    order = np.argsort(points.steps, kind="stable")
    if isinstance(points.values, list):
        return Points(points.steps[order], points.times[order], [points.values[i] for i in order])
    return Points(points.steps[order], points.times[order], points.values[order])


def from_lists(steps: list[int], times: list[float], values: list[Any], *, numeric: bool) -> Points:
    """Points of plain lists; values that are no numbers stay a list."""
    return Points(
        np.array(steps, np.int64),
        np.array(times, np.float64),
        np.array(values, np.float64) if numeric else values,
    )

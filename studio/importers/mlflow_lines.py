"""The files of metrics in an `mlruns` folder: a point a line. Pure."""

from collections.abc import Callable, Iterator
from typing import BinaryIO

from studio.importers.mlflow import PIECE
from studio.importers.records import Points, Unreadable
from studio.importers.sources import no_tick

MAX_LINE = 2_000
# Of one file so many are told apart, the rest counted.
MAX_TOLD = 3
_INT64 = range(-(2**63), 2**63)


def parsed(line: bytes) -> tuple[int, float, float]:
    """(step, seconds since 1970, value) of a line "milliseconds value [step [dataset digest]]".

    Raises ValueError.
    """
    parts = line.decode("ascii").split()
    if len(parts) not in (2, 3, 5):
        raise ValueError("it is not “milliseconds value step”")
    at_ms, value = int(parts[0]), float(parts[1])
    step = int(parts[2]) if len(parts) > 2 else 0
    if step not in _INT64 or at_ms not in _INT64:
        raise ValueError("a number of it is too large")
    return step, at_ms / 1000, value


def points_of(
    name: str, stream: BinaryIO, tick: Callable[[], None] = no_tick
) -> Iterator[Points | Unreadable]:
    """The points of a file in pieces, and what can't be read of it."""
    waiting: list[tuple[int, float, float]] = []
    n_bad = 0
    for number, line in enumerate(_lines(stream), start=1):
        tick()
        try:
            waiting.append(parsed(line))
        except ValueError as error:
            n_bad += 1
            if n_bad <= MAX_TOLD:
                yield Unreadable(f"{name}, line {number}", f"Not a point: {error}.")
        if len(waiting) >= PIECE:
            yield _piece(name, waiting)
            waiting = []
    if waiting:
        yield _piece(name, waiting)
    if n_bad > MAX_TOLD:
        yield Unreadable(name, f"{n_bad - MAX_TOLD:,} more lines are no points.")


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Lines that are not blank; of one that is too long, its beginning."""
    while line := stream.readline(MAX_LINE):
        whole = line.endswith(b"\n")
        while not whole and (rest := stream.readline(MAX_LINE)):
            whole = rest.endswith(b"\n")
            line = line[:MAX_LINE] + b" too long"
        if line.strip():
            yield line


def _piece(name: str, points: list[tuple[int, float, float]]) -> Points:
    steps, times, values = zip(*points, strict=True)
    return Points(name, steps, times, values)

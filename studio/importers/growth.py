"""Which points of a metric are new since it was read the last time."""

import json
import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from studio.importers.records import Points
from studio.metrics.models import NUMERIC, Kind
from studio.metrics.packing import Points as Columns
from studio.metrics.packing import from_lists
from studio.metrics.summary import Series
from studio.runs.limits import Invalid, clean_text
from studio.wire.checks import MAX_TIME_S

# [how many points, CRC-32 of these], by metric.
Known = dict[str, list[int]]
CHANGED = "Points that were imported earlier are others in the source now; the metric was left."
FEWER = "The source has fewer points of it than were imported earlier; the metric was left."


@dataclass(slots=True)
class Growth:
    """Goes along with the points of one run as they are read, and lets the new ones through.

    known: what is stored. read: what was read so far, which is what is stored once everything that
    came through is. changed: metrics whose known points are no longer the same.
    """

    known: Known
    read: Known = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)

    def new_of(self, piece: Points) -> Series | None:
        """The points of a piece that are not stored yet, None for none. Raises Invalid for a piece
        that can't be stored."""
        name, kind = _name_of(piece), Kind(piece.kind)
        columns = _columns(piece, numeric=kind in NUMERIC)
        n_read, mark = self.read.get(name, [0, 0])
        n_known, known_mark = self.known.get(name, [0, 0])
        n_old = min(max(0, n_known - n_read), len(columns))
        old, new = columns.part(0, n_old), columns.part(n_old, len(columns))
        mark = _marked(old, mark)
        if n_old and n_read + n_old == n_known and mark != known_mark:
            self.changed.add(name)
        if name in self.changed:
            return None
        self.read[name] = [n_read + len(columns), _marked(new, mark)]
        if not len(new):
            return None
        values = new.values if isinstance(new.values, list) else new.values.tolist()
        return Series(name, kind, new.steps.tolist(), new.times.tolist(), values)

    def problems(self) -> list[tuple[str, str]]:
        """(metric, why it was left as it is), once everything was read."""
        fewer = [name for name, (n, _) in self.known.items() if self.read.get(name, [0])[0] < n]
        found = [(name, CHANGED) for name in sorted(self.changed)]
        return found + [(name, FEWER) for name in sorted(fewer) if name not in self.changed]

    def stored(self) -> Known:
        """What is stored, once everything that came through is."""
        whole = {name: known for name, known in self.read.items() if name not in self.changed}
        kept = {n: k for n, k in self.known.items() if n not in whole or whole[n][0] < k[0]}
        return {**whole, **kept}


def _name_of(piece: Points) -> str:
    if piece.kind not in Kind.values:
        raise Invalid("kind", f"“{str(piece.kind)[:40]}” is no kind of metric.")
    return clean_text(piece.name, field="metric name", most=255, allow_empty=False).strip()


def _columns(piece: Points, *, numeric: bool) -> Columns:
    n = len(piece.steps)
    if not n == len(piece.times) == len(piece.values):
        raise Invalid("metrics", "Its steps, times and values are not equally many.")
    try:
        values: Any = piece.values if numeric else list(piece.values)
        columns = from_lists(list(piece.steps), list(piece.times), values, numeric=numeric)
    except (ValueError, TypeError, OverflowError) as error:
        raise Invalid("metrics", f"Not numbers that can be stored: {error}.") from error
    if not bool(np.all(np.isfinite(columns.times) & (columns.times <= MAX_TIME_S))):
        raise Invalid("metrics", "A point's time is no time.")
    return columns


def _marked(points: Columns, mark: int) -> int:
    """The CRC-32 that goes on from `mark` with these points, the same for any cut into pieces."""
    if not len(points):
        return mark
    if isinstance(points.values, list):
        for step, time, value in zip(points.steps, points.times, points.values, strict=True):
            text = json.dumps([int(step), float(time), value], sort_keys=True)
            mark = zlib.crc32(text.encode(), mark)
        return mark
    table = np.empty((len(points), 3), "<f8")
    table[:, 0] = points.steps.astype("<i8").view("<f8")
    table[:, 1], table[:, 2] = points.times, points.values
    return zlib.crc32(table.tobytes(), mark)

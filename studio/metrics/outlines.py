"""What stands for a full chunk in a chart over much: a few hundred of its points, among them its
extremes, and counts of all of them. Pure."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from studio.metrics.packing import Floats, Points, by_step, pack, unpack
from studio.metrics.thinning import downsample

# 64 buckets of four points: at a million points of a series a chart's bucket holds many of them.
OUTLINE_POINTS = 256


@dataclass(frozen=True, slots=True)
class Count:
    """So many points; of them NaN or infinite, and not above 0 (nothing for a log axis)."""

    n_points: int = 0
    n_gaps: int = 0
    n_low: int = 0

    @classmethod
    def of(cls, y: Floats) -> Self:
        return cls(len(y), int((~np.isfinite(y)).sum()), int((y <= 0).sum()))

    def __add__(self, other: "Count") -> "Count":
        return Count(
            self.n_points + other.n_points, self.n_gaps + other.n_gaps, self.n_low + other.n_low
        )

    def times(self, factor: float) -> "Count":
        return Count(
            round(self.n_points * factor), round(self.n_gaps * factor), round(self.n_low * factor)
        )


def outline_of(data: bytes | memoryview) -> tuple[bytes, Count]:
    """The M4 points of a packed chunk of numbers with its earliest and latest, packed; and what
    the chunk counts."""
    points = by_step(unpack(data))
    y, times = np.asarray(points.values), points.times
    ends = [times.argmin(), times.argmax()]
    kept = np.union1d(downsample(points.steps, y, OUTLINE_POINTS), ends)
    return pack(Points(points.steps[kept], times[kept], y[kept])), Count.of(y)

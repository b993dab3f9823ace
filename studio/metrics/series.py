"""Reading metric points: whole, downsampled for charts, or as summaries."""

from studio.metrics.models import Metric, MetricChunk
from studio.metrics.packing import Points, by_step, join, unpack


def points_of(metric: Metric) -> Points:
    """All points of the metric by step; points of one step in the order they came (1 query)."""
    chunks = MetricChunk.objects.filter(metric=metric).order_by("id")
    return by_step(join([unpack(data) for data in chunks.values_list("data", flat=True)]))

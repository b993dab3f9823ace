"""From a moment to the line of a log that had arrived by then, and back."""

from studio.artifacts import line_index, log_times
from studio.artifacts.models import Artifact
from studio.artifacts.store import store


def line_at(file: Artifact, at_ms: int) -> int | None:
    """The number of the last line that had begun to arrive by `at_ms` (of Unix time), 1 before the
    first. None when nobody noted the times, or lines are not counted so far yet."""
    times = log_times.load_times(store(), file.blob_key)
    index = line_index.load(store(), file.blob_key)
    if not len(times.sizes) or not index.size:
        return None
    # What came in the very millisecond had come by then.
    return index.line_at(max(0, times.offset_at(at_ms + 1) - 1))


def moment_of_line(file: Artifact, line: int) -> int | None:
    """When the end of that line had arrived, ms of Unix time. None when there is no such line, or
    nobody noted the times."""
    index = line_index.load(store(), file.blob_key)
    start = index.offset_of(line)
    if start is None:
        return None
    end = (index.offset_of(line + 1) or index.size) - 1
    return log_times.load_times(store(), file.blob_key).at_offset(max(start, end))

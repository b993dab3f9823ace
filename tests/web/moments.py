"""A run whose points, samples, images and lines are ten seconds apart, from a known start on."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from studio.artifacts import log_times
from studio.artifacts.logs import append_log
from studio.artifacts.models import MAIN_LOG
from studio.artifacts.store import store
from studio.runs.models import Run
from tests import make
from tests.browser import charting

N = 60
EVERY_S = 10
SPIKE = 31


def fill(run: Run) -> int:
    """Log all of it; when the run began, ms of Unix time. Point i came 10 i s after it, at step
    5 i; line i + 1 just then; the loss has a spike at point SPIKE, of which its line tells."""
    start = (timezone.now() - timedelta(seconds=N * EVERY_S)).replace(microsecond=0)
    Run.objects.filter(pk=run.pk).update(created_at=start, started_at=start)
    run.refresh_from_db()
    times = [start.timestamp() + i * EVERY_S for i in range(N)]
    loss = [9.0 if i == SPIKE else 1 / (1 + i) for i in range(N)]
    series = [("loss", loss), ("accuracy", [1 - 1 / (1 + i) for i in range(N)])]
    steps = [5 * i for i in range(N)]
    charting.log(
        run,
        *(
            {"name": name, "kind": "scalar", "steps": steps, "times": times, "values": values}
            for name, values in series
        ),
        *(
            {"name": f"system/node1/{key}", "kind": "scalar"}
            | {"steps": None, "times": times, "values": [40.0 + i for i in range(N)]}
            for key in ("cpu_percent", "host_cpu_percent", "process_count")
        ),
    )
    start_ms = round(start.timestamp() * 1000)
    log_lines(run, [(line_of(i), start_ms + i * EVERY_S * 1000) for i in range(N)])
    return start_ms


def line_of(i: int) -> str:
    return f"point {i}: the loss explodes\n" if i == SPIKE else f"point {i}: all is well\n"


def log_lines(run: Run, lines: list[tuple[str, int]], path: str = MAIN_LOG) -> None:
    """A log whose lines arrived at these moments, ms of Unix time."""
    whole = "".join(text for text, _ in lines).encode()
    append_log(run, path, 0, whole, by=make.actor(run.submitter))
    key: Any = run.artifacts.get(path=path).blob_key
    store().delete(log_times.times_key(key))
    size = 0
    for text, at_ms in lines:
        size += len(text.encode())
        log_times.note(store(), key, size=size, at_ms=at_ms)

"""The moment that the tabs of a run share: `t` of the address, in ms of Unix time."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import numpy as np
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from studio.artifacts import log_moments
from studio.artifacts.actions import find_artifact
from studio.artifacts.models import MAIN_LOG, Artifact
from studio.metrics.models import Kind, Metric
from studio.metrics.packing import Floats, Ints
from studio.runs.models import Run
from studio.web.access import Request, find_run, page

# The tabs that show what was at a moment.
TABS = ("metrics", "images", "logs", "monitoring")
# As ms this is the year 5138; a year of five digits is none that can be written.
MAX_DIGITS = 14
# The clocks of a client and of the studio differ.
SLACK = timedelta(minutes=1)

NO_MOMENT = "The t of the address is no moment, so none is marked."
TOO_EARLY = "The moment of the address is before the start of the run, so none is marked."
TOO_LATE = "The moment of the address is still to come, so none is marked."
NOT_NOTED = "Nobody noted when the lines of this file arrived."


@dataclass(frozen=True, slots=True)
class Moment:
    """`at` None: the address names none, or one that is not marked, `problem` says why. start:
    when the run began; rest_url: the address without the moment."""

    start: datetime
    at: datetime | None = None
    problem: str = ""
    rest_url: str = ""

    @property
    def at_ms(self) -> int | None:
        return None if self.at is None else round(self.at.timestamp() * 1000)

    @property
    def start_ms(self) -> int:
        return round(self.start.timestamp() * 1000)

    @property
    def after_s(self) -> float:
        """Seconds after the start, negative before it; 0 without a moment."""
        return (self.at - self.start).total_seconds() if self.at else 0.0

    def saying(self, problem: str) -> "Moment":
        return replace(self, problem=problem)

    def on(self, url: str) -> str:
        """An address without a query, with the moment."""
        return url if self.at_ms is None else f"{url}?t={self.at_ms}"


def moment_of(request: Request, run: Run) -> Moment:
    """The moment of the address, if it lies in the life of the run until now."""
    rest = request.GET.copy()
    text = "".join(rest.pop("t", [])[-1:])
    start = run.started_at or run.created_at
    none = Moment(start, rest_url=f"{request.path}?{rest.urlencode()}".removesuffix("?"))
    if not text:
        return none
    is_whole = text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS
    if not is_whole:
        return none.saying(NO_MOMENT)
    at = datetime.fromtimestamp(int(text) / 1000, UTC)
    if at < min(start, run.created_at) - SLACK:
        return none.saying(TOO_EARLY)
    if at > timezone.now() + SLACK:
        return none.saying(TOO_LATE)
    return replace(none, at=at)


def step_at(at: datetime, steps: Ints, times: Floats) -> int | None:
    """The step of the last of some points logged by `at`; None before the first. steps and times
    (epoch seconds) have equal length, in any order."""
    past = np.flatnonzero(times <= at.timestamp())
    if not len(past):
        return None
    return int(steps[past[np.lexsort((steps[past], times[past]))[-1]]])


def log_url_at(request: Request, run: Run, file: Artifact, moment: Moment) -> str:
    """The address of the line of a file that had arrived last by then; "" when nobody knows."""
    line = None if moment.at_ms is None else log_moments.line_at(file, moment.at_ms)
    if line is None:
        return ""
    own = {"path": file.path, "line": line, "t": moment.at_ms}
    # Files that are open, or beside, stay so.
    others = request.GET.copy()
    for name in own:
        others.pop(name, None)
    query = "&".join(part for part in (urlencode(own), others.urlencode()) if part)
    return f"{reverse('run-logs', args=[request.workspace.name, run.uid])}?{query}#L{line}"


@page
def charts_at_line(request: Request, uid: str) -> HttpResponse:
    """On to the charts at the moment when line `line` of the file `path` arrived: the metrics, of a
    run without any its monitoring. 404 when nobody knows."""
    run, path = find_run(request, uid), request.GET.get("path", "") or MAIN_LOG
    text = request.GET.get("line", "")
    line = int(text) if text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS else 0
    file = find_artifact(run, path)
    at_ms = log_moments.moment_of_line(file, line) if file and line else None
    if at_ms is None:
        raise Http404(f"When line {line} of “{path[:200]}” arrived is not known.")
    has_metrics = Metric.objects.ordinary().filter(run=run).exclude(kind=Kind.IMAGE).exists()
    name = "run-metrics" if has_metrics else "run-monitoring"
    return redirect(f"{reverse(name, args=[request.workspace.name, run.uid])}?t={at_ms}")

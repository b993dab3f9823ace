"""Monitor: every status change of a workspace, newest first, with filters and as a file."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import reverse
from django.utils import timezone

from studio.exports.csv_lines import csv_lines
from studio.runs.models import RunEvent
from studio.runs.status import Status
from studio.web.access import Request, page
from studio.web.frame import frame
from studio.web.render import render_page
from studio.web.typed import storable

PAGE_SIZE = 50
BLOCK = 1_000
HEAD = (
    *("event", "time", "run", "name", "parent", "root", "experiment"),
    *("before", "status", "actor", "message"),
)


@dataclass(frozen=True, slots=True)
class MonitorState:
    """What the address asks for: a status, and texts in the names of the experiment, of the run (or
    its whole id) and of who did it; "" for any."""

    status: str = ""
    experiment: str = ""
    run: str = ""
    actor: str = ""

    @classmethod
    def of(cls, request: Request) -> Self:
        """Values that can't be are left out."""
        given = {name: storable(request.GET.get(name, "").strip()) for name in cls.__slots__}
        if given["status"] not in Status.values:
            given["status"] = ""
        return cls(**given)

    def texts(self) -> dict[str, str]:
        found = {name: getattr(self, name) for name in self.__slots__}
        return {name: text for name, text in found.items() if text}


def events_of(request: Request, state: MonitorState) -> QuerySet[RunEvent]:
    """Status changes of runs that are not in the trash, newest first, with run and experiment."""
    found = RunEvent.objects.filter(
        workspace=request.workspace, kind="status", run__deleted_at=None
    )
    if state.status:
        found = found.filter(after=state.status)
    if state.experiment:
        found = found.filter(run__experiment__name__icontains=state.experiment)
    if state.run:
        found = found.filter(Q(run__display_name__icontains=state.run) | Q(run__uid=state.run))
    if state.actor:
        found = found.filter(actor__icontains=state.actor)
    return found.select_related("run__experiment", "run__parent", "run__root").order_by("-pk")


@page
def monitor(request: Request) -> HttpResponse:
    """50 events a page (1 query and those of the frame)."""
    state, before = MonitorState.of(request), request.GET.get("before", "")
    events = events_of(request, state)
    if before.isascii() and before.isdecimal() and len(before) < 19:
        events = events.filter(pk__lt=int(before))
    found = list(events[: PAGE_SIZE + 1])
    shown = found[:PAGE_SIZE]
    for event in shown:
        event.run.workspace = request.workspace
    older = str(shown[-1].pk) if len(found) > PAGE_SIZE else ""
    context = {
        **frame(request, active="monitor"),
        "events": shown,
        "state": state,
        "statuses": Status.choices,
        "is_filtered": bool(state.texts()),
        "older_url": address(request, state, before=older) if older else "",
        "first_url": address(request, state) if before else "",
        "clear_url": address(request, MonitorState()),
        "export_url": address(request, state, name="monitor-export"),
        "size": PAGE_SIZE,
    }
    return render_page(
        request,
        "monitor/list.html",
        context,
        part="monitor/_results.html",
        also=("monitor/_export.html",),
    )


def address(
    request: Request, state: MonitorState, *, name: str = "monitor", before: str = ""
) -> str:
    asked = urlencode({**state.texts(), **({"before": before} if before else {})})
    base = reverse(name, args=[request.workspace.name])
    return f"{base}?{asked}" if asked else base


@page
def export(request: Request) -> StreamingHttpResponse:
    """All events that match as CSV, streamed in blocks of 1,000 (a query each)."""
    answer = StreamingHttpResponse(
        _csv(events_of(request, MonitorState.of(request))), content_type="text/csv; charset=utf-8"
    )
    name = f"events-{request.workspace.name}-{timezone.now():%Y-%m-%d}.csv"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _csv(events: QuerySet[RunEvent]) -> Iterator[bytes]:
    yield csv_lines([HEAD])
    last: int | None = None
    while True:
        block = list((events if last is None else events.filter(pk__lt=last))[:BLOCK])
        if not block:
            return
        yield csv_lines([_row(event) for event in block])
        last = block[-1].pk


def _row(event: RunEvent) -> list[Any]:
    run = event.run
    return [
        *(event.pk, event.at, run.uid, run.display_name),
        *(run.parent.uid if run.parent else "", run.root.uid if run.root else run.uid),
        *(run.experiment.name, event.before or "", event.after or "", event.actor, event.message),
    ]

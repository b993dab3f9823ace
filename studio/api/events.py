"""Status changes of all runs of a workspace, newest first."""

from typing import Any

from django.http import HttpRequest
from ninja import Path, Router
from ninja.params.functions import Query

from studio.api.access import workspace_of
from studio.api.paging import Limit, page
from studio.api.schemas import Closed, answers
from studio.api.serialize import iso
from studio.runs.limits import Invalid
from studio.runs.models import RunEvent
from studio.runs.status import Status

router = Router(tags=["events"])


class StatusEvent(Closed):
    id: int
    at: str
    run: str
    display_name: str
    parent: str | None
    root: str
    experiment: str
    before: str | None
    status: str
    actor: str
    message: str


class StatusEventPage(Closed):
    items: list[StatusEvent]
    next: str | None


def status_event(event: RunEvent) -> dict[str, Any]:
    run = event.run
    return {
        "id": event.pk,
        "at": iso(event.at),
        "run": run.uid,
        "display_name": run.display_name,
        "parent": run.parent.uid if run.parent else None,
        "root": run.root.uid if run.root else run.uid,
        "experiment": run.experiment.name,
        "before": event.before,
        "status": event.after,
        "actor": event.actor,
        "message": event.message,
    }


@router.get("/events", response=answers(StatusEventPage))
def list_events(
    request: HttpRequest,
    workspace: Path[str],
    status: str = "",
    experiment: str = Query("", max_length=255),
    run: str = Query("", max_length=256),
    actor: str = Query("", max_length=200),
    cursor: str = Query("", description="The `next` of the page before"),
    before: str = Query("", description="The same, as it was called at first", deprecated=True),
    limit: int = Limit,
) -> Any:
    """Status changes of runs that are not in the trash. `status`: the new one; `experiment`: its
    name; `run`: its id; `actor`: who did it."""
    room = workspace_of(request, workspace)
    found = RunEvent.objects.filter(workspace=room, kind="status", run__deleted_at=None)
    if status:
        if status not in Status.values:
            raise Invalid("status", f"status must be one of {', '.join(Status.values)}.")
        found = found.filter(after=status)
    if experiment:
        found = found.filter(run__experiment__name=experiment)
    if run:
        found = found.filter(run__uid=run)
    if actor:
        found = found.filter(actor=actor)
    if cursor or before:
        found = found.filter(pk__lt=row_id("cursor" if cursor else "before", cursor or before))
    found = found.select_related("run__experiment", "run__parent", "run__root").order_by("-pk")
    return page(
        list(found[: limit + 1]), limit=limit, item=status_event, cursor=lambda one: str(one.pk)
    )


def row_id(field: str, cursor: str) -> int:
    """The row that a cursor of this list names; raises Invalid."""
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 19):
        raise Invalid(field, "This cursor is not one of this list.")
    return int(cursor)

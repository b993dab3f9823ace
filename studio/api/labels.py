"""What people and programs put on a run: tags, properties, parameters, the star; its history."""

from typing import Any

from django.http import HttpRequest
from ninja import Path, Router

from studio import wire
from studio.api.access import actor_of, run_of
from studio.api.body import documented, read_body, read_json
from studio.api.paging import Limit, page
from studio.api.runs import run_answer
from studio.api.schemas import EventPage, RunItem, answers
from studio.api.serialize import event_dict
from studio.runs import actions
from studio.runs.limits import Invalid
from studio.runs.models import RunEvent

router = Router(tags=["runs"])


@router.post(
    "/runs/{uid}/tags", response=answers(RunItem), openapi_extra=documented(wire.TagChange)
)
def change_tags(request: HttpRequest, workspace: Path[str], uid: str) -> Any:
    """Set some tags (null: no value) and remove others. With what was seen of them (`seen`,
    `absent`), 409 with both values when somebody changed them meanwhile."""
    run = run_of(request, workspace, uid)
    change = read_body(request, wire.TagChange)
    seen = {key: actions.Seen(True, value) for key, value in change.seen.items()}
    seen |= dict.fromkeys(change.absent, actions.NO_TAG)
    actions.change_tags(run, by=actor_of(request), put=change.set, remove=change.remove, seen=seen)
    return run_answer(request, run)


@router.post(
    "/runs/{uid}/properties",
    response=answers(RunItem),
    openapi_extra=documented(wire.PropertyChange),
)
def add_properties(request: HttpRequest, workspace: Path[str], uid: str) -> Any:
    """Add write-once properties, all or none."""
    run = run_of(request, workspace, uid)
    change = read_body(request, wire.PropertyChange)
    actions.add_properties(run, change.set, by=actor_of(request))
    return run_answer(request, run)


@router.post(
    "/runs/{uid}/parameters",
    response=answers(RunItem),
    openapi_extra=documented(wire.ParameterChange),
)
def set_parameters(request: HttpRequest, workspace: Path[str], uid: str) -> Any:
    """Set parameters; a later value replaces the earlier one."""
    run = run_of(request, workspace, uid)
    change = read_body(request, wire.ParameterChange)
    actions.set_parameters(run, change.set, by=actor_of(request))
    return run_answer(request, run)


STAR_BODY = {
    "type": "object",
    "properties": {"starred": {"type": "boolean"}},
    "required": ["starred"],
    "additionalProperties": False,
}


@router.post(
    "/runs/{uid}/star",
    response=answers(RunItem),
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": STAR_BODY}}}
    },
)
def star_run(request: HttpRequest, workspace: Path[str], uid: str) -> Any:
    """Make the run a favourite of the token's person, or no longer."""
    run = run_of(request, workspace, uid)
    body = read_json(request)
    if not isinstance(body, dict) or set(body) != {"starred"} or type(body["starred"]) is not bool:
        raise Invalid("starred", 'Send {"starred": true} or {"starred": false}.')
    actions.star_run(run, by=actor_of(request), starred=body["starred"])
    return run_answer(request, run)


@router.get("/runs/{uid}/events", response=answers(EventPage))
def list_events(
    request: HttpRequest, workspace: Path[str], uid: str, cursor: str = "", limit: int = Limit
) -> Any:
    """The run's history, oldest first."""
    run = run_of(request, workspace, uid)
    if cursor and not cursor.isdecimal():
        raise Invalid("cursor", "This cursor is not one of this list.")
    events = RunEvent.objects.filter(run=run, pk__gt=int(cursor[:18] or 0)).order_by("pk")
    return page(list(events[: limit + 1]), limit=limit, item=event_dict, cursor=lambda e: str(e.pk))

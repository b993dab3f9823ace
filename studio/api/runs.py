"""Runs: list, create, read, and their way from start to end."""

from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import BigIntegerField
from django.http import HttpRequest, JsonResponse
from ninja import Path, Query, Router

from studio import wire
from studio.api.access import (
    actor_of,
    no_such_run,
    run_of,
    visible_runs,
)
from studio.api.body import documented, read_body
from studio.api.listing import ListedRunPage, RunFilter, chosen_runs, listed
from studio.api.schemas import Beat, RunItem, answers
from studio.api.serialize import beat_dict, run_dict, with_parts
from studio.queries.fixed import fixed
from studio.runs import actions
from studio.runs.actions.beats import Dropped, note_heartbeat
from studio.runs.limits import Invalid
from studio.runs.models import Run
from studio.runs.querysets import RunQuerySet
from studio.search.keyset import is_cursor, page

router = Router(tags=["runs"])


def run_answer(request: HttpRequest, run: Run, *, status: int = 200, notice: str = "") -> Any:
    """The run as it is stored now."""
    return JsonResponse(run_dict(_fresh(request, run), notice=notice), status=status)


def _fresh(request: HttpRequest, run: Run) -> Run:
    user = actor_of(request).user
    for found in _whole(run=run.pk, user=user.pk if user else None):
        return found
    raise Run.DoesNotExist(f"run {run.uid} was deleted meanwhile")


@fixed(run=BigIntegerField(), user=BigIntegerField())
def _whole(run: Any, user: Any) -> RunQuerySet:
    return with_parts(Run.objects.filter(pk=run), user=user)


@router.get("/runs", response=answers(ListedRunPage))
def list_runs(request: HttpRequest, workspace: Path[str], wanted: Query[RunFilter]) -> Any:
    """Root runs, or with `children=1` all; of a parent or an ancestor; the newest first, or in the
    `order` asked for, with the values of the `columns` asked for."""
    user = actor_of(request).user
    chosen = chosen_runs(request, workspace, wanted)
    if wanted.cursor and not is_cursor(wanted.cursor, chosen.order):
        message = "This is no cursor of a list in this order. Start again without one."
        raise Invalid("cursor", message)
    found = page(
        chosen.runs,
        chosen.order,
        size=wanted.limit,
        after=wanted.cursor,
        load=partial(with_parts, user=user),
    )
    return JsonResponse(
        {"items": listed(found.runs, chosen.columns, user=user), "next": found.older or None}
    )


@router.get("/runs/{uid}", response=answers(RunItem))
def get_run(request: HttpRequest, workspace: Path[str], uid: str) -> Any:
    """One run with its definition."""
    runs = with_parts(visible_runs(request, workspace), user=actor_of(request).user)
    run = runs.filter(uid=uid).first()
    if run is None:
        raise no_such_run(workspace, uid)
    return JsonResponse(run_dict(run))


@router.patch("/runs/{uid}", response=answers(RunItem), openapi_extra=documented(wire.RunPatch))
def edit_run(request: HttpRequest, workspace: Path[str], uid: str) -> Any:
    """Rename or describe; `description_version` guards against overwriting somebody's text."""
    run, actor = run_of(request, workspace, uid), actor_of(request)
    change = read_body(request, wire.RunPatch)
    with transaction.atomic():
        if change.display_name is not None:
            actions.rename_run(run, change.display_name, by=actor)
        if change.description is not None:
            actions.describe_run(
                run, change.description, by=actor, expected_version=change.description_version
            )
    return run_answer(request, run)


@router.post("/runs/{uid}/start", response=answers(RunItem))
def start_run(request: HttpRequest, workspace: Path[str], uid: str) -> Any:
    """-> Running."""
    run = run_of(request, workspace, uid)
    return run_answer(request, actions.start_run(run, by=actor_of(request)))


@router.post("/runs/{uid}/complete", response=answers(RunItem))
def complete_run(request: HttpRequest, workspace: Path[str], uid: str) -> Any:
    """-> Completed."""
    run = run_of(request, workspace, uid)
    return run_answer(request, actions.complete_run(run, by=actor_of(request)))


@router.post(
    "/runs/{uid}/fail", response=answers(RunItem), openapi_extra=documented(wire.FailRequest)
)
def fail_run(request: HttpRequest, workspace: Path[str], uid: str) -> Any:
    """-> Failed, with what went wrong; a Completed run may be marked as failed too."""
    run = run_of(request, workspace, uid)
    asked = read_body(request, wire.FailRequest)
    details = asked.error.dump() if asked.error else None
    actions.fail_run(run, by=actor_of(request), error=details, reason=asked.reason or "")
    return run_answer(request, run)


@router.post(
    "/runs/{uid}/cancel", response=answers(RunItem), openapi_extra=documented(wire.CancelRequest)
)
def cancel_run(request: HttpRequest, workspace: Path[str], uid: str) -> Any:
    """Ask the run, and unless `children` is false those below it, to stop."""
    run = run_of(request, workspace, uid)
    asked = read_body(request, wire.CancelRequest)
    notice = f"The run is already {run.status}." if run.is_terminal else ""
    actions.cancel_run(
        run, by=actor_of(request), reason=asked.reason or "", children=asked.children
    )
    return run_answer(request, run, notice=notice)


@router.post("/runs/{uid}/kill", response=answers(RunItem))
def kill_run(request: HttpRequest, workspace: Path[str], uid: str) -> Any:
    """Stop the run's processes now, without the rest of the grace period."""
    run = run_of(request, workspace, uid)
    notice = f"The run is already {run.status}." if run.is_terminal else ""
    return run_answer(request, actions.kill_run(run, by=actor_of(request)), notice=notice)


@router.post(
    "/runs/{uid}/canceled",
    response=answers(RunItem),
    openapi_extra=documented(wire.CanceledRequest),
)
def confirm_canceled(request: HttpRequest, workspace: Path[str], uid: str) -> Any:
    """-> Canceled: the program obeyed a cancel request or was interrupted by its person."""
    run = run_of(request, workspace, uid)
    told = read_body(request, wire.CanceledRequest)
    run = actions.confirm_canceled(
        run, by=actor_of(request), reason=told.reason or "", children=told.children
    )
    return run_answer(request, run)


@router.post(
    "/runs/{uid}/heartbeat", response=answers(Beat), openapi_extra=documented(wire.Heartbeat)
)
def heartbeat(request: HttpRequest, workspace: Path[str], uid: str) -> Any:
    """A sign of life; the answer says whether somebody asked the run to stop."""
    run = run_of(request, workspace, uid)
    told = read_body(request, wire.Heartbeat)
    run = note_heartbeat(
        run,
        by=actor_of(request),
        warning=told.warning or "",
        dropped=Dropped(told.n_dropped or 0, told.sender or ""),
    )
    return JsonResponse(beat_dict(run))

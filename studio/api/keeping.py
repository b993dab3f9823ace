"""Where runs are kept: archive, trash, for good."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, JsonResponse
from ninja import Path, Router

from studio.accounts.permissions import Actor
from studio.api.access import actor_of, no_such_run, run_of, workspace_of
from studio.api.body import documented, read_body
from studio.api.paging import Limit
from studio.api.runs import run_answer
from studio.api.schemas import Closed, RunItem, answers
from studio.api.serialize import iso
from studio.artifacts.trash import purged_at, trash, trash_total
from studio.runs.actions import keeping
from studio.runs.limits import Invalid
from studio.runs.models import Run
from studio.wire.changes import DeleteRequest, NothingToSay

router = Router(tags=["keeping"])


class TrashItem(Closed):
    uid: str
    display_name: str
    experiment: str
    status: str
    deleted_at: str
    deleted_by: str
    purged_at: str
    n_runs: int
    n_bytes: int


class TrashPage(Closed):
    items: list[TrashItem]
    next: str | None
    n_runs: int
    n_bytes: int


def trash_dict(run: Any) -> dict[str, Any]:
    """A run of `trash` as JSON values; `n_runs` and `n_bytes` count what went with it too."""
    return {
        "uid": run.uid,
        "display_name": run.display_name,
        "experiment": run.experiment.name,
        "status": run.status,
        "deleted_at": iso(run.deleted_at),
        "deleted_by": run.deleted_by or "",
        "purged_at": iso(purged_at(run)),
        "n_runs": run.n_together,
        "n_bytes": run.n_bytes,
    }


@router.get("/trash", response=answers(TrashPage))
def list_trash(
    request: HttpRequest, workspace: Path[str], cursor: str = "", limit: int = Limit
) -> Any:
    """What was deleted, newest first, with the bytes that purging it frees; purge by POST /bulk."""
    room = workspace_of(request, workspace)
    runs = trash(room)
    if cursor:
        seen = Run.objects.filter(workspace=room, uid=cursor).in_trash().first()
        if seen is None:
            raise Invalid("cursor", "This cursor is not one of this list, or was restored.")
        runs = runs.deleted_before(seen)
    found = list(runs[: limit + 1])
    cut = found[:limit]
    more = len(found) > limit
    return JsonResponse(
        {
            "items": [trash_dict(run) for run in cut],
            "next": cut[-1].uid if more else None,
            **trash_total(room),
        }
    )


def _change(
    request: HttpRequest, workspace: str, uid: str, change: Callable[..., Run], **how: Any
) -> Any:
    run = run_of(request, workspace, uid)
    by: Actor = actor_of(request)
    change(run, by=by, **how)
    return run_answer(request, run)


@router.post(
    "/runs/{uid}/archive", response=answers(RunItem), openapi_extra=documented(NothingToSay)
)
def archive_run(request: HttpRequest, workspace: Path[str], uid: str) -> Any:
    """Hide the run and its child runs from lists."""
    read_body(request, NothingToSay)
    return _change(request, workspace, uid, keeping.archive_run)


@router.post(
    "/runs/{uid}/unarchive", response=answers(RunItem), openapi_extra=documented(NothingToSay)
)
def unarchive_run(request: HttpRequest, workspace: Path[str], uid: str) -> Any:
    """Show the run and its child runs in lists again."""
    read_body(request, NothingToSay)
    return _change(request, workspace, uid, keeping.unarchive_run)


@router.post(
    "/runs/{uid}/delete", response=answers(RunItem), openapi_extra=documented(DeleteRequest)
)
def delete_run(request: HttpRequest, workspace: Path[str], uid: str) -> Any:
    """Put the run and its child runs in the trash; one that is not finished only with `cancel`."""
    asked = read_body(request, DeleteRequest)
    return _change(request, workspace, uid, keeping.delete_run, cancel=asked.cancel)


@router.post(
    "/runs/{uid}/restore", response=answers(RunItem), openapi_extra=documented(NothingToSay)
)
def restore_run(request: HttpRequest, workspace: Path[str], uid: str) -> Any:
    """Take the run out of the trash, with the child runs that went there with it."""
    room = workspace_of(request, workspace)
    read_body(request, NothingToSay)
    run = Run.objects.filter(workspace=room, uid=uid).select_related("workspace").first()
    if run is None:
        raise no_such_run(workspace, uid)
    keeping.restore_run(run, by=actor_of(request))
    return run_answer(request, run)

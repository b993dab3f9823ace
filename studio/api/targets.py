"""Compute targets: where runs run, their workers, and changes to both."""

from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Path, Router
from ninja.params.functions import Query
from pydantic import Field

from studio.accounts.models import Workspace
from studio.api.access import NotFound, actor_of, workspace_of
from studio.api.body import documented, read_body
from studio.api.paging import MAX_LIMIT, page
from studio.api.schemas import Closed, answers
from studio.api.serialize import iso
from studio.compute import targets
from studio.compute.models import Target, Worker
from studio.runs.limits import Invalid
from studio.wire.target_changes import TargetCreate, TargetEdit, WorkerDrain

router = Router(tags=["targets"])
# The end of a cursor: two targets may have one name.
OWN, SHARED = "own", "shared"


class TargetItem(Closed):
    name: str
    shared: bool = Field(description="All workspaces use it")
    description: str
    enabled: bool
    n_workers: int
    n_draining: int
    grace_s: float
    lost_after_s: float
    max_runs: int | None
    max_attempts: int


class TargetPage(Closed):
    items: list[TargetItem]
    next: str | None


class WorkerItem(Closed):
    node: str
    host: str
    n_slots: int
    n_active: int
    draining: bool
    drained_by: str | None
    version: str
    same_version: bool
    started_at: str
    last_seen_at: str
    facts: dict[str, Any]


class TargetDetail(TargetItem):
    workers: list[WorkerItem]


def target_item(target: Target) -> dict[str, Any]:
    """A target that came out of `staffed`; `n_workers` counts those that drain too."""
    known = vars(target)
    return {
        "name": target.name,
        "shared": target.is_shared,
        "description": target.description,
        "enabled": target.is_enabled,
        "n_workers": known["n_serving"] + known["n_draining"],
        "n_draining": known["n_draining"],
        "grace_s": target.effective_grace_s(),
        "lost_after_s": target.effective_lost_after_s(),
        "max_runs": target.max_runs,
        "max_attempts": target.effective_max_attempts(),
    }


def worker_item(worker: Worker) -> dict[str, Any]:
    return {
        "node": worker.node,
        "host": worker.host,
        "n_slots": worker.n_slots,
        "n_active": worker.n_active,
        "draining": worker.is_draining,
        "drained_by": worker.drain_asked_by or None,
        "version": worker.version,
        "same_version": worker.version == settings.STUDIO_VERSION,
        "started_at": iso(worker.started_at),
        "last_seen_at": iso(worker.last_seen_at),
        "facts": worker.facts,
    }


def target_of(room: Workspace, name: str) -> Target:
    found = Target.objects.usable_in(room).staffed().filter(name=name).first()
    if found is None:
        raise NotFound(f"There is no compute target “{name[:80]}” in “{room.name}”.")
    return found


def target_answer(room: Workspace, name: str, *, status: int = 200) -> HttpResponse:
    """The target as it is stored now, with its live workers."""
    target = target_of(room, name)
    live = Worker.objects.live().filter(target=target).order_by("node", "pk")
    workers = [worker_item(worker) for worker in live]
    return JsonResponse({**target_item(target), "workers": workers}, status=status)


@router.get("/targets", response=answers(TargetPage))
def list_targets(
    request: HttpRequest,
    workspace: Path[str],
    cursor: str = Query("", max_length=80),
    # Programs that know of no pages got all of them at once, and hardly anybody has more.
    limit: int = Query(MAX_LIMIT, ge=1, le=MAX_LIMIT),
) -> Any:
    """Compute targets this workspace may use, by name, with how many workers serve each; of two of
    one name the workspace's own first."""
    found = Target.objects.usable_in(workspace_of(request, workspace)).staffed()
    if cursor:
        name, _, whose = cursor.rpartition(".")
        if not name or whose not in (OWN, SHARED):
            raise Invalid("cursor", "This cursor is not one of this list.")
        found = found.behind(name, is_shared=whose == SHARED)
    return page(list(found[: limit + 1]), limit=limit, item=target_item, cursor=_place)


def _place(target: Target) -> str:
    return f"{target.name}.{SHARED if target.is_shared else OWN}"


@router.post(
    "/targets",
    response={
        code: shape
        for code, shape in answers(TargetDetail, made=TargetDetail).items()
        if code != 200
    },
    openapi_extra=documented(TargetCreate),
)
def create_target(request: HttpRequest, workspace: Path[str]) -> Any:
    """Make a target (201): owners for their workspace, admins of the studio for all."""
    room, asked = workspace_of(request, workspace), read_body(request, TargetCreate)
    made = targets.make_target(
        room, asked.name, asked.settings(), is_shared=asked.shared, by=actor_of(request)
    )
    return target_answer(room, made.name, status=201)


@router.get("/targets/{target}", response=answers(TargetDetail))
def get_target(request: HttpRequest, workspace: Path[str], target: str) -> Any:
    """One target with its live workers."""
    return target_answer(workspace_of(request, workspace), target)


@router.patch(
    "/targets/{target}", response=answers(TargetDetail), openapi_extra=documented(TargetEdit)
)
def edit_target(request: HttpRequest, workspace: Path[str], target: str) -> Any:
    """Change settings; enable or disable. A disabled target begins no run: what runs goes on."""
    room, by = workspace_of(request, workspace), actor_of(request)
    found, asked = target_of(room, target), read_body(request, TargetEdit)
    with transaction.atomic():
        targets.edit_target(found, asked.settings(), workspace=room, by=by)
        if asked.enabled is not None:
            targets.enable_target(found, enabled=asked.enabled, workspace=room, by=by)
    return target_answer(room, target)


@router.delete("/targets/{target}", response=answers(TargetItem))
def delete_target(request: HttpRequest, workspace: Path[str], target: str) -> Any:
    """Delete a target that no run was submitted to and no worker serves."""
    room = workspace_of(request, workspace)
    found = target_of(room, target)
    item = target_item(found)
    targets.delete_target(found, workspace=room, by=actor_of(request))
    return JsonResponse(item)


@router.post(
    "/targets/{target}/drain", response=answers(TargetDetail), openapi_extra=documented(WorkerDrain)
)
def drain_worker(request: HttpRequest, workspace: Path[str], target: str) -> Any:
    """Let a worker take no more runs, or with `draining` false again; it ends those it has."""
    room = workspace_of(request, workspace)
    found, asked = target_of(room, target), read_body(request, WorkerDrain)
    targets.drain_worker(
        found, asked.node, draining=asked.draining, workspace=room, by=actor_of(request)
    )
    return target_answer(room, target)

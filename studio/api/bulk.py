"""Changing many runs at once, and the background work that does it."""

from dataclasses import fields
from typing import Any

from django.http import HttpRequest, JsonResponse
from ninja import Path, Router

from studio.accounts.permissions import Permission, require
from studio.api.access import NotFound, actor_of, workspace_of
from studio.api.body import documented, read_body
from studio.api.paging import Limit, page
from studio.api.schemas import Closed, answers
from studio.api.serialize import iso
from studio.bulk.acting import dry_run, start_bulk
from studio.bulk.log_searching import start_log_search
from studio.bulk.selection import Selection
from studio.bulk.undoing import can_undo, start_undo
from studio.runs.limits import Invalid
from studio.wire.changes import BulkRequest, LogSearchRequest, NothingToSay
from studio.work.actions import cancel_work
from studio.work.models import Work

router = Router(tags=["bulk"])
works = Router(tags=["bulk"])


class WorkProblem(Closed):
    uid: str
    message: str


class WorkItem(Closed):
    id: str
    kind: str
    action: str | None
    state: str
    actor: str
    n_total: int | None
    n_done: int
    n_skipped: int
    n_failed: int
    n_left: int
    skipped: dict[str, int]
    problems: list[WorkProblem]
    result: dict[str, Any]
    can_undo: bool
    created_at: str
    started_at: str | None
    ended_at: str | None
    cancel_requested_at: str | None


class WorkPage(Closed):
    items: list[WorkItem]
    next: str | None


class SkippedItem(Closed):
    reason: str
    n: int


class DryRunAction(Closed):
    allowed: bool
    n_applies: int
    skipped: list[SkippedItem]


class DryRun(Closed):
    n_selected: int
    actions: dict[str, DryRunAction]


def work_dict(work: Work) -> dict[str, Any]:
    """Background work as JSON values; `problems` are the first hundred."""
    result = {key: value for key, value in work.result.items() if key != "skipped"}
    return {
        "id": work.uid,
        "kind": work.kind,
        "action": work.arguments.get("action"),
        "state": work.state,
        "actor": work.actor,
        **{name: getattr(work, name) for name in ("n_total", "n_done", "n_skipped", "n_failed")},
        "n_left": work.n_left,
        "skipped": work.result.get("skipped", {}),
        "problems": work.problems,
        "result": result,
        "can_undo": can_undo(work),
        "created_at": iso(work.created_at),
        "started_at": iso(work.started_at),
        "ended_at": iso(work.ended_at),
        "cancel_requested_at": iso(work.cancel_requested_at),
    }


def work_of(request: HttpRequest, workspace: str, uid: str) -> Work:
    room = workspace_of(request, workspace)
    work = Work.objects.of(room).select_related("workspace").filter(uid=uid).first()
    if work is None:
        raise NotFound(f"There is no work “{uid[:80]}” in “{workspace[:80]}” that you can see.")
    require(actor_of(request), Permission.SEE, room)
    return work


def work_answer(work: Work, *, status: int = 200) -> JsonResponse:
    return JsonResponse(work_dict(work), status=status)


def _chosen(asked: BulkRequest | LogSearchRequest) -> Selection:
    said = asked.selection
    return Selection(**{f.name: getattr(said, f.name) for f in fields(said)})


@router.post(
    "/bulk", response=answers(DryRun, made=WorkItem), openapi_extra=documented(BulkRequest)
)
def change_many(request: HttpRequest, workspace: Path[str]) -> Any:
    """Start an action on every run of a selection (201), or tell what it would do (`dry_run`,
    200)."""
    room, asked = workspace_of(request, workspace), read_body(request, BulkRequest)
    chosen = _chosen(asked)
    by = actor_of(request)
    if asked.dry_run:
        found = dry_run(room, chosen, by=by, action=asked.action, arguments=asked.arguments)
        return JsonResponse(found)
    work = start_bulk(room, asked.action, chosen, asked.arguments, by=by)
    work.refresh_from_db()
    return work_answer(work, status=201)


@router.post(
    "/log-searches",
    response=answers(WorkItem),
    openapi_extra=documented(LogSearchRequest),
)
def search_logs(request: HttpRequest, workspace: Path[str]) -> Any:
    """Start to look for every `log~` of a query in the logs of the runs that meet its other
    conditions; the list of runs with that query finds what was found so far."""
    room, asked = workspace_of(request, workspace), read_body(request, LogSearchRequest)
    chosen = _chosen(asked)
    work = start_log_search(room, chosen, by=actor_of(request))
    work.refresh_from_db()
    return work_answer(work)


@works.get("", response=answers(WorkPage))
def list_work(
    request: HttpRequest, workspace: Path[str], cursor: str = "", limit: int = Limit
) -> Any:
    """Background work, newest first."""
    found = Work.objects.of(workspace_of(request, workspace)).order_by("-pk")
    if cursor:
        seen = found.filter(uid=cursor).first()
        if seen is None:
            raise Invalid("cursor", "This cursor is not one of this list.")
        found = found.filter(pk__lt=seen.pk)
    return page(list(found[: limit + 1]), limit=limit, item=work_dict, cursor=lambda w: w.uid)


@works.get("/{work}", response=answers(WorkItem))
def get_work(request: HttpRequest, workspace: Path[str], work: str) -> Any:
    """How far it is, and what came of it."""
    return work_answer(work_of(request, workspace, work))


@works.post("/{work}/cancel", response=answers(WorkItem), openapi_extra=documented(NothingToSay))
def stop_work(request: HttpRequest, workspace: Path[str], work: str) -> Any:
    """Stop after the piece under way; what was done stays done."""
    found = work_of(request, workspace, work)
    read_body(request, NothingToSay)
    return work_answer(cancel_work(found, by=actor_of(request)))


@works.post(
    "/{work}/undo",
    response=answers(WorkItem, made=WorkItem),
    openapi_extra=documented(NothingToSay),
)
def undo_work(request: HttpRequest, workspace: Path[str], work: str) -> Any:
    """Start putting back the tags that it changed; what was changed since is left as it is."""
    found = work_of(request, workspace, work)
    read_body(request, NothingToSay)
    made = start_undo(found, by=actor_of(request))
    made.refresh_from_db()
    return work_answer(made, status=201)

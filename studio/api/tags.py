"""The tags of a workspace: counted, renamed, merged and removed on all runs."""

from typing import Any, Literal

from django.http import HttpRequest, JsonResponse
from ninja import Path, Router
from ninja.params.functions import Query

from studio.accounts.permissions import Permission, require
from studio.api.access import actor_of, workspace_of
from studio.api.body import documented, read_body
from studio.api.bulk import WorkItem, work_answer
from studio.api.paging import Limit
from studio.api.schemas import Closed, answers
from studio.bulk.retagging import Rewrite, checked, preview, start_rewrite
from studio.custom_views.mentions import views_with_tag
from studio.runs.limits import Invalid
from studio.runs.querysets import COUNTED_TO
from studio.search.tag_overview import VALUES_TO, TagPage, TagRow, n_bare, tag_keys, tag_values
from studio.search.tree import UNSTORABLE
from studio.wire.changes import TagRewriteRequest

router = Router(tags=["tags"])
MAX_FIND = 2_000

KeySort = Literal["key", "-key", "-runs", "runs", "-values", "values"]
ValueSort = Literal["value", "-value", "-runs", "runs"]


class TagItem(Closed):
    key: str
    n_runs: int
    n_runs_is_exact: bool
    n_values: int
    n_values_is_exact: bool


class TagItems(Closed):
    items: list[TagItem]
    next: str | None


class TagValueItem(Closed):
    value: str
    n_runs: int
    n_runs_is_exact: bool


class TagValueItems(Closed):
    items: list[TagValueItem]
    next: str | None
    n_runs_without_value: int


class TagPreview(Closed):
    n_runs: int
    n_runs_is_exact: bool
    n_both: int
    n_in_trash: int
    is_merge: bool
    n_views: int


@router.get("/tags", response=answers(TagItems))
def list_tags(
    request: HttpRequest,
    workspace: Path[str],
    q: str = Query("", max_length=MAX_FIND),
    sort: KeySort = "key",
    cursor: str = "",
    limit: int = Limit,
) -> Any:
    """Tag keys with their runs (to 10,000; archived ones and child runs with them, the trash
    without) and values (to 1,000). `q`: part of a key. Of more than 1,000 keys the only order is by
    key."""
    room = workspace_of(request, workspace)
    found = tag_keys(room, find=storable("q", q), sort=sort, after=cursor, size=limit)
    items = [
        {
            "key": row.text,
            **counted(row),
            "n_values": min(row.n_values, VALUES_TO),
            "n_values_is_exact": row.values_exact,
        }
        for row in found.rows
    ]
    return JsonResponse({"items": items, "next": following(found)})


@router.get("/tags/values", response=answers(TagValueItems))
def list_tag_values(
    request: HttpRequest,
    workspace: Path[str],
    key: str = Query(..., max_length=MAX_FIND),
    q: str = Query("", max_length=MAX_FIND),
    sort: ValueSort = "value",
    cursor: str = "",
    limit: int = Limit,
) -> Any:
    """The values of one key with their runs (to 10,000); how many carry it without one."""
    room, key = workspace_of(request, workspace), storable("key", key)
    found = tag_values(room, key, find=storable("q", q), sort=sort, after=cursor, size=limit)
    items = [{"value": row.text, **counted(row)} for row in found.rows]
    bare = min(n_bare(room, key), COUNTED_TO)
    told = {"items": items, "next": following(found), "n_runs_without_value": bare}
    return JsonResponse(told)


@router.post(
    "/tags/rewrite",
    response=answers(TagPreview, made=WorkItem),
    openapi_extra=documented(TagRewriteRequest),
)
def rewrite_tag(request: HttpRequest, workspace: Path[str]) -> Any:
    """Start renaming, merging or removing a tag on all runs (201), or tell what that would do
    (`dry_run`, 200). The work can be undone."""
    room, asked = workspace_of(request, workspace), read_body(request, TagRewriteRequest)
    names = ("action", "key", "to", "value", "keep")
    rewrite = Rewrite(**{name: getattr(asked, name) for name in names})
    by = actor_of(request)
    if not asked.dry_run:
        work = start_rewrite(room, rewrite, by=by)
        work.refresh_from_db()
        return work_answer(work, status=201)
    require(by, Permission.SEE, room)
    rewrite = checked(rewrite)
    told = preview(room, rewrite, by=by)
    return JsonResponse(
        {
            "n_runs": min(told.n_runs, COUNTED_TO),
            "n_runs_is_exact": told.is_exact,
            "n_both": told.n_both,
            "n_in_trash": told.n_in_trash,
            "is_merge": told.is_merge,
            "n_views": views_with_tag(room, by, rewrite.key, rewrite.value or None).n,
        }
    )


def counted(row: TagRow) -> dict[str, Any]:
    return {"n_runs": min(row.n_runs, COUNTED_TO), "n_runs_is_exact": row.is_exact}


def following(found: TagPage) -> str | None:
    """The `next` of a page; raises Invalid where its cursor was no place in this order."""
    if found.is_anew:
        message = "This is no cursor of a list in this order. Start again without one."
        raise Invalid("cursor", message)
    return found.next or None


def storable(field: str, text: str) -> str:
    """Text that a database can be asked for."""
    if UNSTORABLE.search(text):
        raise Invalid(field, f"{field} holds a character that no tag can hold.")
    return text

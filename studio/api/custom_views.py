"""Custom views: a list's state under a name, with versions, sharing, pins and defaults."""

from itertools import zip_longest
from typing import Any, Literal

from django.http import HttpRequest, JsonResponse
from ninja import Path, Router
from ninja.params.functions import Query

from studio.api.access import actor_of, workspace_of
from studio.api.body import documented, read_body
from studio.api.errors import error
from studio.api.paging import Limit
from studio.api.schemas import answers
from studio.api.view_items import (
    Conflict,
    RevisionPage,
    ViewItem,
    ViewPage,
    changes,
    full_item,
    require_writing,
    revision_item,
    stored_item,
    view_answer,
    view_item,
    view_of,
    view_to_change,
)
from studio.custom_views import actions, sharing
from studio.custom_views.finding import find_deleted_view
from studio.custom_views.listing import is_cursor, listed_views, view_page
from studio.custom_views.models import CustomView, Place, ViewRevision
from studio.runs.limits import Invalid
from studio.runs.models import Experiment
from studio.wire.changes import NothingToSay
from studio.wire.view_changes import (
    ViewCopy,
    ViewCreate,
    ViewDefault,
    ViewEdit,
    ViewPinned,
    ViewRestore,
    ViewShare,
)

router = Router(tags=["views"])
Owner = Literal["all", "mine", "shared", "workspace"]
MADE = {code: shape for code, shape in answers(ViewItem, made=ViewItem).items() if code != 200}


@router.get("/views", response=answers(ViewPage))
def list_views(
    request: HttpRequest,
    workspace: Path[str],
    q: str = Query("", max_length=255),
    owner: Owner = "all",
    cursor: str = "",
    limit: int = Limit,
) -> Any:
    """The views that the token's person sees, by name. `q`: a part of the name; `owner`: `mine`,
    those `shared` with the person by name, those that everyone in the `workspace` sees."""
    room = workspace_of(request, workspace)
    if cursor and not is_cursor(cursor):
        raise Invalid("cursor", "This cursor is not one of this list.")
    found = view_page(
        listed_views(room, actor_of(request), owner=owner, q=q), size=limit, after=cursor
    )
    for view in found.views:
        view.workspace = room
    items = [view_item(request, view) for view in found.views]
    return JsonResponse({"items": items, "next": found.next or None})


@router.post(
    "/views",
    response=MADE,
    openapi_extra=documented(ViewCreate),
)
def create_view(request: HttpRequest, workspace: Path[str]) -> Any:
    """Make a view, private until it is shared (201)."""
    room = workspace_of(request, workspace)
    require_writing(request, room)
    asked = read_body(request, ViewCreate)
    if (asked.list == Place.EXPERIMENT) != bool(asked.experiment):
        told = 'A view of one experiment has "list": "experiment" and its name as "experiment".'
        raise Invalid("experiment", told)
    experiment = None
    if asked.experiment:
        experiment = Experiment.objects.of(room).filter(name=asked.experiment).first()
        if experiment is None:
            told = f"There is no experiment “{asked.experiment[:80]}” in “{room.name}”."
            raise Invalid("experiment", told)
    draft = actions.Draft(asked.name, asked.state, asked.description, asked.list, experiment)
    made = actions.create_view(room, draft, by=actor_of(request))
    return view_answer(request, made, status=201)


@router.get("/views/{view}", response=answers(ViewItem))
def get_view(request: HttpRequest, workspace: Path[str], view: str) -> Any:
    """One view, with whom it is shared with and which names the workspace does not have."""
    return JsonResponse(full_item(request, view_of(request, workspace, view)))


@router.patch(
    "/views/{view}",
    response=answers(ViewItem) | {409: Conflict},
    openapi_extra=documented(ViewEdit),
)
def edit_view(request: HttpRequest, workspace: Path[str], view: str) -> Any:
    """Store another name, description or state as the next version. Where somebody has saved
    since `version`: 409 with the `current` view and its `changes` since; send the merged state
    with its version, or `overwrite`."""
    found = view_to_change(request, workspace, view)
    asked = read_body(request, ViewEdit)
    if asked.version is None and not asked.overwrite:
        raise Invalid("version", 'Send the version that you changed, or "overwrite": true.')
    try:
        saved = actions.save_view(
            found,
            by=actor_of(request),
            expected_version=None if asked.overwrite else asked.version,
            state=asked.state,
            name=asked.name,
            description=asked.description,
        )
    except actions.ViewConflict as conflict:
        return _conflict(request, conflict, asked.version)
    return view_answer(request, saved)


def _conflict(
    request: HttpRequest, conflict: actions.ViewConflict, version: int | None
) -> JsonResponse:
    current = conflict.view
    edited = ViewRevision.objects.filter(view=current, version=version or 0).first()
    facts = {"current": stored_item(request, current), "changes": changes(edited, current)}
    return error(409, "conflict", str(conflict), field="version", **facts)


@router.delete("/views/{view}", response=answers(ViewItem))
def delete_view(request: HttpRequest, workspace: Path[str], view: str) -> Any:
    """Take the view away from everybody."""
    found = view_to_change(request, workspace, view)
    actions.delete_view(found, by=actor_of(request))
    return view_answer(request, found)


@router.post(
    "/views/{view}/undelete", response=answers(ViewItem), openapi_extra=documented(NothingToSay)
)
def undelete_view(request: HttpRequest, workspace: Path[str], view: str) -> Any:
    """Bring back a deleted view, with its versions and whom it was shared with; for who could
    delete it."""
    room = workspace_of(request, workspace)
    require_writing(request, room)
    read_body(request, NothingToSay)
    found = find_deleted_view(room, actor_of(request), view)
    if found is None:
        found = view_of(request, workspace, view)
    return view_answer(request, actions.bring_back(found, by=actor_of(request)))


@router.post("/views/{view}/share", response=answers(ViewItem), openapi_extra=documented(ViewShare))
def share_view(request: HttpRequest, workspace: Path[str], view: str) -> Any:
    """Set who else sees and changes the view. What was granted before and is not named ends."""
    found = view_to_change(request, workspace, view)
    asked, by = read_body(request, ViewShare), actor_of(request)
    sharing.share_view(found, everyone=asked.everyone, people=asked.people, by=by)
    return view_answer(request, found)


@router.post(
    "/views/{view}/duplicate",
    response=MADE,
    openapi_extra=documented(ViewCopy),
)
def duplicate_view(request: HttpRequest, workspace: Path[str], view: str) -> Any:
    """Make an own, private copy of a view (201)."""
    found = view_to_change(request, workspace, view)
    asked = read_body(request, ViewCopy)
    made = actions.duplicate_view(found, by=actor_of(request), name=asked.name)
    return view_answer(request, made, status=201)


@router.post(
    "/views/{view}/restore", response=answers(ViewItem), openapi_extra=documented(ViewRestore)
)
def restore_view(request: HttpRequest, workspace: Path[str], view: str) -> Any:
    """Make an earlier version the newest one again."""
    found = view_to_change(request, workspace, view)
    asked = read_body(request, ViewRestore)
    return view_answer(request, actions.restore_version(found, asked.version, by=actor_of(request)))


@router.post("/views/{view}/pin", response=answers(ViewItem), openapi_extra=documented(ViewPinned))
def pin_view(request: HttpRequest, workspace: Path[str], view: str) -> Any:
    """Put the view into the sidebar of the token's person, or take it away."""
    found = view_to_change(request, workspace, view)
    asked = read_body(request, ViewPinned)
    sharing.pin_view(found, by=actor_of(request), pinned=asked.pinned)
    return view_answer(request, found)


@router.post(
    "/views/{view}/default", response=answers(ViewItem), openapi_extra=documented(ViewDefault)
)
def make_default(request: HttpRequest, workspace: Path[str], view: str) -> Any:
    """Open the view's list with it, or no longer: for the token's person, or for `everyone` who has
    no default of their own (owners of the workspace)."""
    found = view_to_change(request, workspace, view)
    asked, by = read_body(request, ViewDefault), actor_of(request)
    if asked.on:
        sharing.set_default(found, by=by, for_everyone=asked.everyone)
    elif _opens(found, for_everyone=asked.everyone):
        sharing.drop_default(
            found.workspace, found.place, found.experiment, by=by, for_everyone=asked.everyone
        )
    return view_answer(request, found)


def _opens(view: CustomView, *, for_everyone: bool) -> bool:
    """Whether it is the default now: another one must not be dropped in its place."""
    return bool(vars(view)["is_default" if for_everyone else "is_my_default"])


@router.get("/views/{view}/revisions", response=answers(RevisionPage))
def list_revisions(
    request: HttpRequest, workspace: Path[str], view: str, cursor: str = "", limit: int = Limit
) -> Any:
    """The versions of a view, newest first, each with what it changed."""
    of = view_of(request, workspace, view)
    if cursor and not (cursor.isascii() and cursor.isdecimal()):
        raise Invalid("cursor", "This cursor is not one of this list.")
    revisions = ViewRevision.objects.filter(view=of).order_by("-version")
    if cursor:
        revisions = revisions.filter(version__lt=min(int(cursor[:10]), 2**31 - 1))
    found = list(revisions[: limit + 1])
    pairs = zip_longest(found, found[1:])
    items = [revision_item(one, older) for one, older in pairs][:limit]
    more = len(found) > limit
    return JsonResponse({"items": items, "next": str(items[-1]["version"]) if more else None})

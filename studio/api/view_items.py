"""Custom views as JSON values: their shapes, and how they are found and told."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from ninja import Schema
from pydantic import Field

from studio.accounts.models import Workspace
from studio.accounts.permissions import NotAllowed, Permission, require
from studio.api.access import NotFound, actor_of, workspace_of
from studio.api.schemas import Closed
from studio.api.serialize import iso
from studio.custom_views.as_code import knows_grants
from studio.custom_views.differences import differences
from studio.custom_views.finding import find_view, kind_of_sharing
from studio.custom_views.gone import Missing, missing_of_view
from studio.custom_views.models import CustomView, ViewRevision
from studio.custom_views.rights import rights
from studio.custom_views.sharing import sharing_of

RUN_TOKEN = "The token of a run can't change views. Use the token of a person."


class UnknownName(Closed):
    """A name that the workspace does not have."""

    family: str
    name: str
    parts: list[str]


class ViewItem(Closed):
    uid: str
    name: str
    description: str
    list: str
    experiment: str | None
    state: dict[str, str]
    version: int
    owner: str | None
    sharing: str = Field(description="`private`, `people` or `workspace`")
    everyone: str
    people: dict[str, str] | None = Field(
        None, description="Only for who may share it; null in lists"
    )
    is_own: bool
    may_edit: bool
    may_rename: bool
    may_manage: bool
    pinned: bool
    is_my_default: bool
    is_default: bool
    created_at: str
    changed_at: str
    changed_by: str
    deleted_at: str | None
    url: str
    unknown: list[UnknownName] | None = Field(  # type: ignore[valid-type]
        None, description="What it asks for and the workspace does not have; null in lists"
    )


class ViewPage(Closed):
    items: list[ViewItem]
    next: str | None


class ChangeItem(Closed):
    part: str
    label: str
    before: str
    after: str


class RevisionItem(Closed):
    version: int
    name: str
    description: str
    state: dict[str, str]
    at: str
    actor: str
    restored: int | None
    changes: list[ChangeItem]


class RevisionPage(Closed):
    items: list[RevisionItem]
    next: str | None


class ConflictBody(Schema):
    code: str
    message: str
    field: str
    current: ViewItem
    changes: list[ChangeItem]


class Conflict(Schema):
    error: ConflictBody


def view_of(request: HttpRequest, workspace: str, uid: str) -> CustomView:
    """The view with its workspace and the facts for the token's person (2 queries); one that is not
    shared with them is not there."""
    room = workspace_of(request, workspace)
    found = find_view(room, actor_of(request), uid)
    if found is None:
        raise no_such_view(workspace, uid)
    return found


def no_such_view(workspace: str, uid: str) -> NotFound:
    return NotFound(f"There is no view “{uid[:80]}” in “{workspace[:80]}” that you can see.")


def view_to_change(request: HttpRequest, workspace: str, uid: str) -> CustomView:
    """As `view_of`, for a token that may change something."""
    view = view_of(request, workspace, uid)
    require_writing(request, view.workspace)
    return view


def require_writing(request: HttpRequest, workspace: Workspace) -> None:
    """Refuse tokens that only read, and those of runs, each with its own words."""
    actor = actor_of(request)
    if actor.run_uid:
        raise NotAllowed(RUN_TOKEN)
    require(actor, Permission.STAR, workspace)


def view_answer(request: HttpRequest, view: CustomView, *, status: int = 200) -> JsonResponse:
    """The view as it is stored now, in full (at most 7 queries): also one that the person has just
    deleted or ceased to share with themself."""
    return JsonResponse(stored_item(request, view), status=status)


def stored_item(request: HttpRequest, view: CustomView) -> dict[str, Any]:
    user = actor_of(request).user
    stored = CustomView.objects.all()
    found = (stored.with_facts_for(user) if user else stored).get(pk=view.pk)
    found.workspace = view.workspace
    return full_item(request, found)


def full_item(request: HttpRequest, view: CustomView) -> dict[str, Any]:
    """The view with whom it is shared with and what it does not find (at most 6 queries)."""
    item, actor = view_item(request, view), actor_of(request)
    if knows_grants(actor, rights(actor, view)):
        item["people"] = sharing_of(view)["people"]
    item["unknown"] = unknown_items(missing_of_view(view))
    return item


def view_item(request: HttpRequest, view: CustomView) -> dict[str, Any]:
    """A view that has its facts and its workspace, as in a list (no query)."""
    may, facts = rights(actor_of(request), view), vars(view)
    experiment = view.experiment.name if view.experiment else view.experiment_name
    address = f"/w/{view.workspace.name}/views/{view.address}"
    return {
        **{name: getattr(view, name) for name in ("uid", "name", "description", "state")},
        **{name: getattr(view, name) for name in ("version", "everyone", "changed_by")},
        "list": view.place,
        "experiment": experiment or None,
        "owner": view.owner.get_username() if view.owner else None,
        "sharing": kind_of_sharing(view),
        "people": None,
        "may_rename": not may.why_not_rename,
        **{name: getattr(may, name) for name in ("is_own", "may_edit", "may_manage")},
        "pinned": facts["pin_position"] is not None,
        **{name: facts[name] for name in ("is_my_default", "is_default")},
        **{name: iso(getattr(view, name)) for name in ("created_at", "changed_at", "deleted_at")},
        "url": f"{settings.STUDIO_BASE_URL}{address}",
        "unknown": None,
    }


def unknown_items(missing: list[Missing] | tuple[Missing, ...]) -> list[dict[str, Any]]:
    return [{**one._asdict(), "parts": list(one.parts)} for one in missing]


def revision_item(revision: ViewRevision, older: ViewRevision | None) -> dict[str, Any]:
    """A version, with what it changed of the one before."""
    return {
        **{name: getattr(revision, name) for name in ("version", "name", "description", "state")},
        **{name: getattr(revision, name) for name in ("actor", "restored")},
        "at": iso(revision.at),
        "changes": changes(older, revision),
    }


def changes(
    before: ViewRevision | CustomView | None, after: ViewRevision | CustomView
) -> list[dict[str, str]]:
    """What two versions differ in, in words; nothing for a first version."""
    if before is None:
        return []
    texts = [
        {"part": name, "label": name.capitalize(), "before": old, "after": new}
        for name, old, new in (
            ("name", before.name, after.name),
            ("description", before.description, after.description),
        )
        if old != new
    ]
    return texts + _parts(before.state, after.state)


def _parts(before: Mapping[str, str], after: Mapping[str, str]) -> list[dict[str, str]]:
    return [
        {"part": one.part, "label": one.label, "before": one.before, "after": one.after}
        for one in differences(before, after)
    ]

"""The people of a workspace: who is in it, as what, and what changed."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.urls import reverse
from django.utils import timezone
from ninja import Path, Router
from ninja.params.functions import Query
from pydantic import Field

from studio.accounts import members as acting
from studio.accounts.members import WrongMember, find_member
from studio.accounts.models import MemberEvent, Membership, User, Workspace
from studio.accounts.permissions import Permission, can
from studio.accounts.welcome import link_parts, new_link
from studio.api.access import NotFound, actor_of, workspace_of
from studio.api.body import documented, read_body
from studio.api.events import row_id
from studio.api.paging import Limit, page
from studio.api.schemas import Closed, answers
from studio.api.serialize import iso
from studio.runs.limits import Invalid
from studio.wire.changes import NothingToSay
from studio.wire.member_changes import MemberAdd, MemberRole

router = Router(tags=["members"])
MEMBER = "/members/{user}"
FOR_OWNERS = "Null unless you may change members"


class MemberItem(Closed):
    user: str
    full_name: str
    role: str = Field(description="reader, contributor or owner")
    since: str | None
    active: bool | None = Field(description=f"Whether the account is on. {FOR_OWNERS}")
    last_sign_in: str | None = Field(description=FOR_OWNERS)


class MemberPage(Closed):
    items: list[MemberItem]
    next: str | None


class PasswordLink(Closed):
    """`link` sets a password, once; it is stored nowhere and shown in this answer alone."""

    user: str
    link: str
    ends_at: str


class AddedMember(MemberItem):
    password_link: PasswordLink | None = Field(description="Of an account that was made now")


class MemberEventItem(Closed):
    id: int
    at: str
    kind: str
    actor: str
    user: str = Field(description="Whom it is about")
    before: str | None = Field(description="The role before; null for no member")
    after: str | None = Field(description="The role after; null for no member")


class MemberEventPage(Closed):
    items: list[MemberEventItem]
    next: str | None


def member_of(room: Workspace, name: str) -> Membership:
    try:
        return find_member(room, name)
    except WrongMember as nobody:
        raise NotFound(str(nobody)) from nobody


def member_item(member: Membership, *, is_whole: bool) -> dict[str, Any]:
    """A member with its user, no query. is_whole: for who may change members."""
    user = member.user
    return {
        "user": user.get_username(),
        "full_name": user.get_full_name(),
        "role": member.role,
        "since": iso(member.since),
        "active": user.is_active if is_whole else None,
        "last_sign_in": iso(user.last_login) if is_whole else None,
    }


def event_item(event: MemberEvent) -> dict[str, Any]:
    return {
        "id": event.pk,
        "at": iso(event.at),
        "kind": event.kind,
        "actor": event.actor,
        "user": event.subject,
        "before": event.before,
        "after": event.after,
    }


def link_item(user: User) -> dict[str, Any]:
    ends_at = timezone.now() + timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT)
    address = settings.STUDIO_BASE_URL + reverse("welcome", args=link_parts(user))
    return {"user": user.get_username(), "link": address, "ends_at": iso(ends_at)}


def may_change(request: HttpRequest, room: Workspace) -> bool:
    return can(actor_of(request), Permission.EDIT_MEMBERS, room)


@router.get("/members", response=answers(MemberPage))
def list_members(
    request: HttpRequest,
    workspace: Path[str],
    cursor: str = Query("", max_length=150),
    limit: int = Limit,
) -> Any:
    """Everybody in the workspace, by user name."""
    room = workspace_of(request, workspace)
    found = Membership.objects.of(room).by_name()
    if cursor:
        found = found.behind(cursor)
    is_whole = may_change(request, room)
    return page(
        list(found[: limit + 1]),
        limit=limit,
        item=lambda member: member_item(member, is_whole=is_whole),
        cursor=lambda member: str(member.user.get_username()),
    )


@router.post(
    "/members",
    response={
        code: shape for code, shape in answers(AddedMember, made=AddedMember).items() if code != 200
    },
    openapi_extra=documented(MemberAdd),
)
def add_member(request: HttpRequest, workspace: Path[str]) -> Any:
    """Let an account in or, with `new`, make one that gets a password link, shown in this answer
    alone (201; owners)."""
    room, by = workspace_of(request, workspace), actor_of(request)
    asked = read_body(request, MemberAdd)
    if not asked.new and (asked.full_name or asked.email):
        field = "full_name" if asked.full_name else "email"
        raise Invalid(field, f'Send {field} with "new": true only: an account has its own.')
    link = None
    if asked.new:
        facts = {"full_name": asked.full_name, "email": asked.email}
        link = link_item(acting.create_member(room, asked.name, asked.role, **facts, by=by))
    else:
        acting.add_member(room, asked.name, asked.role, by=by)
    item = member_item(member_of(room, asked.name), is_whole=True)
    return JsonResponse({**item, "password_link": link}, status=201)


@router.get(MEMBER, response=answers(MemberItem))
def get_member(request: HttpRequest, workspace: Path[str], user: str) -> Any:
    """One member, by user name."""
    room = workspace_of(request, workspace)
    item = member_item(member_of(room, user), is_whole=may_change(request, room))
    return JsonResponse(item)


@router.patch(MEMBER, response=answers(MemberItem), openapi_extra=documented(MemberRole))
def change_member(request: HttpRequest, workspace: Path[str], user: str) -> Any:
    """Give a member another role (owners)."""
    room, by = workspace_of(request, workspace), actor_of(request)
    held, asked = member_of(room, user), read_body(request, MemberRole)
    name = held.user.get_username()
    held = acting.change_role(room, name, asked.role, by=by)
    return JsonResponse(member_item(held, is_whole=may_change(request, room)))


@router.delete(MEMBER, response=answers(MemberItem))
def remove_member(request: HttpRequest, workspace: Path[str], user: str) -> Any:
    """Shut the workspace to a member (owners), or leave it: everybody may remove themselves, with
    a token that writes. Their tokens of this workspace end."""
    room, by = workspace_of(request, workspace), actor_of(request)
    held = member_of(room, user)
    item = member_item(held, is_whole=may_change(request, room))
    if by.user is not None and held.user_id == by.user.pk:
        acting.leave_workspace(room, by=by)
    else:
        acting.remove_member(room, held.user.get_username(), by=by)
    return JsonResponse(item)


@router.post(
    f"{MEMBER}/link", response=answers(PasswordLink), openapi_extra=documented(NothingToSay)
)
def make_link(request: HttpRequest, workspace: Path[str], user: str) -> Any:
    """A new password link for a member, shown in this answer alone; the one before it ends. Owners
    make one for accounts made here that nothing else opens yet, admins of the studio for all."""
    room, by = workspace_of(request, workspace), actor_of(request)
    held = member_of(room, user)
    read_body(request, NothingToSay)
    return JsonResponse(link_item(new_link(room, held.user.get_username(), by=by)))


@router.get("/member-events", response=answers(MemberEventPage))
def list_member_events(
    request: HttpRequest, workspace: Path[str], cursor: str = "", limit: int = Limit
) -> Any:
    """The history of members, newest first."""
    events = MemberEvent.objects.newest(workspace_of(request, workspace))
    if cursor:
        events = events.filter(pk__lt=row_id("cursor", cursor))
    return page(
        list(events[: limit + 1]), limit=limit, item=event_item, cursor=lambda one: str(one.pk)
    )

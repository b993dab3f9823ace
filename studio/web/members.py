"""The people of a workspace: who is in it, as what, and what changed."""

from collections.abc import Mapping
from typing import Any

from django.http import Http404, HttpResponse
from django.urls import reverse

from studio.accounts.members import WrongMember, find_member
from studio.accounts.models import MemberEvent, Membership, Role
from studio.accounts.permissions import NotAllowed, Permission
from studio.runs.models import Run
from studio.web.access import Request, page
from studio.web.frame import frame
from studio.web.member_words import sentence
from studio.web.render import render_page

N_EVENTS = 50
# What each role may do, said where one is chosen.
ROLES = {
    Role.READER: "sees everything",
    Role.CONTRIBUTOR: "also submits, edits and cancels runs",
    Role.OWNER: "also manages members, targets and shared views, and purges",
}


@page
def member_list(request: Request) -> HttpResponse:
    """Everybody sees who is there; owners change it."""
    return render_page(request, "members/list.html", members_context(request))


def members_context(
    request: Request,
    *,
    form: str = "",
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    error: str = "",
) -> dict[str, Any]:
    """Everything `members/list.html` shows (2 queries). `typed` and `errors` by field come back in
    the form "add" or "create"; `error` is of the whole page."""
    members = list(Membership.objects.of(request.workspace).by_name())
    events = MemberEvent.objects.newest(request.workspace)[:N_EVENTS]
    return {
        **frame(request, active="members"),
        "members": members,
        "own": next((one for one in members if one.user_id == request.user.pk), None),
        "may_edit": Permission.EDIT_MEMBERS in request.permissions,
        "is_admin": request.user.is_superuser,
        "roles": Role.choices,
        "role_words": [(Role(role).label, words) for role, words in ROLES.items()],
        "events": [(event, sentence(event)) for event in events],
        "n_events": N_EVENTS,
        "form": form,
        "typed": typed or {},
        "errors": errors or {},
        "error": error,
    }


@page
def confirm(request: Request) -> HttpResponse:
    """What removing `user` does, before it is done; without one, what leaving does."""
    name = request.GET.get("user", "") or request.user.get_username()
    return confirming(request, name)


def confirming(request: Request, name: str, *, error: str = "", status: int = 200) -> HttpResponse:
    """The question, as a dialog or as a page; says how many runs of theirs would be cut off."""
    is_own = name == request.user.get_username()
    if not is_own and Permission.EDIT_MEMBERS not in request.permissions:
        raise NotAllowed("Only an owner of the workspace can change its members.")
    try:
        held = find_member(request.workspace, name)
    except WrongMember as nobody:
        raise Http404(str(nobody)) from nobody
    context = {
        **frame(request, active="members"),
        "member": held,
        "is_own": is_own,
        "n_going": Run.objects.of(request.workspace).active().filter(submitter=held.user).count(),
        "error": error,
    }
    return render_page(
        request, "members/confirm.html", context, part="members/_dialog.html", status=status
    )


def list_address(request: Request) -> str:
    return reverse("member-list", args=[request.workspace.name])

"""The workspaces of the studio, for its admins: how many people are in each, and a new one."""

from typing import Any

from django.contrib import messages
from django.db.models import Count
from django.http import HttpResponse
from django.urls import reverse

from studio.accounts.models import Workspace
from studio.accounts.new_workspaces import WrongWorkspace, new_workspace
from studio.accounts.switching import require_admin
from studio.web.access import Request, personal
from studio.web.account import frame_of_last
from studio.web.render import done, render_page

PER_PAGE = 50


@personal("GET", "HEAD")
def workspace_list(request: Request) -> HttpResponse:
    """after: the name of a workspace; those behind it, in the order of names."""
    require_admin(request.actor)
    return _page(request, {"name": "", "owner": request.user.username})


@personal("POST")
def make(request: Request) -> HttpResponse:
    """name, owner: of the new workspace. Then to its members, who come next."""
    typed = {key: request.POST.get(key, "").replace("\0", "") for key in ("name", "owner")}
    try:
        made = new_workspace(typed["name"], typed["owner"], by=request.actor)
    except WrongWorkspace as wrong:
        return _page(request, typed, {wrong.field: str(wrong)})
    messages.success(request, f"The workspace {made.name} is made. Add its members here.")
    return done(request, reverse("member-list", args=[made.name]))


def _page(
    request: Request, typed: dict[str, str], errors: dict[str, str] | None = None
) -> HttpResponse:
    """One page of open workspaces, with the form as it was typed (1 query besides the frame's)."""
    after = request.GET.get("after", "").replace("\0", "")[:63]
    rooms = Workspace.objects.open().filter(name__gt=after).order_by("name")
    found = list(rooms.annotate(n_members=Count("memberships"))[: PER_PAGE + 1])
    context: dict[str, Any] = {
        **frame_of_last(request),
        "rooms": found[:PER_PAGE],
        "more_after": found[PER_PAGE - 1].name if len(found) > PER_PAGE else "",
        "typed": typed,
        "errors": errors or {},
    }
    status = 422 if errors else 200
    return render_page(request, "accounts/workspaces.html", context, status=status)

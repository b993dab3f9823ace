"""Who sees a view: a panel for everyone who does, and a form for those who may change it."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.db.models import Case, Q, When
from django.http import HttpResponse

from studio.accounts.models import Membership, Role
from studio.custom_views.models import Access, CustomView
from studio.custom_views.rights import rights
from studio.custom_views.sharing import share_view, sharing_of
from studio.runs.limits import Invalid
from studio.web.access import Request, action, page
from studio.web.frame import frame
from studio.web.render import done, render_page
from studio.web.view_bar import permalink
from studio.web.views_found import found_view

MAX_MEMBERS = 500


@dataclass(frozen=True, slots=True)
class Person:
    """A member and what they may do with the view. `why`: how they come by it, "" by name;
    `is_fixed`: this form can't change it."""

    name: str
    role: str
    access: str
    why: str
    is_fixed: bool


@page
def share_form(request: Request, address: str) -> HttpResponse:
    view = found_view(request, address)
    held = sharing_of(view)
    return _form(request, view, str(held["everyone"]), dict(held["people"]))  # type: ignore[call-overload]


@action
def share(request: Request, address: str) -> HttpResponse:
    """Set who sees and edits: `everyone`, and `person-<user name>` for each member."""
    view, form = found_view(request, address), request.POST
    everyone = form.get("everyone", "")
    asked = {
        name.removeprefix("person-"): form.get(name, "")
        for name in form
        if name.startswith("person-")
    }
    people = {name: access for name, access in asked.items() if access}
    try:
        # Whom the form did not show, nobody decided about.
        share_view(view, everyone=everyone, people=people, by=request.actor, among=asked)
    except Invalid as wrong:
        return _form(request, view, everyone, people, error=str(wrong), status=422)
    messages.success(request, f"“{view.name}” is {sharing_words(everyone, view.grants.count())}.")
    return done(request, permalink(request, view))


def sharing_words(everyone: str, n_people: int) -> str:
    """How widely a view is shared, in words."""
    if everyone == Access.EDIT:
        return "open to everyone in the workspace, to see and edit"
    if everyone == Access.SEE:
        return "open to everyone in the workspace, to see"
    if n_people:
        return f"shared with {n_people} {'person' if n_people == 1 else 'people'}"
    return "private: only you see it"


def _form(
    request: Request,
    view: CustomView,
    everyone: str,
    people: dict[str, str],
    *,
    error: str = "",
    status: int = 200,
) -> HttpResponse:
    context: dict[str, Any] = {
        **frame(request, active=""),
        "view": view,
        "view_rights": rights(request.actor, view),
        "everyone": everyone,
        "members": members_of(request, view, people),
        "accesses": [
            ("", "Nobody else"),
            (Access.SEE, "May see"),
            (Access.EDIT, "May see and edit"),
        ],
        "error": error,
        "permalink": request.build_absolute_uri(permalink(request, view)),
    }
    return render_page(
        request, "views/share.html", context, part="views/_share.html", status=status
    )


def members_of(request: Request, view: CustomView, people: dict[str, str]) -> list[Person]:
    """The members of the workspace by name, at most MAX_MEMBERS, and what each may do (1 query).
    Who is named already is among them, also with an account that is switched off."""
    is_named = Q(user__username__in=people)
    found = Membership.objects.filter(is_named | Q(user__is_active=True))
    found = found.filter(workspace=request.workspace).select_related("user")
    named_first = found.order_by(Case(When(is_named, then=0), default=1), "user__username")
    shown = sorted(named_first[:MAX_MEMBERS], key=lambda one: one.user.get_username())
    return [_person(view, member, people) for member in shown]


def _person(view: CustomView, member: Membership, people: dict[str, str]) -> Person:
    name, role = member.user.get_username(), str(Role(member.role).label)
    if member.user_id == view.owner_id:
        return Person(name, role, Access.EDIT, "owns the view", is_fixed=True)
    if view.owner_id is None and member.role == Role.OWNER:
        return Person(name, role, Access.EDIT, "owns the workspace", is_fixed=True)
    access = people.get(name, "")
    # A reader may be named for editing, and can once the role allows it.
    note = "a reader: may not edit" if member.role == Role.READER and access == "edit" else ""
    note = note if member.user.is_active else "switched off"
    return Person(name, role, access, note, is_fixed=False)

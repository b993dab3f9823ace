"""What the forms of the members page do. Each calls one action; a refusal comes back in words, with
what was typed still there."""

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse

from studio.accounts import members as acting
from studio.accounts.members import LastOwner, Taken, WrongMember
from studio.accounts.models import Role, User
from studio.accounts.welcome import link_parts, new_link
from studio.web.access import Request, action
from studio.web.frame import frame
from studio.web.members import confirming, list_address, members_context
from studio.web.render import done, render_page

FIELDS = ("name", "full_name", "email", "role")


@action
def add(request: Request) -> HttpResponse:
    """An account that there is, into the workspace."""
    typed = typed_in(request)
    try:
        held = acting.add_member(request.workspace, typed["name"], typed["role"], by=request.actor)
    except WrongMember as wrong:
        return refused(request, wrong, form="add")
    messages.success(request, f"Added {held.user.username} as {held.get_role_display()}")
    return done(request, list_address(request))


@action
def create(request: Request) -> HttpResponse:
    """A new account, into the workspace; answers with its password link, shown this once."""
    typed = typed_in(request)
    try:
        user = acting.create_member(
            request.workspace,
            typed["name"],
            typed["role"],
            full_name=typed["full_name"],
            email=typed["email"],
            by=request.actor,
        )
    except WrongMember as wrong:
        return refused(request, wrong, form="create")
    return shown_once(request, user, is_new=True)


@action
def role(request: Request) -> HttpResponse:
    name, wanted = request.POST.get("user", ""), request.POST.get("role", "")
    try:
        held = acting.change_role(request.workspace, name, wanted, by=request.actor)
    except WrongMember as wrong:
        return refused(request, wrong)
    messages.success(request, f"{held.user.username} is {held.get_role_display()} now")
    return done(request, list_address(request))


@action
def link(request: Request) -> HttpResponse:
    """A new password link for a member, shown this once; what came before it ends."""
    try:
        user = new_link(request.workspace, request.POST.get("user", ""), by=request.actor)
    except WrongMember as wrong:
        return refused(request, wrong)
    return shown_once(request, user, is_new=False)


@action
def remove(request: Request) -> HttpResponse:
    name = request.POST.get("user", "")
    try:
        acting.remove_member(request.workspace, name, by=request.actor)
    except LastOwner as wrong:
        return confirming(request, name, error=str(wrong), status=409)
    except WrongMember as wrong:
        return refused(request, wrong)
    messages.success(request, f"Removed {name}: nothing here opens for them any more")
    is_own = name == request.user.get_username() and not request.user.is_superuser
    return done(request, reverse("home") if is_own else list_address(request))


@action
def leave(request: Request) -> HttpResponse:
    try:
        acting.leave_workspace(request.workspace, by=request.actor)
    except LastOwner as wrong:
        return confirming(request, request.actor.name, error=str(wrong), status=409)
    except WrongMember as wrong:
        return refused(request, wrong)
    messages.success(request, f"You left {request.workspace.name}")
    return done(request, reverse("home"))


def typed_in(request: Request) -> dict[str, str]:
    return {field: request.POST.get(field, "") for field in FIELDS} | {
        "role": request.POST.get("role", Role.CONTRIBUTOR)
    }


def refused(request: Request, wrong: WrongMember, *, form: str = "") -> HttpResponse:
    """The page with the reason, at the field of the form or above the table."""
    has_field = bool(form) and wrong.field in FIELDS
    context = members_context(
        request,
        form=form,
        typed=typed_in(request),
        errors={wrong.field: str(wrong)} if has_field else {},
        error="" if has_field else str(wrong),
    )
    status = 409 if isinstance(wrong, Taken | LastOwner) else 422
    return render_page(request, "members/list.html", context, status=status)


def shown_once(request: Request, user: User, *, is_new: bool) -> HttpResponse:
    """The page with the link, which is stored nowhere: it can't be shown again, only made anew."""
    uidb64, token = link_parts(user)
    address = request.build_absolute_uri(reverse("welcome", args=[uidb64, token]))
    context = {
        **frame(request, active="members"),
        "member": user,
        "is_new": is_new,
        "link": address,
    }
    return render_page(request, "members/link.html", context)

"""The record of sign-ins: one's own, and for admins of the studio everybody's, with the accounts
that they switch off and on."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse

from studio.accounts.models import SignInEvent, SignInEventQuerySet, User
from studio.accounts.sign_ins import HOW
from studio.accounts.sources import source_of
from studio.accounts.switching import WrongSwitch, require_admin, switch_account
from studio.web.access import Request, personal
from studio.web.account import frame_of_last, is_key
from studio.web.browser_words import browser_words
from studio.web.render import done, render_page

PER_PAGE = 50


@personal("GET", "HEAD")
def own_sign_ins(request: Request) -> HttpResponse:
    """before: the key of an event; those older than it."""
    events = SignInEvent.objects.about(request.user)
    return listed(request, events, "accounts/own_sign_ins.html", "account-sign-ins")


@personal("GET", "HEAD")
def all_sign_ins(request: Request) -> HttpResponse:
    """As `own_sign_ins`, of everybody. user: of one account alone."""
    require_admin(request.actor)
    events = SignInEvent.objects.all()
    name = request.GET.get("user", "").replace("\0", "")[:150]
    if name:
        events = events.filter(name=name)
    return listed(request, events, "accounts/all_sign_ins.html", "admin-sign-ins", name=name)


def listed(
    request: Request, events: SignInEventQuerySet, template: str, page: str, *, name: str = ""
) -> HttpResponse:
    """A page of events, newest first (1 query besides those of the frame)."""
    before = request.GET.get("before", "")
    found = list(events.before(int(before) if is_key(before) else None)[: PER_PAGE + 1])
    rows = [
        {"event": one, "what": HOW.get(one.how, one.how), "browser": browser_words(one.agent)}
        for one in found[:PER_PAGE]
    ]
    context: dict[str, Any] = {
        **frame_of_last(request),
        "rows": rows,
        "page": page,
        "name": name,
        "older": found[PER_PAGE - 1].pk if len(found) > PER_PAGE else None,
    }
    return render_page(request, template, context)


@personal("GET", "HEAD")
def account_list(request: Request) -> HttpResponse:
    """after: a user name; the accounts behind it, in the order of names. find: part of a name."""
    require_admin(request.actor)
    after, find = (request.GET.get(key, "").replace("\0", "")[:150] for key in ("after", "find"))
    users = User.objects.order_by("username").filter(username__gt=after)
    if find:
        users = users.filter(username__icontains=find)
    found = list(users[: PER_PAGE + 1])
    context: dict[str, Any] = {
        **frame_of_last(request),
        "accounts": found[:PER_PAGE],
        "find": find,
        "more_after": found[PER_PAGE - 1].username if len(found) > PER_PAGE else "",
    }
    return render_page(request, "accounts/accounts.html", context)


@personal("POST")
def switch(request: Request) -> HttpResponse:
    """user: of which account; on: "1" to let it in again, "0" to end all that opens it."""
    name, on = request.POST.get("user", "").replace("\0", ""), request.POST.get("on") == "1"
    try:
        user = switch_account(name, on=on, by=request.actor, source=source_of(request))
    except WrongSwitch as wrong:
        messages.error(request, str(wrong))
    else:
        said = "may sign in again" if on else "is switched off: its sessions and tokens ended"
        messages.success(request, f"{user.username} {said}")
    return done(request, reverse("admin-accounts"))

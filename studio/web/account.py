"""A person's own account: e-mail address, password and API tokens. In no workspace; the frame is
that of the last-used one, if there is one."""

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters

from studio.accounts.actions import MAX_TOKEN_NAME, WrongToken, make_token, revoke_token
from studio.accounts.addresses import WrongAddress
from studio.accounts.addresses import change_email as change_address
from studio.accounts.models import ApiToken, Scope, Workspace
from studio.accounts.permissions import NotAllowed
from studio.web.access import Request, enter, personal
from studio.web.accounts import last_workspace
from studio.web.frame import frame
from studio.web.render import done, render_page

MOST_TOKENS = 200
LIFETIMES = {"30": "30 days", "90": "90 days", "365": "1 year", "": "Never"}
USUAL = {"name": "", "scope": Scope.WRITE.value, "workspace": "", "days": "90"}


@personal("GET", "HEAD")
def own_account(request: Request) -> HttpResponse:
    return shown(request)


@personal("POST")
@sensitive_post_parameters()
def change_password(request: Request) -> HttpResponse:
    """Another password; this session goes on, the person's others end. Tokens stay."""
    form = PasswordChangeForm(request.user, request.POST)
    if not form.is_valid():
        return shown(request, form=form, status=422)
    form.save()
    update_session_auth_hash(request, form.user)
    messages.success(request, "Your password is changed. Your other sessions are signed out.")
    return done(request, reverse("account"))


@personal("POST")
@sensitive_post_parameters()
def change_email(request: Request) -> HttpResponse:
    """email: where mails go, empty for none; password: of the person, again."""
    typed = request.POST.get("email", "")
    try:
        changed = change_address(
            request.user, typed, password=request.POST.get("password", ""), by=request.actor
        )
    except WrongAddress as wrong:
        return shown(request, email=typed, email_errors={wrong.field: str(wrong)}, status=422)
    where = f"Mails go to {request.user.email} now" if request.user.email else "You get no mails"
    messages.success(request, where if changed else "The address is as it was")
    return done(request, reverse("account"))


@personal("POST")
def create_token(request: Request) -> HttpResponse:
    """A new token; its secret stands in this answer and nowhere else."""
    typed = {field: request.POST.get(field, "") for field in USUAL}
    try:
        token, secret = make_token(
            request.user,
            name=typed["name"].strip(),
            scope=chosen_scope(typed["scope"]),
            workspace=chosen_workspace(typed["workspace"]),
            lifetime=chosen_lifetime(typed["days"]),
        )
    except (WrongToken, NotAllowed) as wrong:
        return shown(request, typed=typed, token_error=str(wrong), status=422)
    return shown(request, made=token, secret=secret)


@personal("POST")
def revoke(request: Request) -> HttpResponse:
    """End one of one's own tokens; one that is not there, or another's, is gone already."""
    wanted = request.POST.get("token", "")
    own = ApiToken.objects.made_by_hand(request.user)
    token = own.filter(pk=int(wanted)).first() if is_key(wanted) else None
    if token is None:
        messages.error(request, "There is no such token of yours. It may be revoked already.")
    else:
        revoke_token(token, by=request.actor)
        messages.success(request, f"Revoked “{token.name}”: it opens nothing any more")
    return done(request, reverse("account"))


def is_key(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def chosen_scope(scope: str) -> Scope:
    if scope not in Scope.values:
        raise WrongToken("Choose what the token may do: read, or read and write.")
    return Scope(scope)


def chosen_workspace(name: str) -> Workspace | None:
    """None for all of the person's; make_token refuses one that is not theirs."""
    if not name:
        return None
    found = Workspace.objects.filter(name=name).first()
    return found or Workspace(name=name[:63])


def chosen_lifetime(days: str) -> timedelta | None:
    if days not in LIFETIMES:
        raise WrongToken("Choose when the token expires.")
    return timedelta(days=int(days)) if days else None


def shown(
    request: Request,
    *,
    form: PasswordChangeForm | None = None,
    email: str | None = None,
    email_errors: dict[str, str] | None = None,
    typed: dict[str, str] | None = None,
    token_error: str = "",
    made: ApiToken | None = None,
    secret: str = "",
    status: int = 200,
) -> HttpResponse:
    """The whole page (3 queries besides those of the frame)."""
    tokens = list(ApiToken.objects.made_by_hand(request.user)[: MOST_TOKENS + 1])
    visible = Workspace.objects.visible_to(request.user).order_by("name")
    context = {
        **frame_of_last(request),
        "form": form or PasswordChangeForm(request.user),
        "email": request.user.email if email is None else email,
        "email_errors": email_errors or {},
        "tokens": tokens[:MOST_TOKENS],
        "has_more": len(tokens) > MOST_TOKENS,
        "now": timezone.now(),
        "scopes": Scope.choices,
        "choices": [("", "All of mine"), *((room.name, room.name) for room in visible)],
        "lifetimes": list(LIFETIMES.items()),
        "typed": typed or USUAL,
        "max_name": MAX_TOKEN_NAME,
        "token_error": token_error,
        "made": made,
        "secret": secret,
    }
    return render_page(request, "accounts/account.html", context, status=status)


def frame_of_last(request: Request) -> dict[str, Any]:
    """The frame of the last-used workspace; empty for a person in none."""
    room = last_workspace(request, request.user)
    if room is None:
        return {}
    enter(request, room.name)
    return frame(request, active="account")

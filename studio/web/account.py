"""A person's own account: e-mail address, password, sessions and API tokens. In no workspace; the
frame is that of the last-used one, if there is one."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters

from studio.accounts.actions import MAX_TOKEN_NAME, WrongToken, make_token, revoke_token
from studio.accounts.addresses import WrongAddress
from studio.accounts.addresses import change_email as change_address
from studio.accounts.models import ApiToken, OidcIdentity, Scope, User, Workspace
from studio.accounts.passwords import TooManyTries, is_own_password
from studio.accounts.permissions import NotAllowed
from studio.accounts.sessions import (
    end_other_sessions,
    end_session,
    note_new_password,
    sessions_of,
)
from studio.accounts.sign_ins import record_sign_in
from studio.accounts.sources import Source, source_of
from studio.web.access import Request, enter, personal
from studio.web.accounts import last_workspace
from studio.web.browser_words import browser_words
from studio.web.frame import frame
from studio.web.render import done, render_page

MOST_TOKENS = 200
LIFETIMES = {
    "1": "1 day",
    "7": "7 days",
    "30": "30 days",
    "90": "90 days",
    "365": "1 year",
    "": "Never",
}
USUAL = {"name": "", "scope": Scope.WRITE.value, "workspace": "", "days": "90"}


class NewPasswordForm(PasswordChangeForm):
    """Django's own form; wrong old passwords are counted and recorded."""

    def __init__(self, *args: Any, source: Source, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.source = source

    def clean_old_password(self) -> str:
        old = str(self.cleaned_data["old_password"])
        try:
            is_theirs = is_own_password(self.user, old, source=self.source)
        except TooManyTries as problem:
            raise ValidationError(str(problem), code="too_many") from problem
        if not is_theirs:
            raise ValidationError(self.error_messages["password_incorrect"], "password_incorrect")
        return old


@personal("GET", "HEAD")
def own_account(request: Request) -> HttpResponse:
    return shown(request)


@personal("POST")
@sensitive_post_parameters()
def change_password(request: Request) -> HttpResponse:
    """Another password; this session goes on, the person's others end. Tokens stay."""
    form = NewPasswordForm(request.user, request.POST, source=source_of(request))
    if not form.is_valid():
        return shown(request, form=form, status=422)
    with transaction.atomic():
        form.save()
        key = request.session.session_key
        note_new_password(request.user, but=key, source=source_of(request))
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
            request.user,
            typed,
            password=request.POST.get("password", ""),
            by=request.actor,
            source=source_of(request),
        )
    except WrongAddress as wrong:
        return shown(request, email=typed, email_errors={wrong.field: str(wrong)}, status=422)
    if changed:
        record_sign_in("email-changed", user=request.user, source=source_of(request))
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
    record_sign_in("token-made", user=request.user, detail=token.name, source=source_of(request))
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
        where = source_of(request)
        record_sign_in("token-revoked", user=request.user, detail=token.name, source=where)
        messages.success(request, f"Revoked “{token.name}”: it opens nothing any more")
    return done(request, reverse("account"))


@personal("POST")
def end_one_session(request: Request) -> HttpResponse:
    """session: the handle of one's own session to end, also this one."""
    handle = request.POST.get("session", "")
    if end_session(request.user, handle, source=source_of(request)):
        messages.success(request, "That browser is signed out.")
    else:
        messages.error(request, "There is no such session of yours. It may have ended already.")
    return done(request, reverse("account"))


@personal("POST")
def end_others(request: Request) -> HttpResponse:
    """End all of one's sessions but this one."""
    key = request.session.session_key
    n_ended = end_other_sessions(request.user, but=key, source=source_of(request))
    messages.success(request, f"Signed out: {n_ended} other session{'' if n_ended == 1 else 's'}")
    return done(request, reverse("account"))


def session_rows(request: Request) -> list[dict[str, Any]]:
    """One's own sessions in words, this one first (1 query)."""
    here = request.session.session_key
    rows = [
        {"session": one, "words": browser_words(one.agent), "is_here": one.session_key == here}
        for one in sessions_of(request.user)
    ]
    return sorted(rows, key=lambda row: not row["is_here"])


def is_key(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def chosen_scope(scope: str) -> Scope:
    if scope not in Scope.values:
        raise WrongToken("Choose what the token may do: read, write, or manage too.")
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
    """The whole page (5 queries besides those of the frame)."""
    tokens = list(ApiToken.objects.made_by_hand(request.user)[: MOST_TOKENS + 1])
    visible = Workspace.objects.visible_to(request.user).order_by("name")
    context = {
        **frame_of_last(request),
        "sessions": session_rows(request),
        "has_passwords": settings.PASSWORD_SIGN_IN and request.user.has_usable_password(),
        "single_sign_on": settings.OIDC_NAME if settings.OIDC_ISSUER else "",
        "is_linked": is_linked(request.user),
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


def is_linked(user: User) -> bool:
    """Whether single sign-on opens the account (1 query where there is any)."""
    held = OidcIdentity.objects.filter(user=user, issuer=settings.OIDC_ISSUER)
    return bool(settings.OIDC_ISSUER) and held.exists()


def frame_of_last(request: Request) -> dict[str, Any]:
    """The frame of the last-used workspace; empty for a person in none."""
    room = last_workspace(request, request.user)
    if room is None:
        return {}
    enter(request, room.name)
    return frame(request, active="account")
